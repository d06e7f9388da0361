"""Every value of every described table is what a second implementation gives; a value or a cell that changed shows."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from eval import statistics
from eval.metrics.frechet import frechet_distance
from eval.runs.reader import Run
from reports.tables import write_tables
from reports.tables.columns import LABEL
from reports.tables.recipes import column_of
from reports.why.explain import explain
from reports.why.rebuilt import Tables, agrees
from reports.why.selection import counted_cells, finished_cells
from reports.why.value import KEYS, Number, find_value, read_table
from tests.reports.why.second import values
from tests.reports.why.second.distances import distance
from tests.reports.why.second.files import Files

pytestmark = pytest.mark.slow

NO_SECOND = ("_low", "_high", "_floor", "_extrapolated")  # of the Fréchet distances: there is no second way


@pytest.fixture(scope="module")
def reported(finished_run, tmp_path_factory):
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("why") / "run")
    write_tables(folder)
    return folder


@pytest.fixture(scope="module")
def reported_matched(matched_run, tmp_path_factory):
    folder = shutil.copytree(matched_run, tmp_path_factory.mktemp("why") / "matched")
    write_tables(folder)
    return folder


def every_value(folder, table):
    for row in read_table(folder, table):
        for column in row:
            if column not in KEYS[table]:
                yield Number(table, row, column)


def differing(folder, table, found=None):
    """Names of the values that do not agree with the second implementation or with `why`, and how many do."""
    wrong, right, files, tables = [], 0, Files(folder), Tables(Run(folder))
    for place, number in enumerate(every_value(folder, table)):
        second = values.check(files, number, found)
        made = tables.value(number)
        if not made.found or not agrees(number.row[number.column], made.value)[0]:
            wrong.append((number.name, number.row[number.column], made))
        if place % 23 == 0:  # prime to the numbers of columns: every column comes up somewhere
            told = explain(tables.run, number, tables)
            assert told["formula"]["text"]
            assert told["recomputed"]["agrees"] is not False, number.name
        kind = column_of(table, number.column, "fd_avatars").kind
        if second["agrees"] is None:
            assert kind == LABEL or (kind == "frechet" and number.column.endswith(NO_SECOND)), number.name
        elif second["agrees"]:
            right += 1
        else:
            wrong.append((number.name, number.row[number.column], second))
    return wrong, right


@pytest.mark.parametrize("table", ["main", "prompts", "counterfactual", "runtime", "strengths"])
def test_every_value_is_explained_and_has_a_second_source(reported, table):
    wrong, right = differing(reported, table)
    assert wrong == []
    assert right > 20


def test_every_distance_between_sets_has_a_second_source(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    rng = np.random.default_rng(3)
    for path in (folder / "sources.npz", *folder.glob("counterfactuals/*.npz"), *folder.glob("chunks/*.npz")):
        with np.load(path) as stored:
            arrays = dict(stored)
        features = rng.standard_normal((len(arrays["frechet"]), 6))
        clip = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
        np.savez(path, **arrays, clip=clip)
    write_tables(folder)
    wrong, right = differing(folder, "frechet")
    assert wrong == []
    rows = read_table(folder, "frechet")
    assert right == 6 * len(rows)  # n, persons, different, the distance, KID, CMMD
    number = Number("frechet", rows[0], "kid")
    second = values.check(Files(folder), number)
    assert second["value"] == pytest.approx(float(rows[0]["kid"]), rel=1e-6)
    assert "person by person" in second["how"]


@pytest.mark.parametrize("table", ["matched", "pareto"])
def test_every_value_at_equal_effect_has_a_second_source(reported_matched, table):
    wrong, right = differing(reported_matched, table, statistics)
    assert wrong == []
    assert right > 100


def test_flip_rates_and_effects_have_a_second_source(reported):
    files, tables = Files(reported), Tables(Run(reported))
    rows = [row for row in read_table(reported, "attributes") if row["editor"] == "deltaedit"]
    for row in rows[::3]:
        for column in ("eligible", "flip_rate", "flip_rate_low", "effect", "effect_high"):
            number = Number("attributes", row, column)
            found = values.check(files, number)
            assert found["agrees"], (row, column, found)
            assert explain(tables.run, number, tables)["recomputed"]["agrees"]


@pytest.mark.parametrize("table", ["main", "prompts", "attributes", "counterfactual", "matched", "pareto"])
def test_the_cells_named_are_those_of_the_second_implementation(reported_matched, table):
    files, run = Files(reported_matched), Run(reported_matched)
    numbers = [n for n in every_value(reported_matched, table) if column_of(table, n.column, "fd_avatars").measure]
    for number in numbers[:: max(1, len(numbers) // 40)]:
        column = column_of(table, number.column, "fd_avatars")
        cells = finished_cells(run, table, number.row)
        counted = counted_cells(run, table, number.row, column, cells)
        every, expected = values.cells_of(files, table, number.row, column)
        assert len(cells) == len(every), number.name
        # a reconstruction is the same in every chunk, so that its row may name it from any
        keys = ["source"] if number.row["editor"] == "inversion" else ["chunk", "position"]
        assert sorted(map(tuple, counted[keys].to_numpy())) == sorted(
            map(tuple, expected[keys].to_numpy() if len(expected) else ())
        ), number.name


def test_a_number_that_was_changed_in_the_table_shows(reported, tmp_path):
    folder = shutil.copytree(reported, tmp_path / "run")
    path = folder / "tables" / "main.csv"
    rows = read_table(folder, "main")
    rows[0]["preservation"] = repr(float(rows[0]["preservation"]) + 1e-6)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = explain(Run(folder), find_value(folder, "main:deltaedit:default:preservation"))["recomputed"]
    assert found["agrees"] is False
    assert found["difference"] == pytest.approx(1e-6, rel=1e-3)
    assert explain(Run(folder), find_value(folder, "main:deltaedit:default:success"))["recomputed"]["agrees"]


def test_a_cell_that_was_changed_after_the_report_shows(reported, tmp_path):
    folder = shutil.copytree(reported, tmp_path / "run")
    path = next((folder / "chunks").glob("deltaedit--glasses--default-1--00000.parquet"))
    cells = pd.read_parquet(path)
    cells.loc[1, "identity"] += 0.36
    cells.to_parquet(path)
    found = explain(Run(folder), find_value(folder, "main:deltaedit:default:identity"))["recomputed"]
    assert found["agrees"] is False
    assert found["difference"] == pytest.approx(0.36 / 36)  # 3 prompts x 12 images


def test_a_row_that_the_run_no_longer_has_shows(reported, tmp_path):
    folder = shutil.copytree(reported, tmp_path / "run")
    for path in (folder / "chunks").glob("identity--*"):
        path.unlink()
    for path in (folder / "chunks").glob("styleclip-global--*--calibrated-*"):
        path.unlink()
    number = find_value(folder, "main:styleclip-global:calibrated:preservation")
    found = explain(Run(folder), number)["recomputed"]
    assert (found["value"], found["agrees"]) == (None, False)
    assert "lacks this row" in found["how"]


def test_the_second_formula_of_the_distance_is_that_of_the_definition():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    for count in (4, 40):  # fewer and more images than features
        one, other = rng.standard_normal((count, 7)), rng.standard_normal((count, 7)) * 2 + 1
        sigma, sigma_other = np.cov(one.T), np.cov(other.T)
        root = sqrtm(sigma @ sigma_other).real
        expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(sigma + sigma_other - 2 * root)
        assert distance(one, other) == pytest.approx(expected, rel=1e-5)
        assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "value", "same"),
    [
        ("0.5", 0.5 + 1e-12, True),
        ("0.5", 0.5 + 1e-6, False),
        ("1000000.0", 1000000.0 + 1e-4, True),
        ("inf", float("inf"), True),
        ("n/a", "n/a", True),
        ("n/a", 0.5, False),
        ("", None, True),
        ("0.5", None, False),
        ("", 0.5, False),
        ("True", True, True),
        ("False", True, False),
        ("a", "b", False),
        ("13", 13, True),
    ],
)
def test_agreement(text, value, same):
    assert agrees(text, value, 1e-9)[0] is same
    assert values.agrees(text, value, 1e-9)[0] is same


def test_older_folders_without_goals_and_editors_are_explained(reported):
    manifest = json.loads((reported / "manifest.json").read_text())
    assert "editors" not in manifest
    found = explain(Run(reported), find_value(reported, "main:deltaedit:default:success"))
    assert (found["editor"], found["determinism"]) == ({}, "not checked")
    assert Run(reported).manifest["schema"] == 2
