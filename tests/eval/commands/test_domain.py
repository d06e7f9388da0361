from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.cli import main
from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, sample_portraits


def test_rendered_portraits_and_their_factors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        command = ["domain", "render", "avatars", "--count", "3", "--seed", "5", "--out", str(tmp_path / folder)]
        assert main(command) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png", "factors.csv"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert np.asarray(Image.open(tmp_path / "a" / "00001.png")).shape == (64, 64, 3)
    with open(tmp_path / "a" / "factors.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    people = sample_portraits(3, 5)
    for number, row in enumerate(rows):
        assert row["file"] == f"{number:05d}.png"
        assert [VALUES[factor].index(row[factor]) for factor in FACTOR_NAMES] == people.values[number].tolist()
        assert float(row["skin_shade"]) == pytest.approx(float(people.geometry[number, 9]), abs=1e-5)


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["domain", "render", "avatars", "--out", str(tmp_path / "file" / "x")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_training_prints_progress_and_card(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def trained(name: str, report) -> str:
        report(name, 100, 400, {"loss": 0.25})
        return f"card of {name}"

    monkeypatch.setattr("eval.domains.avatars.recipes.train_network", trained)
    assert main(["domain", "train", "avatars", "--network", "encoder"]) == 0
    told = capsys.readouterr()
    assert told.err == "encoder: step 100 of 400  loss 0.25\n"
    assert told.out == "card of encoder\n"
