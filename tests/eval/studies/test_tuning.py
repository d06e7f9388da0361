"""The rule of `deltabench tune` on numbers worked out by hand, the command, and the table of budgets."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from eval import domains
from eval.cli import main
from eval.studies import tuning
from eval.studies.tuning import GRIDS, Grid, choose
from tests.conftest import build_tiny_domain

DOCS = Path(__file__).parents[3] / "docs"
EDITOR = """
from dataclasses import dataclass

@dataclass
class Nudge:
    size: float = 0.1
    name, space, paper, edited = "nudge", "S", "none", 0

    def prepare(self, domain): ...
    def fit(self, prompt): ...
    def edit(self, latents, prompt, strength):
        Nudge.edited += len(latents)
        return latents.with_s(latents.s * (1 + strength * self.size))
"""


def cells(*successes):
    """One prompt, ten images: the first so many are clean successes."""
    return {
        value: np.array([[float(i < count) for i in range(10)]])
        for value, count in zip(GRIDS["deltaedit"].values, successes, strict=True)
    }


def chosen(*successes):
    (row,) = [row for row in choose("deltaedit", cells(*successes)) if row.chosen]
    return row.value


def test_a_value_within_one_standard_error_of_the_best_and_nearest_to_the_published_is_taken():
    """1 of 10 images differs: mean .1, standard error √(.9 · .1 / 9) = .1: a draw. 2 of 10: .2 and .133: better."""
    assert chosen(3, 8, 9, 5) == 0.03
    assert chosen(3, 7, 9, 5) == 0.06
    assert chosen(9, 3, 5, 9) == 0.01  # as good as 0.1, and one step from 0.03 instead of two
    rows = {row.value: row for row in choose("deltaedit", cells(3, 7, 9, 5))}
    assert rows[0.03].behind == pytest.approx((0.2, np.sqrt(0.2 * 0.8 / 9))) and rows[0.03].published
    assert [row.clean for row in rows.values()] == pytest.approx([0.3, 0.7, 0.9, 0.5])


def test_images_count_once_whatever_prompts_they_have():
    """Two prompts: the second image is eligible for one of them only; its difference is that of this one."""
    best, other = np.array([[1.0, 1.0], [1.0, np.nan]]), np.array([[0.0, 0.0], [1.0, np.nan]])
    assert tuning._behind(best, other) == pytest.approx((0.75, 0.25))


def test_every_published_value_is_on_its_grid_and_the_default_too():
    from eval.editors.registry import load_class
    from eval.editors.spec import parameters_of

    for name, grid in GRIDS.items():
        assert grid.published in grid.values
        known = {parameter.name: parameter for parameter in parameters_of(load_class(name))}
        assert known[grid.parameter].default in (*grid.values, None, "auto")


def test_the_command_chooses_says_how_to_run_and_does_nothing_twice(tmp_path, monkeypatch, capsys):
    domain = build_tiny_domain(tmp_path / "artefacts")
    monkeypatch.setitem(domains.DOMAINS, "tiny", lambda *_: domain)
    (tmp_path / "tuned_here.py").write_text(EDITOR)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tuned_here", raising=False)
    monkeypatch.setattr(tuning, "GRIDS", {"tuned_here:Nudge": Grid("size", (0.1, 0.4), 0.1)})
    command = ["tune", "--methods", "tuned_here:Nudge", "--domain", "tiny", "--prompts", "smile", "--images", "6"]
    command += ["--out", str(tmp_path / "out")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "deltabench run --domain tiny --methods 'tuned_here:Nudge[size=0." in out and "published" in out
    files = sorted((tmp_path / "out" / "found").iterdir())
    assert len(files) == 2
    edited = sys.modules["tuned_here"].Nudge.edited
    assert main(command) == 0 and sys.modules["tuned_here"].Nudge.edited == edited > 0
    assert capsys.readouterr().out == out
    assert main([*command[:-3], "7", *command[-2:]]) == 2
    assert "holds another tuning: images is 6 there, 7 here" in capsys.readouterr().err
    assert main(["tune", "--methods", "deltaedt"]) == 2
    assert "editor with a grid" in capsys.readouterr().err


def test_the_table_of_budgets_is_current(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    page_with, table = importlib.import_module("generated").page_with, importlib.import_module("budgets_table").table
    page = (DOCS / "protocol.md").read_text(encoding="utf-8")
    assert page == page_with(page, "budgets_table.py", table()), "write it anew with `python docs/budgets_table.py`"
