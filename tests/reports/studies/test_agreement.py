"""Labels of edits, from the page to the table: blind names, exports, majorities, agreement by hand."""

import csv
import io
import shutil

import numpy as np
import pandas
import pytest
from PIL import Image

from eval.cli import main
from eval.errors import UsageError
from eval.labelling.edits import (
    QUESTION,
    Labelled,
    edit_items,
    labels_of,
    majority,
    name_of,
    pair,
    rater_labels,
    read_export,
    shown_cells,
    write_export,
)
from eval.runs.reader import Run
from reports.studies.agreement import agreement_table

CELLS = [("deltaedit", "smile", "1", f"test-{i:04d}") for i in range(3)]


@pytest.fixture(scope="module")
def judged_run(finished_run, tmp_path_factory):
    """The finished run with verdicts by formula: the counterfactual's is success except on the first image."""
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("judged") / "run")
    for path in (folder / "chunks").glob("*.parquet"):
        cells = pandas.read_parquet(path)
        first = cells["image"] == "test-0000"
        verdicts = {"success_by_attributes": cells["success"], "real": True, "success_by_second": cells["success"]}
        cells.assign(**verdicts, success_by_counterfactual=(cells["success"] ^ first).astype(float)).to_parquet(path)
    return folder


def test_names_tell_nothing_and_edits_are_shown_once(judged_run):
    run = Run(judged_run)
    shown = shown_cells(run)
    assert shown["eligible"].all() and shown["name"].is_unique
    assert list(shown["name"]) == sorted(shown["name"])
    items = edit_items(run, 10)
    assert [item.id for item in items] == list(shown["name"][:10])
    assert not any(editor in item.id for editor in run.editors for item in items)
    row = shown.iloc[0]
    picture = np.asarray(Image.open(io.BytesIO(items[0].picture())))
    before = run.sources("images")[row["source"]]
    assert (picture[0:192:3, 0:192:3] == before).all()  # enlarged three times, nothing else
    place = run.chunk_array(row["chunk"], "kept").tolist().index(row["source"])
    assert (picture[1:192:3, 200:392:3] == run.chunk_array(row["chunk"], "images")[place]).all()


def test_pictures_of_other_sizes_fit():
    large = np.zeros((256, 256, 3), np.uint8)
    assert Image.open(io.BytesIO(pair(large, large, "face"))).size[0] == 2 * 256 + 8


def test_labels_come_back_from_page_and_export(judged_run, tmp_path, capsys):
    folder = shutil.copytree(judged_run, tmp_path / "run")
    run = Run(folder)
    names = [item.id for item in edit_items(run, 4)]
    rater_labels(run, "ann").store(QUESTION, dict(zip(names, [True, False, None, True], strict=True)))
    rater_labels(run, "bob").store(QUESTION, {names[0]: True, names[1]: True})
    found = labels_of(run)
    assert [(one.rater, one.answer) for one in found if name_of(one.cell) == names[1]] == [
        ("ann", False),
        ("bob", True),
    ]
    assert main(["label", str(folder), "--export", str(tmp_path / "all.csv")]) == 0
    assert "6 labels of 2 raters" in capsys.readouterr().out
    assert read_export(tmp_path / "all.csv") == found
    votes = majority(found)
    assert {name_of(cell): vote for cell, vote in votes.items()} == {names[0]: True, names[3]: True}


def test_the_table_counts_by_hand(judged_run):
    run = Run(judged_run)
    cells = run.rows[run.rows["eligible"].astype(bool)]
    table = agreement_table(run, [])
    row = next(row for row in table.data if row["judge"] == "success" and row["editor"] == "deltaedit")
    mine = cells[cells["editor"] == "deltaedit"]
    assert row["yardstick"] == "success_by_counterfactual" and row["cells"] == len(mine)
    assert row["share"] == pytest.approx((mine["image"] != "test-0000").mean())
    said = mine[mine["success"]]
    assert row["confirmed"] == pytest.approx((said["image"] != "test-0000").mean())
    assert row["share_low"] < row["share"] < row["share_high"]


def test_people_are_a_yardstick(judged_run):
    run = Run(judged_run)
    shown = shown_cells(run)
    cell = tuple(shown.loc[0, ["editor", "prompt", "strength", "image"]])
    said = [Labelled(cell, "ann", not shown.loc[0, "success"]), Labelled((*CELLS[0][:3], "elsewhere"), "ann", True)]
    rows = [row for row in agreement_table(run, said).data if row["yardstick"] == "people"]
    mine = {row["judge"]: row for row in rows if row["editor"] == "all editors"}
    same = [cell == tuple(c) for c in run.rows[["editor", "prompt", "strength", "image"]].astype(str).to_numpy()]
    assert mine["success"]["share"] == 0.0 and mine["success"]["cells"] == max(1, sum(same))


def test_the_command(judged_run, tmp_path, capsys):
    folder = shutil.copytree(judged_run, tmp_path / "run")
    assert main(["judges", "--edits", str(folder)]) == 0
    assert "yardstick: the counterfactual" in capsys.readouterr().out
    with open(folder / "tables" / "agreement.csv", newline="") as file:
        assert {row["judge"] for row in csv.DictReader(file)} >= {"success", "real", "success_by_second"}
    assert main(["judges", "--labels", str(tmp_path / "labels.csv")]) == 2
    assert "--labels goes with --edits" in capsys.readouterr().err


def test_mistakes_are_one_sentence(finished_run, tmp_path, capsys):
    assert main(["judges", "--edits", str(finished_run)]) == 2
    assert "neither labels" in capsys.readouterr().err
    assert main(["label", str(finished_run), "--export", str(tmp_path / "x.csv")]) == 2
    assert "has no labels yet" in capsys.readouterr().err
    assert main(["label", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    with pytest.raises(UsageError, match="is no name of a rater"):
        rater_labels(Run(finished_run), "../ann")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("editor,prompt\na,b\n")
    with pytest.raises(UsageError, match="line 2: the columns must be"):
        read_export(wrong)


def test_an_export_is_read_as_written(tmp_path):
    labels = [Labelled(cell, "ann", answer) for cell, answer in zip(CELLS, (True, False, None), strict=True)]
    write_export(tmp_path / "labels.csv", labels)
    assert read_export(tmp_path / "labels.csv") == labels
