"""One part of a report that cannot be made does not take the others with it."""

import json
import shutil

import pytest

import reports.figures as figures
from eval.cli import main
from reports.report import write_report


@pytest.fixture
def folder(small_run, tmp_path, monkeypatch):
    def broken(run):
        raise ValueError("Width and height specified must be non-negative")

    monkeypatch.setattr(figures, "FIGURES", {"runtime": figures.FIGURES["runtime"], "prompts": broken})
    return shutil.copytree(small_run, tmp_path / "run")


SENTENCE = "figures/prompts could not be made: Width and height specified must be non-negative (ValueError)."


def test_the_rest_is_there_and_the_exit_code_says_so(folder, capsys):
    assert main(["report", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == [SENTENCE]
    assert told["open"] == str(folder / "report.html")
    assert (folder / "tables" / "main.csv").is_file()
    assert (folder / "figures" / "runtime.pdf").is_file()
    assert not (folder / "figures" / "prompts.pdf").exists()


def test_a_page_that_cannot_be_made_leaves_tables_and_figures(folder, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no room")

    monkeypatch.setattr("reports.explorer.page.write_explorer", broken)
    report = write_report(folder, quiet=True)
    assert list(report.problems) == [SENTENCE, "report.html could not be made: no room (RuntimeError)."]
    assert report.page == folder / "tables" / "main.md"
    assert folder / "figures" / "runtime.png" in report.files
