import importlib.util
import shutil
from pathlib import Path

import pytest

from eval.cli import main

STORED = Path(__file__).parents[2] / "reports" / "data" / "run-schema-1"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(STORED, tmp_path / "run")


@pytest.mark.parametrize("options", [["--to", "csv"], ["--to", "parquet", "--layout", "long"]])
def test_prints_the_files(folder, options, capsys):
    assert main(["export", str(folder), *options]) == 0
    name = "cells.csv" if "csv" in options else "cells_long.parquet"
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert printed[0] == str(folder / "export" / name)
    assert len(printed) == 5
    assert all((folder / "export" / line.rsplit("/", 1)[1]).is_file() for line in printed)


def test_out(folder, tmp_path):
    assert main(["export", str(folder), "--to", "csv", "--out", str(tmp_path / "elsewhere")]) == 0
    assert (tmp_path / "elsewhere" / "cells.csv").is_file()
    assert not (folder / "export").exists()


@pytest.mark.parametrize("package", ["wandb", "mlflow"])
def test_a_missing_package_is_one_sentence(folder, package, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["export", str(folder), "--to", package]) == 2
    error = capsys.readouterr().err
    assert f"pip install 'deltabench[{package}]'" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent", "--to", "csv"], "is not a run folder"),
        (["{run}", "--to", "excel"], "'csv', 'parquet', 'wandb', 'mlflow'"),
        (["{run}", "--to", "csv", "--out", "{run}/manifest.json"], "is a file, so that"),
        (["{run}"], "--to"),
    ],
)
def test_mistakes_are_one_sentence(folder, arguments, words, capsys):
    assert main(["export", *(text.format(run=folder) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_unreadable_chunk_is_one_sentence(folder, capsys):
    next((folder / "chunks").glob("*.parquet")).write_bytes(b"broken")
    assert main(["export", str(folder), "--to", "csv"]) == 0  # of what is whole
    assert "is damaged" in capsys.readouterr().err
