"""Which unit comes next: an editor is fitted for a prompt before it edits, calibrated before it uses what was found.

Prompts are the outer loop, because the counterfactuals to a prompt are rendered and judged once; editors the inner one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from eval.runs.executors.unit import CALIBRATION, CHUNK, FIT, Outcome, Unit
from eval.runs.plan import DEFAULT_STRENGTH, ORACLE, Arguments, Chunk, Strength, calibration_count, chunks
from eval.runs.store import Store
from eval.runs.strengths.matching import stored_value

MOST_LOSSES = 2  # workers that a unit may kill before it counts as failed
UNKNOWN_STRENGTH = float("nan")  # of chunks whose calibration is missing


@dataclass
class _Pair:
    """An editor with a prompt: what may be done now, what is being done, and what waits for it."""

    editor: str
    prompt: str
    ready: list[Unit] = field(default_factory=list)
    running: list[Unit] = field(default_factory=list)


class Schedule:
    """The units that are missing in a run folder.

    Args:
        arguments: of the run.
        labels: its editors, in order; that of the oracle last where the run has one.
        store: its folder.
        strengths: those to finish; the others are not looked at.
        edits: False to calibrate only.
    """

    def __init__(
        self,
        arguments: Arguments,
        labels: Sequence[str],
        store: Store,
        strengths: Sequence[Strength],
        edits: bool = True,
    ) -> None:
        self._arguments, self._store, self._edits = arguments, store, edits
        self._known = [strength for strength in strengths if strength.value is not None and edits]
        self._found = [strength for strength in strengths if strength.value is None]
        self._losses: Counter[Unit] = Counter()
        self._running: Counter[str] = Counter()  # units of each editor that are being done
        self._prepared: set[str] = {ORACLE}
        self._labels = labels
        self._pairs: dict[tuple[str, str], _Pair] = {}  # those with something left to do
        self._last: dict[int, tuple[str, str]] = {}  # worker -> the pair that it worked on last
        self._attribute = {prompt.name: prompt.attribute for prompt in arguments.prompts}
        for prompt in arguments.prompts:
            for label in labels:
                pair = _Pair(label, prompt.name)
                missing = self.missing(label, prompt.name)
                if missing and label == ORACLE:
                    pair.ready = self._oracle_units(prompt.name)
                elif missing:
                    pair.ready = [Unit(FIT, label, prompt.name)]
                if pair.ready:
                    self._pairs[prompt.name, label] = pair

    def missing(self, editor: str, prompt: str) -> int:
        """Edits still to make for an editor and a prompt, about, those of calibration included."""
        if editor == ORACLE:
            return sum(unit.edits for unit in self._oracle_units(prompt))
        sweep = 0 if self._is_calibrated(editor, prompt) else calibration_count(self._arguments)
        strengths = [*self._known, *self._found] if self._edits else []
        pending = (chunk for strength in strengths for chunk in self._pending(editor, prompt, strength))
        return sweep + sum(chunk.count for chunk in pending)

    def take(self, worker: int = 0) -> Unit | None:
        """The next unit for a worker; None where nothing may be done now.

        A worker stays with its pair, its prompt, its attribute as long as it can: fits and counterfactuals are made
        once, and the counterfactuals of all values of an attribute serve all its prompts.

        Args:
            worker: its number.
        """
        mine = self._last.get(worker, ("", ""))
        others = {pair for number, pair in self._last.items() if number != worker}
        attribute, known = self._attribute.get(mine[0]), {self._attribute[prompt] for prompt, _ in others}

        def distance(pair: _Pair) -> tuple[bool, bool, bool, bool, bool]:
            place, asked = (pair.prompt, pair.editor), self._attribute[pair.prompt]
            return place != mine, place in others, pair.prompt != mine[0], asked != attribute, asked in known

        # Nearly always it stays with its pair or prompt; only otherwise all pairs, which may be many, are looked at.
        near = [mine, *((mine[0], label) for label in self._labels if (mine[0], label) not in others)]
        place = next(filter(self._may_be_taken, near), None)
        places = filter(self._may_be_taken, self._pairs) if place is None else [place]
        pair = min((self._pairs[place] for place in places), key=distance, default=None)
        if pair is None:
            return None
        unit = pair.ready.pop(0)
        self._begin(pair, unit)
        self._last[worker] = unit.pair
        return unit

    def _begin(self, pair: _Pair, unit: Unit) -> None:
        pair.running.append(unit)
        self._running[unit.editor] += 1

    def _end(self, pair: _Pair, unit: Unit) -> None:
        pair.running.remove(unit)
        self._running[unit.editor] -= 1

    def _may_be_taken(self, place: tuple[str, str]) -> bool:
        """Not while another worker is preparing the editor: what one has prepared, the others need not compute."""
        pair = self._pairs.get(place)
        return bool(pair and pair.ready) and (place[1] in self._prepared or not self._running[place[1]])

    def ended(self, outcome: Outcome) -> list[Chunk]:
        """Take note of an outcome; what it makes possible may be taken from now on.

        Returns:
            The chunks that are given up because of it.
        """
        unit, pair = outcome.unit, self._pairs[outcome.unit.pair]
        self._end(pair, unit)
        given_up = self._go_on(outcome, pair)
        if not pair.ready and not pair.running:
            del self._pairs[unit.pair]
        return given_up

    def _go_on(self, outcome: Outcome, pair: _Pair) -> list[Chunk]:
        """What an outcome makes possible for its pair, and the chunks that are given up."""
        unit = outcome.unit
        if unit.task == CHUNK:
            return [unit.chunk] if outcome.error and unit.chunk is not None else []
        if outcome.error:
            pair.ready = [] if unit.task == FIT else pair.ready
            lost = [*self._known, *self._found] if unit.task == FIT else self._found
            lost = lost if self._edits else lost[:1]
            return [chunk for s in lost for chunk in self._pending(unit.editor, unit.prompt, s)]
        self._prepared.add(unit.editor)
        if unit.task == FIT:
            pair.ready += self._units(unit, self._known)
            if not self._is_calibrated(*unit.pair[::-1]):
                pair.ready.append(Unit(CALIBRATION, unit.editor, unit.prompt, calibration_count(self._arguments)))
                return []
        pair.ready += self._units(unit, self._found) if self._edits else []
        return []

    def lost(self, unit: Unit) -> Outcome | None:
        """Take note that the worker of a unit was lost: the unit is to be done again, but not for ever.

        Returns:
            The failure of a unit that lost its worker too often; tell it to ``ended``.
        """
        self._losses[unit] += 1
        if self._losses[unit] < MOST_LOSSES:
            pair = self._pairs[unit.pair]
            self._end(pair, unit)
            pair.ready.insert(0, unit)
            return None
        what = "chunk" if unit.task == CHUNK else unit.task
        return Outcome(
            unit,
            f"The worker of this {what} ended {MOST_LOSSES} times without an answer (killed, or out of memory?); "
            "give the same command again with fewer --workers or a smaller --batch.",
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing is left and nothing is being done."""
        return not self._pairs

    def _units(self, of: Unit, strengths: Iterable[Strength]) -> list[Unit]:
        return [
            Unit(CHUNK, of.editor, of.prompt, chunk.count, chunk)
            for strength in strengths
            for chunk in self._pending(of.editor, of.prompt, strength)
        ]

    def _oracle_units(self, prompt: str) -> list[Unit]:
        every = chunks(self._arguments, ORACLE, prompt, ORACLE, DEFAULT_STRENGTH)
        pending = (chunk for chunk in every if not self._store.is_done(chunk))
        return [Unit(CHUNK, ORACLE, prompt, chunk.count, chunk) for chunk in pending]

    def _pending(self, editor: str, prompt: str, strength: Strength) -> Iterator[Chunk]:
        """The chunks of a strength that are not stored."""
        value = self._value(editor, prompt, strength)
        number = UNKNOWN_STRENGTH if value is None else value
        every = chunks(self._arguments, editor, prompt, strength.kind, number, strength.goal)
        return (chunk for chunk in every if not self._store.is_done(chunk))

    def _is_calibrated(self, editor: str, prompt: str) -> bool:
        return all(self._value(editor, prompt, strength) is not None for strength in self._found)

    def _value(self, editor: str, prompt: str, strength: Strength) -> float | None:
        """The number, None for a calibration that was not made yet."""
        if strength.value is not None:
            return strength.value
        return stored_value(self._store.read_json(self._store.strength_file(editor, prompt)), strength.goal)
