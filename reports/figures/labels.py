"""A run whose names fit into figures: long ones are shortened, letters that no font has become code points."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.letters import drawable, tell_lost
from eval.runs.reader import Run

if TYPE_CHECKING:
    from pandas import DataFrame

    from reports.writers.layout import Table

LONGEST_EDITOR, LONGEST_PROMPT, LONGEST_TEXT = 48, 28, 64  # letters that figures have room for
SHORT_EDITOR, SHORT_PROMPT = 28, 24  # letters of shortened names
MOST_EDITORS, MOST_PROMPTS = 12, 24  # that a page has room for
DIGITS = 4  # of the sha256 that tells shortened names apart


def shortened(name: str, longest: int, short: int) -> str:
    """The first letters of a long name and four digits of its sha256; brackets stay closed.

    Args:
        name: of any length.
        longest: letters that a name may have and stay as it is.
        short: letters of a shortened one.

    >>> shortened("deltaedit", 24, 20), shortened("deltaedit[threshold=0.031,templates=false]", 24, 20)
    ('deltaedit', 'deltaedit[thre…5306]')
    """
    if len(name) <= longest:
        return name
    end = f"…{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}" + ("]" if "[" in name[:short] else "")
    return name[: short - len(end)] + end


class Shortened(Run):
    """A run under shorter names, perhaps with its first editors only; everything else is the run's own.

    Args:
        run: opened.
        most: editors that are shown; None: all. What the others did stays in the cells.
    """

    def __init__(self, run: Run, most: int | None = None) -> None:
        self.most = most
        self.folder, self.manifest, self._run = run.folder, run.manifest, run
        self._editors = {name: shortened(name, LONGEST_EDITOR, SHORT_EDITOR) for name in run.editors}
        self._prompts = {
            prompt["name"]: shortened(drawable(prompt["name"]), LONGEST_PROMPT, SHORT_PROMPT) for prompt in run.prompts
        }

    @cached_property
    def editors(self) -> tuple[str, ...]:
        """As of the run, the first of them."""
        return tuple(self._editors.values())[: self.most]

    @cached_property
    def prompts(self) -> tuple[dict[str, str], ...]:
        """As of the run, the target texts cut."""
        return tuple(
            {**prompt, "name": self._prompts[prompt["name"]], "target": cut(drawable(prompt["target"]), LONGEST_TEXT)}
            for prompt in self._run.prompts
        )

    def _named(self, entries: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        return tuple(
            {
                **entry,
                "editor": self._editors.get(entry["editor"], entry["editor"]),
                "prompt": self._prompts.get(entry["prompt"], entry["prompt"]),
            }
            for entry in entries
        )

    @cached_property
    def chunks(self) -> tuple[dict[str, Any], ...]:
        """As of the run."""
        return self._named(self._run.chunks)

    @cached_property
    def failures(self) -> tuple[dict[str, Any], ...]:
        """As of the run."""
        return self._named(self._run.failures)

    @cached_property
    def sweeps(self) -> tuple[dict[str, Any], ...]:
        """As of the run."""
        return self._named(self._run.sweeps)

    @cached_property
    def costs(self) -> dict[str, dict[str, Any]]:
        """As of the run."""
        return {self._editors[editor]: self._renamed_cost(cost) for editor, cost in self._run.costs.items()}

    def _renamed_cost(self, cost: dict[str, Any]) -> dict[str, Any]:
        times = ("fit_s", "fit_here_s")
        return cost | {
            key: {self._prompts.get(name, name): value for name, value in cost[key].items()}
            for key in times
            if key in cost
        }

    @cached_property
    def rows(self) -> DataFrame:
        """As of the run."""
        return self._renamed(self._run.rows)

    @cached_property
    def oracle(self) -> DataFrame:
        """As of the run."""
        return self._renamed(self._run.oracle)

    def _renamed(self, cells: DataFrame) -> DataFrame:
        if not len(cells):
            return cells
        return cells.assign(
            editor=cells["editor"].map(lambda name: self._editors.get(name, name)),
            prompt=cells["prompt"].map(lambda name: self._prompts.get(name, name)),
        )

    def counterfactual(self, prompt: str, key: str) -> np.ndarray | None:
        """As of the run."""
        return self._run.counterfactual(next(name for name, short in self._prompts.items() if short == prompt), key)

    def table(self, table: Table) -> Table:
        """A table of the run under the shorter names."""
        names = {"editor": self._editors, "prompt": self._prompts}
        return replace(
            table,
            data=tuple(
                {name: names.get(name, {}).get(str(value), value) for name, value in row.items()} for row in table.data
            ),
        )


def cut(text: str, most: int) -> str:
    """A text of at most so many letters.

    >>> cut("face with glasses", 9)
    'face wit…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def left_out(what: str, shown: int, there: int) -> str:
    """What a figure says of what it had no room for; '' where it shows everything.

    >>> left_out("prompts", 24, 1000), left_out("prompts", 16, 16)
    ('Shown: the first 24 of 1,000 prompts; the tables have all.', '')
    """
    return f"Shown: the first {shown} of {there:,} {what}; the tables have all." if shown < there else ""


def for_figures(run: Run, tables: Sequence[Table]) -> tuple[Run, dict[str, Table]]:
    """The run and its tables by name, as figures have room for them: shorter names, the first editors."""
    texts = "".join(prompt["name"] + prompt["target"] for prompt in run.prompts)
    tell_lost(texts)
    long = any(len(name) > LONGEST_EDITOR for name in run.editors) or any(
        len(prompt["name"]) > LONGEST_PROMPT or len(prompt["target"]) > LONGEST_TEXT for prompt in run.prompts
    )
    if not long and drawable(texts) == texts and len(run.editors) <= MOST_EDITORS:
        return run, {table.name: table for table in tables}
    short = Shortened(run, MOST_EDITORS)
    return short, {table.name: short.table(table) for table in tables}
