"""A run is reported at any time: what is missing is counted, editors are compared on what all of them have."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest

from eval.cli import main
from eval.runs.reader import Run
from reports.pool import Pool
from reports.report import write_report
from reports.tables.main import main_table


@pytest.fixture
def folder(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def names(folder: Path) -> tuple[list[str], list[str]]:
    manifest = json.loads((folder / "manifest.json").read_text())
    run = Run(folder)
    return list(manifest["arguments"]["methods"]), [prompt["name"] for prompt in run.prompts]


def remove(folder: Path, *words: str) -> int:
    """Remove the chunks that have all these words in their names; how many cells they had."""
    cells = 0
    for path in sorted((folder / "chunks").glob("*.json")):
        if all(word in path.name for word in words):
            cells += json.loads(path.read_text())["count"]
            for ending in (".json", ".npz", ".parquet"):
                path.with_suffix(ending).unlink()
    return cells


def test_a_finished_run_says_nothing(folder: Path) -> None:
    run = Run(folder)
    assert not run.missing and run.unfinished == "" and run.rows is run.every_row


def test_editors_are_compared_on_what_all_have(folder: Path) -> None:
    editors, prompts = names(folder)
    lost = remove(folder, f"{editors[0]}--{prompts[0]}--calibrated")
    whole = Run(folder).every_row
    run = Run(folder)
    assert run.missing.cells == {editors[0]: lost}
    assert run.missing.expected == len(whole) + lost
    assert sorted(run.rows["prompt"].unique()) == sorted(prompts[1:])
    assert len(run.rows) == (whole["prompt"] != prompts[0]).sum()
    assert [prompt["name"] for prompt in run.prompts] == prompts[1:]
    pairs = len(whole[whole["prompt"] != prompts[0]][["prompt", "source"]].drop_duplicates())
    assert run.unfinished == (
        f"Unfinished: {lost} of {run.missing.expected} cells are missing ({editors[0]} {lost}). Editors are compared "
        f"on the {pairs} pairs of prompt and image that all have, of {len(prompts) - 1} prompts out of {len(prompts)}."
    )


def test_a_mean_of_an_unfinished_run_is_that_of_the_shared_cells(folder: Path) -> None:
    editors, prompts = names(folder)
    remove(folder, f"{editors[0]}--{prompts[0]}--")
    write_report(folder, figures=False, quiet=True)
    with (folder / "tables/main.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["editor"] == editors[1] and row["kind"] == "default"]
    cells = Run(folder).every_row
    mine = cells[(cells["editor"] == editors[1]) & (cells["kind"] == "default") & (cells["prompt"] != prompts[0])]
    right = mine[mine["eligible"]].groupby("prompt")["target_effect"].mean().mean()
    plain = mine[mine["eligible"]]["target_effect"].mean()
    assert float(rows[0]["target_effect"]) == pytest.approx(right) or float(rows[0]["target_effect"]) == pytest.approx(
        plain
    )
    for path in (folder / "tables").glob("*.md"):
        if path.stem not in ("recipes", "glossary") and not path.stem.startswith("judges"):
            text = path.read_text()
            assert "(unfinished)" in text.splitlines()[0] and "Unfinished: " in text, path.name


def test_an_editor_that_has_hardly_begun_does_not_spoil_the_others(finished_run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    editors, prompts = names(folder)
    for prompt in prompts[1:]:
        remove(folder, f"{editors[1]}--{prompt}--")
    run = Run(folder)
    assert len(prompts) > 2
    assert editors[1] not in run.editors and set(run.rows["prompt"]) == set(prompts)
    assert run.unfinished.endswith(f"Left out, with too few cells: {editors[1]}.")


def test_every_report_can_be_made_after_the_first_chunk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    editors, prompts = names(folder)
    first = sorted((folder / "chunks").glob(f"{editors[0]}--{prompts[0]}--default*.json"))[0].stem
    for path in (folder / "chunks").iterdir():
        if path.name.partition(".json")[0].partition(".npz")[0].partition(".parquet")[0] != first:
            path.unlink()
    for path in (folder / "counterfactuals").glob("*.npz"):
        if path.stem != prompts[0]:
            path.unlink()
    for place in ("strengths", "costs"):
        shutil.rmtree(folder / place)
    assert main(["report", str(folder)]) == 0
    assert "Unfinished: " in " ".join(capsys.readouterr().out.split())
    assert 'id="unfinished">Unfinished: ' in (folder / "report.html").read_text()
    assert main(["paper", str(folder)]) == 0
    assert "Unfinished: " in (folder / "paper/paper.md").read_text()
    capsys.readouterr()
    assert main(["why", str(folder), f"main:{editors[0]}:default:target_effect"]) == 0


def test_a_damaged_chunk_is_named_and_not_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sorted((folder / "chunks").glob("*.npz"))[0]
    path.write_bytes(b"")
    assert main(["report", str(folder), "--no-figures"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"The chunk {path.stem} of {folder} is not counted: {path.name} is damaged" in told
    assert Run(folder).missing


def test_a_chunk_under_the_name_of_another_is_not_counted(folder: Path) -> None:
    editors, prompts = names(folder)
    chunks = folder / "chunks"
    one, other = (sorted(chunks.glob(f"{editor}--{prompts[0]}--default*.json"))[0].stem for editor in editors[:2])
    for ending in (".json", ".npz", ".parquet"):
        (chunks / f"{one}{ending}").write_bytes((chunks / f"{other}{ending}").read_bytes())
    run = Run(folder)
    fault = f"{one}.json is the file of {other}; give the same `deltabench run` again, which makes it anew."
    assert list(run.damaged) == [f"The chunk {one} of {folder} is not counted: {fault}"]
    counts = run.every_row["editor"].value_counts()
    assert counts[editors[0]] < counts[editors[1]]


def test_a_mean_says_over_how_many_cells_it_is(folder: Path) -> None:
    def note() -> str:
        run = Run(folder)
        return next(note for note in main_table(run, Pool(run)).notes if "the rest over all cells" in note)

    whole = Run(folder).rows
    assert note().endswith("the rest over all cells.")
    changed = 0
    for path in sorted((folder / "chunks").glob("*.parquet"))[::2]:
        cells = pandas.read_parquet(path)
        changed += len(cells)
        cells.assign(outside_psnr_db=np.nan).to_parquet(path, index=False)
    right = f"outside PSNR {len(whole) - changed:,} of {len(whole):,}"
    assert note().endswith(f"the rest over all cells that have it: {right}.")
