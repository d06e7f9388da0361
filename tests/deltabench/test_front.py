"""`import deltabench`: what it gives is what the folder holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import deltabench
from eval import domains
from eval.errors import UsageError
from eval.prompts import Prompt


class Nudge:
    """Moves every style by a fixed share."""

    name, space, paper = "nudge", "S", "none"

    def prepare(self, domain: Any) -> None: ...
    def fit(self, prompt: Any) -> None: ...
    def edit(self, latents: Any, prompt: Any, strength: float) -> Any:
        return latents.with_s(latents.s * (1 + strength / 5))


@pytest.fixture
def run(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> deltabench.Run:
    def tiny(*place: Any) -> Any:
        """A domain in miniature."""
        return tiny_domain

    monkeypatch.setitem(domains.DOMAINS, "tiny", tiny)
    monkeypatch.chdir(tmp_path)
    return deltabench.run([Nudge, "identity"], "tiny", ["glasses", "smile"], 6, strengths="default,2", quiet=True)


def test_tables_are_those_of_the_folder(run: deltabench.Run) -> None:
    assert run.folder.parent.name == "deltabench-runs"
    assert {path.stem for path in (run.folder / "tables").glob("*.md")} == {*run.tables, "glossary"}
    written = pd.read_csv(run.folder / "tables" / "main.csv")
    main = run.tables["main"]
    assert list(main.columns) == list(written.columns)
    np.testing.assert_array_equal(main["edit_l1" if "edit_l1" in main else "success"], written["success"])
    again = deltabench.load_run(str(run.folder)).tables["main"]
    pd.testing.assert_frame_equal(again, main)
    with pytest.raises(UsageError, match="There is no table 'mian'; did you mean 'main'"):
        run.tables["mian"]


def test_cells_pictures_and_figures(run: deltabench.Run) -> None:
    assert len(run.cells) == 2 * 2 * 2 * 6  # editors, prompts, strengths, images
    (chunk,) = (run.folder / "chunks").glob("nudge--smile--2--*.npz")
    with np.load(chunk) as arrays:
        np.testing.assert_array_equal(np.asarray(run.image("nudge", "smile", 3, 2.0)), arrays["images"][3])
    with np.load(run.folder / "sources.npz") as arrays:
        np.testing.assert_array_equal(np.asarray(run.image("original", "smile", "test-0002")), arrays["images"][2])
    (counterfactuals,) = (run.folder / "counterfactuals").glob("smile*.npz")
    with np.load(counterfactuals) as arrays:
        np.testing.assert_array_equal(np.asarray(run.image("counterfactual", "smile", 1)), arrays["images"][1])
    for wrong in (("nudge", "smil"), ("nugde", "smile"), ("nudge", "smile", 6), ("nudge", "smile", 0, "calibrated")):
        with pytest.raises(UsageError):
            run.image(*wrong)
    assert run.figures["runtime"].get_axes()
    with pytest.raises(UsageError, match="There is no figure 'runtme'; did you mean 'runtime'"):
        run.figures["runtme"]


def test_a_notebook_shows_the_main_table(run: deltabench.Run) -> None:
    html = run._repr_html_()
    assert html.count("<tr>") == html.count("</tr>") >= 5
    assert "nudge" in html
    assert "report.html" not in html
    deltabench.report(run.folder, quiet=True)
    assert f'href="{(run.folder / "report.html").resolve().as_uri()}"' in run._repr_html_()


def test_the_same_call_edits_nothing_twice(run: deltabench.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Nudge, "edit", None)  # would fail
    again = deltabench.run([Nudge, "identity"], "tiny", "glasses,smile", 6, strengths="default,2", quiet=True)
    assert again.folder == run.folder


def test_prompts_of_ones_own(run: deltabench.Run) -> None:
    mine = Prompt("mine", "face", "face with a smile", "mouth", "smile")
    own = deltabench.run(Nudge.__module__ and [Nudge], "tiny", [mine], 3, strengths="default", out="own", quiet=True)
    assert json.loads(Path("own/prompts.json").read_text())[0]["target"] == "face with a smile"
    assert set(own.cells["prompt"]) == {"mine"}


def test_comparing(run: deltabench.Run) -> None:
    table = deltabench.compare(run, editors=("nudge", "identity"), metrics=["edit_l1"])
    cells = run.cells
    means = cells[cells["kind"] == "default"].groupby("editor")["edit_l1"].mean()
    row = table[table["setting"] == "default"].iloc[0]
    assert row["difference"] == pytest.approx(means["nudge"] - means["identity"])
    with pytest.raises(UsageError, match="needs a second run, or two editors"):
        deltabench.compare(run)


def test_names() -> None:
    assert set(deltabench.__all__) <= set(dir(deltabench))
    assert isinstance(Nudge(), deltabench.Editor)
    with pytest.raises(AttributeError, match="deltabench has no 'rnu'"):
        deltabench.rnu  # noqa: B018
