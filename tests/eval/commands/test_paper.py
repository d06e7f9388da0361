import shutil
from pathlib import Path

import pytest

from eval.cli import main

pytestmark = pytest.mark.slow

STORED = Path(__file__).parents[2] / "reports" / "data" / "run-schema-1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(STORED, tmp_path / "runs" / "run")


def test_writes_the_paper_into_the_run_folder(folder, capsys):
    assert main(["paper", str(folder)]) == 0
    out = capsys.readouterr().out
    files = [path for path in (folder / "paper").rglob("*") if path.is_file()]
    assert str(folder / "paper" / "paper.md") in out and f"and {len(files) - 2} files" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent"], "is not a run folder"),
        (["{run}", "--ablations", "{run}"], "is not a finished ablation"),
        (["{run}", "--align", "{run}"], "is not an alignment"),
        (["{run}", "--out", "{run}/manifest.json"], "is a file, so that"),
    ],
)
def test_mistakes_are_one_sentence(folder, arguments, words, capsys):
    assert main(["paper", *(text.format(run=folder) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_run_without_a_chunk_is_told(folder, capsys):
    shutil.rmtree(folder / "chunks")
    assert main(["paper", str(folder)]) == 2
    assert "no finished chunk" in capsys.readouterr().err
