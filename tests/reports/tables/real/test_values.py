"""Distances to real pictures that show the value, in a run that knows no counterfactuals."""

import csv
import shutil

import numpy as np
import pytest

from eval.runs.reader import Run
from reports.pool import Pool
from reports.tables.real.values import FEWEST_SAMPLES, SPLITS, real_values_table

PROMPTS = ("glasses", "smile", "blond-hair")


@pytest.fixture(scope="module")
def run(without_counterfactuals, tmp_path_factory):
    """Real pictures of the first prompt, too few of the second, none of the third."""
    folder = shutil.copytree(without_counterfactuals, tmp_path_factory.mktemp("values") / "run")
    features = np.load(folder / "sources.npz")["frechet"]
    rng = np.random.default_rng(3)
    for prompt, count in (("glasses", 30), ("smile", FEWEST_SAMPLES - 1)):
        path = folder / "counterfactuals" / f"{prompt}.npz"
        samples = rng.normal(size=(count, features.shape[1])).astype(np.float16)
        np.savez_compressed(path, region=np.load(path)["region"], samples=samples)
    return Run(folder)


def test_distances_of_equal_n_by_hand(run, gaps):
    """With another distance, |mean of one set - mean of the other|, that a loop here computes as well."""
    table = real_values_table(run, Pool(run))
    rows = {(row["editor"], row["kind"], row["prompt"]): row for row in table.data}
    cells = run.rows[(run.rows["editor"] == "deltaedit") & (run.rows["kind"] == "default")]
    cells = cells[(cells["prompt"] == "glasses") & cells["eligible"].astype(bool)].sort_values("source")
    samples = run.counterfactual("glasses", "samples").astype(np.float32)
    n = min(len(cells), 15)
    sources = cells["source"].to_numpy()[:n]
    edits, unedited = run.features(cells.index.to_numpy()[:n], "frechet"), run.sources("frechet")[sources]
    rng, found = np.random.default_rng(0), []
    for _ in range(SPLITS):
        order = rng.permutation(30)
        real, others = samples[order[:n]].mean(0), samples[order[n : 2 * n]].mean(0)
        found.append([np.abs(each - real).sum() for each in (edits.mean(0), unedited.mean(0), others)])
    row = rows["deltaedit", "default", "glasses"]
    assert (row["n"], row["samples"], row["missing"]) == (n, 30, "")
    assert [row[name] for name in ("distance", "unedited", "floor")] == pytest.approx(np.mean(found, 0), rel=1e-4)
    mean = rows["deltaedit", "default", "mean"]
    assert mean["distance"] == row["distance"]  # no other prompt has a number
    assert len({rows[line.editor, line.kind, "glasses"]["floor"] for line in run.settings}) == 1


def test_where_too_few_are_known_it_says_so(run, gaps):
    table = real_values_table(run, Pool(run))
    few, none = (next(row for row in table.data if row["prompt"] == name) for name in ("smile", "blond-hair"))
    assert few["missing"] == "19 real pictures show it; it takes 20" and "distance" not in few
    assert none["missing"] == "0 real pictures show it; it takes 20"
    lines = {cells[0]: cells for cells in table.blocks[0].rows}
    assert lines["smile"][2:6] == ("", "", "19 real pictures show it; it takes 20", "")


def test_only_where_real_pictures_and_no_counterfactuals_are_known(without_counterfactuals, finished_run, gaps):
    for folder in (without_counterfactuals, finished_run):
        assert real_values_table(Run(folder), Pool(Run(folder))) is None


def test_the_paper_places_it(run, gaps):
    from reports.paper.comparison import real_values_part

    table = real_values_table(run, Pool(run))
    row = next(row for row in table.data if row["prompt"] == "glasses")
    said = f"doing nothing scores {row['unedited']:.1f}, and real pictures {row['floor']:.1f}."
    assert said in real_values_part(run, table).caption


def test_why_and_recipes_know_it(run, gaps):
    from reports.tables import write_tables
    from reports.why.rebuilt import Tables, agrees
    from reports.why.value import find_value

    write_tables(run)
    number = find_value(run.folder, "real_values:deltaedit:default:glasses:distance")
    assert agrees(number.row["distance"], Tables(run).value(number).value)[0]
    with (run.folder / "tables" / "recipes.csv").open(encoding="utf-8") as file:
        ids = {row["column"]: row["id"] for row in csv.DictReader(file) if row["table"] == "real_values"}
    assert len({ids[name] for name in ("distance", "unedited", "floor")}) == 3 and all(ids.values())
