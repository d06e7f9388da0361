"""Edits, synthesises, judges and stores the chunks of a run that are missing.

Prompts are the outer loop, because the exact answers to a prompt are rendered and judged once; editors the inner one.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deltaedit.latents import Latents
from eval.domains.base import Domain, Sources
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor, clock
from eval.judging.apart import check_apart
from eval.judging.cells import Answers, JudgedSources, judge_answers, judge_edits, judge_sources
from eval.metrics.runtime import peak_memory_mib
from eval.pixels import to_uint8
from eval.progress import Progress
from eval.prompts import Prompt
from eval.runs.arrays import answer_arrays, array, source_arrays
from eval.runs.calibration import CalibrationImages, calibrate, stored_value, usable
from eval.runs.failures import Failure
from eval.runs.plan import (
    DEFAULT_STRENGTH,
    ORACLE,
    Arguments,
    Chunk,
    Strength,
    calibration_count,
    chunks,
    usual_s,
)
from eval.runs.store import StorageError, Store

KEPT_IMAGES = 16  # of every (editor, prompt, strength), stored as pictures for the grid and the report
UNKNOWN_STRENGTH = float("nan")  # of chunks whose calibration is missing


class Runner:
    """Finishes what is missing in a run folder.

    Args:
        domain: networks, images and prompts.
        arguments: what the run holds.
        specs: its editors.
        store: its folder, claimed.
    """

    def __init__(self, domain: Domain, arguments: Arguments, specs: Sequence[EditorSpec], store: Store) -> None:
        self.domain = domain
        self.arguments = arguments
        self.store = store
        self.failures: list[Failure] = []
        check_apart(domain)
        self._calibration = CalibrationImages(domain, arguments.calibration_images)
        known = {spec.label: store.read_json(store.costs_file(spec.label)) for spec in specs}
        self._editors = [
            TimedEditor(spec, domain.editing, arguments.seed, known[spec.label], domain.judges) for spec in specs
        ]

    def run(self, quiet: bool = False) -> list[Failure]:
        """Finish the run.

        Args:
            quiet: show no progress.

        Returns:
            The chunks that failed; the others are stored.

        Raises:
            StorageError: the folder cannot be written.
        """
        prompts = self.arguments.prompts
        edits = {e.label: sum(self._missing(e, prompt) for prompt in prompts) for e in self._editors}
        if self.arguments.goals:
            edits[ORACLE] = sum(chunk.count for prompt in prompts for chunk in self._oracle_chunks(prompt))
        with Progress(edits, quiet, usual_s(edits)) as progress:
            for prompt in self.arguments.prompts:
                answers: Answers | None = None
                for editor in self._editors:
                    if not self._missing(editor, prompt):
                        continue
                    progress.describe(f"{prompt.name}, {editor.label}", editor.label)
                    answers = self._answers(prompt) if answers is None else answers
                    self._work(editor, prompt, answers, progress)
                if self.arguments.goals and self._oracle_chunks(prompt):
                    progress.describe(f"{prompt.name}, {ORACLE}", ORACLE)
                    answers = self._answers(prompt) if answers is None else answers
                    self._oracle(prompt, answers, progress)
        return self.failures

    def calibrate(self, quiet: bool = False) -> list[Failure]:
        """Find the strengths only; ``run`` uses them.

        Args:
            quiet: show no progress.

        Returns:
            The first chunk of each editor and prompt that could not be calibrated.
        """
        every = [(prompt, editor) for prompt in self.arguments.prompts for editor in self._editors]
        jobs = [job for job in every if not self._is_calibrated(job[1], job[0])]
        each = calibration_count(self.arguments)
        edits = {e.label: each * sum(editor is e for _, editor in jobs) for e in self._editors}
        with Progress(edits, quiet, usual_s(edits)) as progress:
            for number, (prompt, editor) in enumerate(jobs, 1):
                progress.describe(f"{prompt.name}, {editor.label}", editor.label)
                strength = next(strength for strength in self.arguments.strengths if strength.value is None)
                if self._fit(editor, prompt, [strength]):
                    self._calibrate(editor, prompt, [strength], progress)
                progress.advance(number * each - progress.done)
        return self.failures

    def _missing(self, editor: TimedEditor, prompt: Prompt) -> int:
        """Edits still to make for an editor and a prompt, those of calibration included."""
        missing = 0 if self._is_calibrated(editor, prompt) else calibration_count(self.arguments)
        for strength in self.arguments.strengths:
            pending = (chunk for chunk in self._chunks(editor, prompt, strength) if not self.store.is_done(chunk))
            missing += sum(chunk.count for chunk in pending)
        return missing

    def _is_calibrated(self, editor: TimedEditor, prompt: Prompt) -> bool:
        return all(self._value(editor, prompt, strength) is not None for strength in self.arguments.strengths)

    def _calibration_of(self, editor: TimedEditor, prompt: Prompt) -> Any:
        return self.store.read_json(self.store.strength_file(editor.label, prompt.name))

    def _value(self, editor: TimedEditor, prompt: Prompt, strength: Strength) -> float | None:
        """The number, None for a calibration that was not made yet."""
        if strength.value is not None:
            return strength.value
        return stored_value(self._calibration_of(editor, prompt), strength.goal)

    def _chunks(self, editor: TimedEditor, prompt: Prompt, strength: Strength) -> Iterator[Chunk]:
        value = self._value(editor, prompt, strength)
        number = UNKNOWN_STRENGTH if value is None else value
        return chunks(self.arguments, editor.label, prompt.name, strength.kind, number, strength.goal)

    def _work(self, editor: TimedEditor, prompt: Prompt, answers: Answers, progress: Progress) -> None:
        """All missing chunks of an editor and a prompt."""
        done = progress.done + self._missing(editor, prompt)
        if self._fit(editor, prompt, self.arguments.strengths):
            known = [strength for strength in self.arguments.strengths if strength.value is not None]
            found = [strength for strength in self.arguments.strengths if strength.value is None]
            for strength in known:
                self._one_strength(editor, prompt, strength, answers, progress)
            if self._calibrate(editor, prompt, found, progress):
                for strength in found:
                    self._one_strength(editor, prompt, strength, answers, progress)
        progress.advance(done - progress.done)

    def _fit(self, editor: TimedEditor, prompt: Prompt, strengths: Sequence[Strength]) -> bool:
        """Whether the editor could be prepared and fitted; if not, the chunks of these strengths are given up."""

        def fit() -> None:
            editor.fit(prompt)
            self.store.write_json(self.store.costs_file(editor.label), editor.costs)

        return self._tried(fit, lambda: self._chunks_at(editor, prompt, strengths))

    def _calibrate(
        self, editor: TimedEditor, prompt: Prompt, strengths: Sequence[Strength], progress: Progress
    ) -> bool:
        """Find the strengths that are not known yet; on failure, the chunks of these strengths are given up."""
        if not strengths or self._is_calibrated(editor, prompt):
            return True
        name, stored = self.store.strength_file(editor.label, prompt.name), self._calibration_of(editor, prompt)
        given = (editor, prompt, self._calibration, self.arguments.goals, stored)
        return self._tried(
            lambda: calibrate(*given, lambda record: self.store.write_json(name, record), progress.advance),
            lambda: self._chunks_at(editor, prompt, strengths),
        )

    def _one_strength(
        self, editor: TimedEditor, prompt: Prompt, strength: Strength, answers: Answers, progress: Progress
    ) -> None:
        for chunk in self._chunks(editor, prompt, strength):
            if self.store.is_done(chunk):
                continue
            self._tried(partial(self._finish, editor, prompt, chunk, answers), partial(list, [chunk]))
            progress.advance(chunk.count)

    def _finish(self, editor: TimedEditor, prompt: Prompt, chunk: Chunk, answers: Answers) -> None:
        """Edit, synthesise, judge and store one chunk, or copy it from the same strength under another name."""
        for strength in self.arguments.strengths:
            other = replace(chunk, kind=strength.kind, effect_goal=strength.goal)
            same = other != chunk and self._value(editor, prompt, strength) == chunk.strength
            if same and self.store.is_done(other):
                self.store.copy_chunk(other, chunk)
                return
        edited, edit_s = editor.edit(self._latents[chunk.rows], prompt, chunk.strength)
        self._judge_and_store(prompt, chunk, answers, edited, edit_s)

    def _oracle_chunks(self, prompt: Prompt) -> list[Chunk]:
        """What the oracle still has to do; nothing in a domain that cannot invert, or knows no exact answers."""
        if self.domain.editing.encoder is None:
            return []
        every = chunks(self.arguments, ORACLE, prompt.name, ORACLE, DEFAULT_STRENGTH)
        return [chunk for chunk in every if not self.store.is_done(chunk)]

    def _oracle(self, prompt: Prompt, answers: Answers, progress: Progress) -> None:
        """The exact answers through the inversion, judged like edits: what no editor of this generator can beat."""
        encoder = self.domain.editing.encoder
        for chunk in self._oracle_chunks(prompt):
            if encoder is not None and answers.images is not None:
                images = answers.images[chunk.rows]
                self._tried(partial(self._invert, encoder, images, prompt, chunk, answers), partial(list, [chunk]))
            progress.advance(chunk.count)

    def _invert(
        self, encoder: Callable[[Tensor], Tensor], images: Tensor, prompt: Prompt, chunk: Chunk, answers: Answers
    ) -> None:
        device = self.domain.editing.device
        began = clock(device)
        with torch.inference_mode():
            edited = Latents.from_w_plus(self.domain.editing.synthesis, encoder(images.to(device)))
        self._judge_and_store(prompt, chunk, answers, edited, clock(device) - began)

    def _judge_and_store(self, prompt: Prompt, chunk: Chunk, answers: Answers, edited: Latents, edit_s: float) -> None:
        """Synthesise, judge and store the edits of one chunk."""
        device = self.domain.editing.device
        with torch.inference_mode():
            began = clock(device)
            images = self.domain.editing.images(edited)
            synthesised = clock(device)
            rows, features = judge_edits(self.domain, self._judged, answers, prompt, chunk.rows, images)
            judged = clock(device)
        kept = max(0, min(KEPT_IMAGES - chunk.first, chunk.count))
        arrays = {
            "images": to_uint8(images[:kept]),
            "kept": np.arange(chunk.first, chunk.first + kept),
            "latents_s": array(edited.s[:kept]),
            **{name: array(value) for name, value in features.items()},
        }
        costs = {
            "edit_s": edit_s,
            "synthesis_s": synthesised - began,
            "judge_s": judged - synthesised,
            "peak_memory_mib": peak_memory_mib(),
        }
        self.store.write_chunk(chunk, rows, arrays, costs)

    def _tried(self, work: Callable[[], object], failed: Callable[[], Iterable[Chunk]]) -> bool:
        """Whether ``work`` was done; if not, the chunks of ``failed`` are given up."""
        try:
            work()
        except StorageError:
            raise
        except Exception as error:
            self._give_up(failed(), error)
            return False
        return True

    def _chunks_at(self, editor: TimedEditor, prompt: Prompt, strengths: Sequence[Strength]) -> Iterator[Chunk]:
        for strength in strengths:
            yield from self._chunks(editor, prompt, strength)

    def _give_up(self, failed: Iterable[Chunk], error: Exception) -> None:
        """Record the error for each of these chunks that is not done."""
        text = "".join(traceback.format_exception(error))
        sentence = " ".join(f"{type(error).__name__}: {error}".split())
        for chunk in failed:
            if not self.store.is_done(chunk):
                self.store.write_failure(chunk, sentence, text)
                self.failures.append(Failure(chunk, sentence))

    @cached_property
    def _latents(self) -> Latents:
        return usable(self._sources.latents)

    @cached_property
    def _sources(self) -> Sources:
        return self.domain.test_sources(self.arguments.images)

    @cached_property
    def _judged(self) -> JudgedSources:
        """The sources with everything that is measured on them once; stored for the reports."""
        with torch.inference_mode():
            judged = judge_sources(self.domain, self._sources, self.arguments.batch)
        if not self.store.has("sources.npz"):
            self.store.write_arrays("sources.npz", source_arrays(judged))
        return judged

    def _answers(self, prompt: Prompt) -> Answers:
        """The exact answers to a prompt and their features; stored for the reports."""
        with torch.inference_mode():
            answers = judge_answers(self.domain, "test", self.arguments.images, prompt, self.arguments.batch)
        name = self.store.reference_file(prompt.name)
        if not self.store.has(name):
            self.store.write_arrays(name, answer_arrays(answers))
        return answers
