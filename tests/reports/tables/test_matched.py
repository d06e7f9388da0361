"""The table at equal effect: whose numbers are shown, and which letters mark them."""

import csv
import shutil
from types import SimpleNamespace

import pandas
import pytest

from eval.runs.reader import Run
from reports.tables import build_tables, summary, write_tables
from reports.tables.matched import _too_small, matched_table

pytestmark = pytest.mark.slow

DELTAEDIT, GLOBAL, VARIANT = "deltaedit", "styleclip-global", "deltaedit[threshold=0.05]"


class KnownTests:
    """Statistics with p-values that are known: deltaedit differs from both others in AD at 1 σ, nowhere else."""

    def __init__(self):
        self.asked = []

    def compare_editors(self, cells, metrics, *, population):
        goal = cells["effect_goal"].iloc[0]
        self.asked.append((goal, tuple(cells["editor"].unique()), tuple(cells["prompt"].unique()), population))
        a, b = cells["editor"].unique()
        numbers = {"difference": 0.1, "low": 0.0, "high": 0.2, "cells": 10, "images": 5}
        return pandas.DataFrame(
            {"editor_a": a, "editor_b": b, "metric": m, "p": 1e-6 if (goal, m, a) == (1.0, "ad_mean", DELTAEDIT) else 1}
            | numbers
            for m in metrics
        )


@pytest.fixture(scope="module")
def known(opened_matched):
    """Statistics that are known, and the table that they lead to."""
    known = KnownTests()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reports.equal_effect.pairs.compare_editors", known.compare_editors)
        return known, matched_table(opened_matched)


@pytest.fixture(scope="module")
def table(opened_matched):
    return matched_table(opened_matched)


def rows_of(table):
    return {(row["goal"], row["editor"]): row for row in table.data}


def test_letters_follow_the_tests_and_a_is_the_best(known):
    rows = rows_of(known[1])
    means = {editor: rows[1.0, editor]["ad_mean"] for editor in (DELTAEDIT, GLOBAL, VARIANT)}
    alone, shared = ("a", "b") if means[DELTAEDIT] == min(means.values()) else ("b", "a")
    assert rows[1.0, DELTAEDIT]["ad_mean_group"] == alone
    assert rows[1.0, GLOBAL]["ad_mean_group"] == rows[1.0, VARIANT]["ad_mean_group"] == shared
    assert {rows[g, e]["ad_mean_group"] for g in (0.5, 2.0) for e in (DELTAEDIT, GLOBAL, VARIANT)} == {"a"}
    assert rows[1.0, "identity"].get("ad_mean_group") is rows[1.0, "oracle"].get("ad_mean_group") is None


def test_pairs_are_compared_on_the_prompts_that_both_meet(known):
    """The variant misses the third prompt at 1 σ, styleclip-global at 2 σ; so few prompts speak of themselves only."""
    three, two = ("glasses", "smile", "blond-hair"), ("glasses", "smile")
    pairs = [(DELTAEDIT, GLOBAL), (DELTAEDIT, VARIANT), (GLOBAL, VARIANT)]
    shared = {0.5: [three, three, three], 1.0: [three, two, two], 2.0: [two, three, two]}
    assert known[0].asked == [
        (goal, pair, prompts, "these-prompts")
        for goal, sets in shared.items()
        for pair, prompts in zip(pairs, sets, strict=True)
    ]


def test_real_statistics_give_the_same_rows_twice_and_intervals_around_the_means(matched_run, table):
    first, second = table, matched_table(Run(matched_run))
    assert first.csv() == second.csv() and first.markdown() == second.markdown()
    for row in first.data:
        assert row["target_effect_low"] <= row["target_effect"] <= row["target_effect_high"]
        if row["role"] == "compared":
            assert set(row["preservation_group"]) <= set("abc") and row["preservation_group"]


def test_the_md_has_a_block_a_goal_and_names_the_prompts(table):
    text = table.markdown()
    assert "## Effect 1 σ, each editor over the prompts that it meets" in text
    assert "## Effect 1 σ, pairs on the prompts that both meet" in text
    assert "| deltaedit - styleclip-global | 3: glasses, smile, blond-hair |" in text
    assert "| styleclip-global - deltaedit[threshold=0.05] | 2: glasses, smile |" in text
    assert "| identity | floor | 0 |" in text and "| oracle | oracle |" in text
    assert "exactly these prompts" in text


def test_no_row_has_a_column_that_is_not_described(table):
    assert set(table.data[0]) <= set(table.columns)


def test_write_tables_adds_two_and_the_screen_shows_them(matched_run, gaps, tmp_path):
    from rich.console import Console

    folder = shutil.copytree(matched_run, tmp_path / "run")
    names = {path.stem for path in write_tables(folder)}
    assert {"matched", "pareto"} < names
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    run = Run(folder)
    console.print(summary(run, build_tables(run)))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "At equal target effect" in text and "2/3" in text and "oracle" in text
    with (folder / "tables" / "pareto.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (3 * 3 + 2)  # axes x (editors x goals, identity and oracle)
    assert {row["prompts"] for row in rows} == {"2"}
    with (folder / "tables" / "counterfactual.csv").open(encoding="utf-8", newline="") as file:
        assert [row["editor"] for row in csv.DictReader(file)][-1] == "oracle"
    main = (folder / "tables" / "main.csv").read_text(encoding="utf-8")
    assert "matched" not in main and "oracle" not in main


def test_a_goal_at_which_nothing_can_be_shown_is_told():
    cells = pandas.DataFrame({"image": ["a", "b", "c"], "prompt": "hat"})
    level = SimpleNamespace(
        goal=1.0, compared=("x", "y"), cells={"x": cells, "y": cells}, own_prompts=lambda _: ("hat",)
    )
    (sentence,) = _too_small([level], 2)
    assert sentence == (
        "3 images cannot show any difference in 2 tests: the smallest p of their sign flips is 1/4, corrected 0.5. "
        "It takes 7 images."
    )
