"""Finishes what is missing in a run folder: hands units of work to an executor and takes note of how they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from eval.domains.base import Domain
from eval.editors.spec import EditorSpec
from eval.progress import Progress
from eval.runs.executors.choice import Executor
from eval.runs.executors.schedule import Schedule
from eval.runs.executors.serial import Serial
from eval.runs.executors.unit import CALIBRATION, FIT, Outcome, Unit
from eval.runs.executors.worker import Worker
from eval.runs.failures import Failure
from eval.runs.plan import ORACLE, Arguments, usual_s
from eval.runs.store import StorageError, Store

EARLY_S = 30.0  # after which a first look is shown, while the rest goes on


class Runner:
    """Finishes what is missing in a run folder.

    Args:
        domain: networks, images and prompts.
        arguments: what the run holds.
        specs: its editors.
        store: its folder, claimed.
        executor: does the work; None: this process does.
    """

    def __init__(
        self,
        domain: Domain,
        arguments: Arguments,
        specs: Sequence[EditorSpec],
        store: Store,
        executor: Executor | None = None,
    ) -> None:
        self.arguments = arguments
        self.store = store
        self.failures: list[Failure] = []
        self._labels = [spec.label for spec in specs]
        self._has_oracle = bool(arguments.goals) and domain.editing.encoder is not None
        self._executor = executor or Serial(Worker(domain, arguments, specs, store))

    def run(self, quiet: bool = False, early: Callable[[], str] | None = None) -> list[Failure]:
        """Finish the run.

        Args:
            quiet: show no progress.
            early: gives a first look at the cells of a run that takes longer than half a minute; '' if it is too early.

        Returns:
            The chunks that failed; the others are stored.

        Raises:
            StorageError: the folder cannot be written.
        """
        labels = [*self._labels, *([ORACLE] if self._has_oracle else [])]
        schedule = Schedule(self.arguments, labels, self.store, self.arguments.strengths)
        return self._work(schedule, labels, quiet, early)

    def calibrate(self, quiet: bool = False) -> list[Failure]:
        """Find the strengths only; ``run`` uses them.

        Args:
            quiet: show no progress.

        Returns:
            The chunks of the first strength of each editor and prompt that could not be calibrated.
        """
        found = [strength for strength in self.arguments.strengths if strength.value is None]
        schedule = Schedule(self.arguments, self._labels, self.store, found, edits=False)
        return self._work(schedule, self._labels, quiet)

    def _work(
        self, schedule: Schedule, labels: Sequence[str], quiet: bool, early: Callable[[], str] | None = None
    ) -> list[Failure]:
        """Do what the schedule holds."""
        due = time.monotonic() + EARLY_S
        prompts = [prompt.name for prompt in self.arguments.prompts]
        missing = {(prompt, label): schedule.missing(label, prompt) for prompt in prompts for label in labels}
        edits = {label: sum(missing[prompt, label] for prompt in prompts) for label in labels}
        with Progress(edits, quiet, usual_s(edits)) as progress:
            shown: tuple[str, str] | None = None

            def begun(unit: Unit) -> None:
                nonlocal shown
                if unit.pair != shown:
                    progress.describe(f"{unit.prompt}, {unit.editor}", unit.editor)
                shown = unit.pair

            with closing(
                self._executor.outcomes(schedule, begun)
            ) as outcomes:  # an error here ends the workers as well
                for outcome in outcomes:
                    unit = outcome.unit
                    self._take(outcome, schedule)
                    given_up = outcome.error and unit.task in (FIT, CALIBRATION)
                    made = missing[unit.pair] if given_up else min(unit.edits, missing[unit.pair])
                    missing[unit.pair] -= made
                    if made:
                        progress.advance(made, unit.editor)
                    if early is not None and not quiet and time.monotonic() > due:
                        due = time.monotonic() + EARLY_S
                        if text := early():
                            progress.say(text)
                            early = None
        return self.failures

    def _take(self, outcome: Outcome, schedule: Schedule) -> None:
        """Store what an outcome says, and tell the schedule."""
        if outcome.stops:
            raise StorageError(outcome.error)
        for chunk in schedule.ended(outcome):
            self.store.write_failure(chunk, outcome.error, outcome.trace)
            self.failures.append(Failure(chunk, outcome.error))
        if outcome.costs is not None:
            name = self.store.costs_file(outcome.unit.editor)
            self.store.write_json(name, joined_costs(self.store.read_json(name), outcome.costs))


def joined_costs(known: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """What several workers measured of one editor: of each number the first.

    >>> joined_costs({"prepare_s": 2.0, "fit_s": {"a": 1.0}}, {"prepare_s": 0.1, "fit_s": {"a": 0.2, "b": 3.0}})
    {'prepare_s': 2.0, 'fit_s': {'a': 1.0, 'b': 3.0}, 'artefacts': []}
    """
    known = known or {}
    joined: dict[str, Any] = {**new, **{key: value for key, value in known.items() if value is not None}}
    for key in ("fit_s", "fit_here_s"):
        if key in joined:
            joined[key] = {**new.get(key, {}), **known.get(key, {})}
    artefacts = [*new.get("artefacts", ()), *known.get("artefacts", ())]
    joined["artefacts"] = list({artefact["file"]: artefact for artefact in artefacts}.values())
    return joined
