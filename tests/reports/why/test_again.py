"""Every value of every described table is found a second time; a value or a cell that was changed shows."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from eval import statistics
from eval.metrics.frechet import frechet_distance
from eval.metrics.set_distances import SetDistances
from eval.runs.reader import Run
from reports.tables import write_tables
from reports.why.again import agrees
from reports.why.columns import LABEL, column_of
from reports.why.explain import explain
from reports.why.files import Files
from reports.why.frechet_again import distance
from reports.why.value import KEYS, Asked, find_value, read_table

NOT_AGAIN = ("_low", "_high", "_floor", "_extrapolated")  # of the Fréchet distances: there is no second way


class Distances:
    """The harness's own Fréchet distance; the other distances are not looked at here."""

    distance = staticmethod(frechet_distance)

    def __init__(self, gaps):
        self.gaps = gaps

    def __getattr__(self, name):
        return getattr(self.gaps, name)


@pytest.fixture(scope="module")
def reported(finished_run, gaps, tmp_path_factory):
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("why") / "run")
    write_tables(folder, Distances(gaps))
    return folder


@pytest.fixture(scope="module")
def reported_matched(matched_run, gaps, tmp_path_factory):
    folder = shutil.copytree(matched_run, tmp_path_factory.mktemp("why") / "matched")
    write_tables(folder, Distances(gaps), statistics)
    return folder


def every_value(folder, table):
    for row in read_table(folder, table):
        for column in row:
            if column not in KEYS[table]:
                yield Asked(table, row, column)


def differing(folder, table, found=None):
    """Names of the values that do not agree, and how many do."""
    wrong, right, files = [], 0, Files(folder)
    for asked in every_value(folder, table):
        again = explain(files, asked, found)["recomputed"]
        kind = column_of(table, asked.column, "fd_avatars").kind
        if again["agrees"] is None:
            assert kind == LABEL or (kind == "frechet" and asked.column.endswith(NOT_AGAIN)), asked.name
        elif again["agrees"]:
            right += 1
        else:
            wrong.append((asked.name, asked.row[asked.column], again))
    return wrong, right


@pytest.mark.parametrize("table", ["main", "prompts", "counterfactual", "runtime", "strengths"])
def test_every_value_is_explained_and_found_again(reported, table):
    wrong, right = differing(reported, table)
    assert wrong == []
    assert right > 20


def test_every_distance_between_sets_is_found_again(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    rng = np.random.default_rng(3)
    for path in (folder / "sources.npz", *folder.glob("references/*.npz"), *folder.glob("chunks/*.npz")):
        with np.load(path) as stored:
            arrays = dict(stored)
        features = rng.standard_normal((len(arrays["frechet"]), 6))
        clip = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
        np.savez(path, **arrays, clip=clip)
    write_tables(folder, SetDistances())
    wrong, right = differing(folder, "frechet")
    assert wrong == []
    rows = read_table(folder, "frechet")
    assert right == 6 * len(rows)  # n, persons, different, the distance, KID, CMMD
    found = explain(Files(folder), Asked("frechet", rows[0], "kid"))
    assert found["recomputed"]["value"] == pytest.approx(float(rows[0]["kid"]), rel=1e-6)
    assert "person by person" in found["recomputed"]["how"]


@pytest.mark.parametrize("table", ["matched", "pareto"])
def test_every_value_at_equal_effect_is_found_again(reported_matched, table):
    wrong, right = differing(reported_matched, table, statistics)
    assert wrong == []
    assert right > 100


def test_flip_rates_and_effects_are_found_again(reported):
    files = Files(reported)
    rows = [row for row in read_table(reported, "attributes") if row["editor"] == "deltaedit"]
    for row in rows[::3]:
        for column in ("eligible", "flip_rate", "flip_rate_low", "effect", "effect_high"):
            found = explain(files, Asked("attributes", row, column))["recomputed"]
            assert found["agrees"], (row, column, found)


def test_a_number_that_was_changed_in_the_table_shows(reported, tmp_path):
    folder = shutil.copytree(reported, tmp_path / "run")
    path = folder / "tables" / "main.csv"
    rows = read_table(folder, "main")
    rows[0]["kept"] = repr(float(rows[0]["kept"]) + 1e-6)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = explain(Files(folder), find_value(folder, "main:deltaedit:default:kept"))["recomputed"]
    assert found["agrees"] is False
    assert found["difference"] == pytest.approx(1e-6, rel=1e-3)
    assert explain(Files(folder), find_value(folder, "main:deltaedit:default:success"))["recomputed"]["agrees"]


def test_a_cell_that_was_changed_after_the_report_shows(reported, tmp_path):
    folder = shutil.copytree(reported, tmp_path / "run")
    path = next((folder / "chunks").glob("deltaedit--glasses--default-1--00000.parquet"))
    cells = pd.read_parquet(path)
    cells.loc[1, "identity"] += 0.36
    cells.to_parquet(path)
    found = explain(Files(folder), find_value(folder, "main:deltaedit:default:identity"))["recomputed"]
    assert found["agrees"] is False
    assert found["difference"] == pytest.approx(0.36 / 36)  # 3 prompts x 12 images


def test_the_second_formula_of_the_distance_is_that_of_the_definition():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    for count in (4, 40):  # fewer and more images than features
        one, other = rng.standard_normal((count, 7)), rng.standard_normal((count, 7)) * 2 + 1
        sigma, sigma_other = np.cov(one.T), np.cov(other.T)
        root = sqrtm(sigma @ sigma_other).real
        expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(sigma + sigma_other - 2 * root)
        assert distance(one, other) == pytest.approx(expected, rel=1e-5)


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


def test_older_folders_without_goals_and_editors_are_explained(reported):
    manifest = json.loads((reported / "manifest.json").read_text())
    assert "editors" not in manifest
    found = explain(Files(reported), find_value(reported, "main:deltaedit:default:success"))
    assert (found["editor"], found["determinism"]) == ({}, "not checked")
    assert Run(reported).manifest["schema"] == 1
