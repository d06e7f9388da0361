"""What the explorer's controls choose between: strengths of the slider, and sets of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eval.runs.reader import KINDS, Run
from reports.equal_effect.curves import pareto
from reports.equal_effect.prompts import Matched
from reports.figures.pictures.grid import chosen_prompts

EVERY, COMMON = "all", "common"
MOST_PROMPTS = 100  # that a reader can choose between
MOST_ENTRIES = 2000  # editors x stops x prompts: what there is time and room for
FEWEST_PROMPTS = 8


@dataclass(frozen=True)
class Stop:
    """One position of the strength slider: the cells of all editors whose strength was chosen in one way.

    Attributes:
        name: ``default``, ``calibrated``, ``given-2`` or ``matched-0.5``; stands in links.
        kind: one of ``eval.runs.reader.KINDS``.
        label: for readers.
        rows: positions in ``Run.rows``, int64 [n].
        goal: target effect of a matched strength, in the run's unit, otherwise None.
    """

    name: str
    kind: str
    label: str
    rows: np.ndarray
    goal: float | None = None


@dataclass(frozen=True)
class Scope:
    """Prompts that numbers are averaged over.

    Attributes:
        name: ``all``, ``common`` (met by all compared editors at every effect), ``attribute:x`` or ``prompt:x``.
        prompts: their names, in the order of the prompt set.
    """

    name: str
    prompts: tuple[str, ...]


class Choices:
    """Stops and scopes of one run.

    Args:
        run: with at least one finished chunk.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.matched = Matched(run)

    @cached_property
    def stops(self) -> tuple[Stop, ...]:
        """In the order of the slider: default, calibrated, given strengths, matched effects."""
        return tuple(stop for kind in (*(k for k in KINDS if k != "matched"), "matched") for stop in self._of(kind))

    def _of(self, kind: str) -> list[Stop]:
        own = self.run.rows[self.run.rows["kind"] == kind]
        if kind == "given":
            groups = [(f"given-{value:g}", f"strength {value:g}", part) for value, part in own.groupby("strength")]
            return [Stop(name, kind, label, part.index.to_numpy(np.int64)) for name, label, part in groups]
        unit = self.run.effect_unit
        if kind == "matched":
            return [
                Stop(f"matched-{goal:g}", kind, f"effect {goal:g} {unit}", part.index.to_numpy(np.int64), float(goal))
                for goal, part in own.groupby("effect_goal")
            ]
        return [Stop(kind, kind, kind, own.index.to_numpy(np.int64))] if len(own) else []

    @cached_property
    def first(self) -> str:
        """Where the slider stands at first: the published strength, which nobody chose; without it the first stop."""
        return self.stops[0].name

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """All prompts, those of the Pareto curves, each attribute that has several, each prompt that is shown."""
        prompts = [prompt["name"] for prompt in self.run.prompts]
        scopes = [Scope(EVERY, tuple(prompts))]
        if self.common:
            scopes.append(Scope(COMMON, self.common))
        for attribute in dict.fromkeys(prompt["attribute"] for prompt in self.run.prompts):
            mine = tuple(prompt["name"] for prompt in self.run.prompts if prompt["attribute"] == attribute)
            if len(mine) > 1:
                scopes.append(Scope(f"attribute:{attribute}", mine))
        return (*scopes, *(Scope(f"prompt:{prompt['name']}", (prompt["name"],)) for prompt in self.prompts))

    @cached_property
    def prompts(self) -> list[dict[str, str]]:
        """Those with pictures and numbers of their own; of very many the first of each attribute, then others."""
        room = MOST_ENTRIES // (len(self.run.editors) * len(self.stops))
        return chosen_prompts(self.run, min(max(room, FEWEST_PROMPTS), MOST_PROMPTS))

    @property
    def left_out(self) -> str:
        """What the page says of the other prompts; '' where there are none."""
        shown, there = len(self.prompts), len(self.run.prompts)
        if shown == there:
            return ""
        return (
            f"Pictures and numbers of single prompts: of {shown} of the {there:,} prompts, the first of each attribute "
            "and then others. Everything else is over all; tables/prompts.csv and deltabench why have each."
        )

    @cached_property
    def common(self) -> tuple[str, ...]:
        """Prompts that every compared editor meets at every effect drawn; empty without matched strengths."""
        found = pareto(self.matched) if self.run.matched else None
        return found.prompts if found else ()
