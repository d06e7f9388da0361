"""Distances to original images, in a run that knows no counterfactuals."""

import csv
import json

import numpy as np
import pytest

from eval.runs.reader import Run
from reports.pool import Pool
from reports.tables import write_tables
from reports.tables.real.originals import originals_table

PROMPTS = ("glasses", "smile", "blond-hair")


def gap(first, second):
    return float(np.abs(first.mean(0) - second.mean(0)).sum())


def edits_of(folder, editor, kind):
    edits = {prompt: [None] * 12 for prompt in PROMPTS}
    for path in (folder / "chunks").glob("*.json"):
        info = json.loads(path.read_text())
        if (info["editor"], info["kind"]) == (editor, kind):
            for position, features in enumerate(np.load(path.with_suffix(".npz"))["frechet"]):
                edits[info["prompt"]][info["first"] + position] = features
    return np.array([row for prompt in PROMPTS for row in edits[prompt]])


def test_the_same_persons_and_other_persons(without_counterfactuals, gaps):
    write_tables(without_counterfactuals)
    with (without_counterfactuals / "tables" / "originals.csv").open(encoding="utf-8") as file:
        rows = {(row["editor"], row["kind"]): row for row in csv.DictReader(file)}
    originals = np.load(without_counterfactuals / "sources.npz")["frechet_originals"]
    edits = edits_of(without_counterfactuals, "styleclip-global", "calibrated")
    row = rows["styleclip-global", "calibrated"]
    assert (row["n"], row["others_n"]) == ("36", "18")
    assert float(row["same"]) == pytest.approx(gap(edits, np.tile(originals, (3, 1))), rel=1e-5)
    even = np.arange(36) % 12 % 2 == 0
    crossed = (gap(edits[even], originals[1::2]) + gap(edits[~even], originals[::2])) / 2
    assert float(row["others"]) == pytest.approx(crossed, rel=1e-5)
    assert float(row["floor"]) == pytest.approx(gap(originals[::2], originals[1::2]), rel=1e-5)
    assert ("inversion", "reference") in rows
    assert not (without_counterfactuals / "tables" / "frechet.csv").exists()
    with (without_counterfactuals / "tables" / "recipes.csv").open(encoding="utf-8") as file:
        recipes = {row["column"]: row["id"] for row in csv.DictReader(file) if row["table"] == "originals"}
    assert all(recipes.values()) and recipes["same"] != recipes["others"]


def test_where_answers_are_known_there_is_no_such_table(finished_run, gaps):
    run = Run(finished_run)
    assert originals_table(run, Pool(run)) is None
