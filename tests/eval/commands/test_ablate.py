from __future__ import annotations

import csv

import pytest

from eval.cli import main
from eval.studies.ablation.plan import shipped

pytestmark = pytest.mark.slow

MINE = """
question = "Does the delta matter?"
baseline = "delta"
prompts = ["smile"]
images = 6
effect = 0.05
seeds = [0, 1]
[settings]
steps = 8
batch = 8
relevance_images = 2
relevance_statistics = 20
templates = false
threshold = 0
[arms.delta]
[arms.raw]
arm = "raw"
"""


@pytest.fixture
def mine(tmp_path, monkeypatch, tiny_domain):
    monkeypatch.setattr("eval.domains.load_domain", lambda name, **place: tiny_domain)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    return path


@pytest.mark.parametrize("arguments", [[], ["--list"]])
def test_lists_names_and_questions(arguments, capsys):
    assert main(["ablate", *arguments]) == 0
    out = capsys.readouterr().out
    for name in shipped():
        assert any(line.startswith(f"{name} ") and line.endswith("?") for line in out.splitlines()), name
    assert "delta, centred, raw, pseudo-text" in out


def test_a_file_of_ones_own_ends_with_table_and_figure(mine, tmp_path, capsys):
    assert main(["ablate", "mine.toml", "--out", "run"]) == 0
    found = capsys.readouterr()
    assert "Does the delta matter?" in found.out and "raw, seed 1, smile" in found.err
    names = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("ablation_*")}
    tables = {f"tables/ablation_mine.{ending}" for ending in ("csv", "md", "tex")}
    assert names == tables | {f"figures/ablation_mine.{ending}" for ending in ("pdf", "png")}
    rows = list(csv.DictReader((tmp_path / "run" / "tables" / "ablation_mine.csv").open(encoding="utf-8")))
    assert [(row["arm"], row["jobs"]) for row in rows] == [("delta", "2"), ("raw", "2")]
    before = {name: (tmp_path / "run" / name).read_bytes() for name in names}
    assert main(["ablate", "mine.toml", "--out", "run"]) == 0
    assert "smile" not in capsys.readouterr().err  # nothing was missing
    assert {name: (tmp_path / "run" / name).read_bytes() for name in names} == before


def test_intervals_for_exactly_these_prompts(mine, tmp_path, capsys):
    assert main(["ablate", "mine.toml", "--out", "run"]) == 0  # one prompt: nothing is known of others
    assert "other trainings, images and prompts like these" in " ".join(capsys.readouterr().out.split())
    table = tmp_path / "run" / "tables" / "ablation_mine.csv"
    assert next(csv.DictReader(table.open(encoding="utf-8")))["success_low"] == "n/a"
    assert main(["ablate", "mine.toml", "--out", "run", "--population", "these-prompts"]) == 0
    assert "exactly these prompts" in " ".join(capsys.readouterr().out.split())
    assert next(csv.DictReader(table.open(encoding="utf-8")))["success_low"] != "n/a"


def test_options_make_another_ablation(mine, tmp_path, capsys):
    options = ["--seeds", "1", "--steps", "4", "--images", "5", "--effect", "0.2", "--prompts", "glasses"]
    assert main(["ablate", "mine.toml", *options]) == 0
    (folder,) = (tmp_path / "deltabench-runs").iterdir()
    assert folder.name.startswith("ablation-mine-tiny-")
    assert {path.name for path in (folder / "cells").iterdir()} == {
        "delta--seed0--glasses.json",
        "raw--seed0--glasses.json",
    }
    assert main(["ablate", "mine.toml", "--out", str(folder)]) == 2
    assert "holds another ablation: seeds is 0 there, 0,1 here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["conditionin"], "did you mean 'conditioning'"),
        (["none.toml"], "There is no ablation none.toml"),
        (["conditioning", "--prompts", "smle"], "did you mean 'smile'"),
        (["conditioning", "--prompts", ","], "--prompts is empty"),
        (["conditioning", "--effect", "-1"], "'--effect': -1.0 is not in the range x>0"),
        (["conditioning", "--seeds", "0"], "--seeds"),
    ],
)
def test_mistakes_are_one_sentence(mine, tmp_path, arguments, words, capsys):
    assert main(["ablate", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and "\n" not in error
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("mine.toml", "artefacts")] in (
        [],
        ["deltabench-runs"],
    )


@pytest.mark.parametrize("name", ["--images", "--limit"])
def test_limit_is_another_name_of_images(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablate", "conditioning", name, "1"]) == 2
    assert "1 is not in the range 2<=x" in capsys.readouterr().err
