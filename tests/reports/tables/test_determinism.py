import csv
import json
import shutil

import pytest

from eval.runs.reader import Run
from reports.tables import build_tables, summary, write_tables
from reports.tables.determinism import determinism_table, marked, read_determinism, unsteady
from reports.writers.layout import Block, Table

NONE = {"latents": 0.0, "images": 0.0, "metrics": 0.0, "metric": ""}
SMALL = {"latents": 2e-6, "images": 3e-7, "metrics": 1e-5, "metric": "ad_mean"}
FOUND = {
    "prompt": "glasses",
    "strength": 1.0,
    "images": 8,
    "batches": [8, 4],
    "threads": 1,
    "tolerance": {"latents": 1e-3, "images": 2 / 255},
    "torch": "2.0",
    "hardware": "2 cores",
    "editors": {
        "deltaedit": {"verdict": "deterministic", "repeat": NONE, "batch": SMALL, "stored": NONE, "warnings": []},
        "styleclip-global": {"verdict": "failed", "error": "RuntimeError: no edit"},
    },
}


@pytest.fixture
def checked_run(small_run, tmp_path):
    folder = shutil.copytree(small_run, tmp_path / "run")
    (folder / "determinism.json").write_text(json.dumps(FOUND))
    return Run(folder)


def test_a_run_that_was_not_checked_has_no_table_and_no_marks(small_run, gaps):
    run = Run(small_run)
    assert (read_determinism(run), determinism_table(run), unsteady(run)) == (None, None, {})
    assert "determinism" not in [table.name for table in build_tables(run)]


def test_the_file_is_the_one_that_the_manifest_names(checked_run):
    (checked_run.folder / "determinism.json").rename(checked_run.folder / "other.json")
    assert read_determinism(checked_run) is None
    checked_run.manifest["determinism"] = "other.json"
    assert read_determinism(checked_run) == FOUND


def test_table_has_verdicts_and_drifts(checked_run, tmp_path):
    table = determinism_table(checked_run)
    table.write(tmp_path)
    with (tmp_path / "determinism.csv").open(newline="") as file:
        rows = {row["editor"]: row for row in csv.DictReader(file)}
    assert rows["deltaedit"]["verdict"] == "deterministic"
    assert float(rows["deltaedit"]["batch_latents"]) == 2e-6
    assert float(rows["deltaedit"]["repeat_images"]) == 0
    assert rows["styleclip-global"]["verdict"] == "failed"
    assert rows["styleclip-global"]["repeat_latents"] == ""
    assert "| deltaedit | deterministic | 0 | 0 | 0 | 2.0e-06 |" in (tmp_path / "determinism.md").read_text()


def test_an_editor_that_failed_is_marked_in_every_table_but_not_in_the_csv(checked_run, gaps):
    paths = {path.name: path for path in write_tables(checked_run.folder)}
    for name in ("main", "prompts", "attributes", "counterfactual", "runtime", "strengths"):
        text = paths[f"{name}.md"].read_text()
        assert "styleclip-global †" in text, name
        assert (
            "† does not repeat its edits, or could not be checked (table determinism): styleclip-global: failed."
            in (text)
        )
        assert "deltaedit †" not in text
        assert "†" not in paths[f"{name}.csv"].read_text()
    assert r"styleclip-global $\dagger$" in paths["main.tex"].read_text()


def test_the_terminal_says_so(checked_run, gaps):
    from rich.console import Console

    console = Console(width=80, record=True)
    console.print(summary(checked_run, build_tables(checked_run)))
    assert "† styleclip-global: failed (table determinism)" in console.export_text()


def test_a_label_that_only_begins_like_a_marked_one_has_no_mark(checked_run):
    rows = (("styleclip-global", "1"), ("styleclip-global[beta=0.1]", "2"), ("styleclip-global ‡", "3"))
    table = Table("any", "Any?", ("editor",), (), (Block("styleclip-global[beta=0.1]: x", ("editor", "n"), rows),))
    (found,) = marked(checked_run, [table])
    assert [row[0] for row in found.blocks[0].rows] == [
        "styleclip-global †",
        "styleclip-global[beta=0.1]",
        "styleclip-global † ‡",
    ]
    assert found.blocks[0].title == "styleclip-global[beta=0.1]: x"


def test_a_broken_file_is_one_sentence(checked_run):
    (checked_run.folder / "determinism.json").write_text("{")
    with pytest.raises(ValueError, match=r"determinism.json is not valid JSON .*; delete it"):
        read_determinism(checked_run)
