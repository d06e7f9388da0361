"""Edits, synthesises, judges and stores the chunks of a run that are missing.

Prompts are the outer loop, because the exact answers to a prompt are rendered and judged once; editors the inner one.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from deltaedit.latents import Latents
from eval.domains.base import Domain, Sources
from eval.editor_spec import EditorSpec
from eval.judging import Answers, JudgedSources, judge_answers, judge_edits, judge_sources, to_uint8
from eval.metrics.runtime import peak_memory_mib
from eval.plan import CALIBRATION_IMAGES, SWEEP, Arguments, Chunk, Strength, chunks, file_name
from eval.progress import Progress
from eval.prompts import Prompt
from eval.store import StorageError, Store
from eval.strength import CalibrationImages, record, sweep, usable
from eval.timed_editor import TimedEditor, clock

KEPT_IMAGES = 16  # of every (editor, prompt, strength), stored as pictures for the grid and the report
UNKNOWN_STRENGTH = float("nan")  # of chunks whose calibration is missing


@dataclass(frozen=True)
class Failure:
    """A chunk that could not be finished.

    Attributes:
        chunk: which.
        sentence: what went wrong, in one line.
    """

    chunk: Chunk
    sentence: str


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
        self._calibration = CalibrationImages(domain)
        self._editors = [
            TimedEditor(spec, domain.editing, arguments.seed, store.read_json(_costs_file(spec.label)))
            for spec in specs
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
        jobs = [(prompt, editor) for prompt in self.arguments.prompts for editor in self._editors]
        with Progress(sum(self._missing(editor, prompt) for prompt, editor in jobs), quiet) as progress:
            for prompt in self.arguments.prompts:
                answers: Answers | None = None
                for editor in self._editors:
                    if not self._missing(editor, prompt):
                        continue
                    progress.describe(f"{prompt.name}, {editor.label}")
                    answers = self._answers(prompt) if answers is None else answers
                    self._work(editor, prompt, answers, progress)
        return self.failures

    def _missing(self, editor: TimedEditor, prompt: Prompt) -> int:
        """Edits still to make for an editor and a prompt, those of calibration included."""
        missing = 0
        for strength in self.arguments.strengths:
            if strength.value is None and self._value(editor, prompt, strength) is None:
                missing += len(SWEEP) * CALIBRATION_IMAGES
            missing += sum(
                chunk.count for chunk in self._chunks(editor, prompt, strength) if not self.store.is_done(chunk)
            )
        return missing

    def _value(self, editor: TimedEditor, prompt: Prompt, strength: Strength) -> float | None:
        """The number, None for a calibration that was not made yet."""
        if strength.value is not None:
            return strength.value
        calibration = self.store.read_json(self.store.strength_file(editor.label, prompt.name))
        return None if calibration is None else float(calibration["chosen"])

    def _chunks(self, editor: TimedEditor, prompt: Prompt, strength: Strength) -> Iterator[Chunk]:
        value = self._value(editor, prompt, strength)
        number = UNKNOWN_STRENGTH if value is None else value
        return chunks(self.arguments, editor.label, prompt.name, strength.kind, number)

    def _work(self, editor: TimedEditor, prompt: Prompt, answers: Answers, progress: Progress) -> None:
        """All missing chunks of an editor and a prompt."""
        done = progress.done + self._missing(editor, prompt)
        try:
            editor.fit(prompt)
            self.store.write_json(_costs_file(editor.label), editor.costs)
        except StorageError:
            raise
        except Exception as error:
            for strength in self.arguments.strengths:
                self._give_up(self._chunks(editor, prompt, strength), error)
        else:
            for strength in self.arguments.strengths:
                self._one_strength(editor, prompt, strength, answers, progress)
        progress.advance(done - progress.done)

    def _one_strength(
        self, editor: TimedEditor, prompt: Prompt, strength: Strength, answers: Answers, progress: Progress
    ) -> None:
        try:
            if self._value(editor, prompt, strength) is None:
                points = sweep(editor, prompt, self._calibration, advance=progress.advance)
                calibration = record(editor.label, prompt.name, points)
                self.store.write_json(self.store.strength_file(editor.label, prompt.name), calibration)
        except StorageError:
            raise
        except Exception as error:
            self._give_up(self._chunks(editor, prompt, strength), error)
            return
        for chunk in self._chunks(editor, prompt, strength):
            if self.store.is_done(chunk):
                continue
            try:
                self._finish(editor, prompt, chunk, answers)
            except StorageError:
                raise
            except Exception as error:
                self._give_up([chunk], error)
            progress.advance(chunk.count)

    def _finish(self, editor: TimedEditor, prompt: Prompt, chunk: Chunk, answers: Answers) -> None:
        """Edit, synthesise, judge and store one chunk, or copy it from the same strength under another name."""
        for strength in self.arguments.strengths:
            if strength.value == chunk.strength and strength.kind != chunk.kind:
                twin = Chunk(chunk.editor, chunk.prompt, strength.kind, chunk.strength, chunk.first, chunk.count)
                if self.store.is_done(twin):
                    self.store.copy_chunk(twin, chunk)
                    return
        device = self.domain.editing.device
        edited, edit_s = editor.edit(self._latents[chunk.rows], prompt, chunk.strength)
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
            self.store.write_arrays("sources.npz", _source_arrays(judged))
        return judged

    def _answers(self, prompt: Prompt) -> Answers:
        """The exact answers to a prompt and their features; stored for the reports."""
        with torch.inference_mode():
            answers = judge_answers(self.domain, "test", self.arguments.images, prompt, self.arguments.batch)
        name = f"references/{file_name(prompt.name)}.npz"
        if not self.store.has(name):
            self.store.write_arrays(name, _answer_arrays(answers))
        return answers


def _source_arrays(judged: JudgedSources) -> dict[str, np.ndarray]:
    return {
        "names": np.array(judged.names),
        "images": to_uint8(judged.originals),
        "reconstructions": to_uint8(judged.reconstructions),
        "logits": np.concatenate([array(logits) for logits in judged.logits.values()], 1),
        "frechet": array(judged.frechet),
        "frechet_originals": array(judged.frechet_originals),
        "identity": array(judged.identity),
    }


def _answer_arrays(answers: Answers) -> dict[str, np.ndarray]:
    arrays = {"region": np.asarray(answers.region), "visible": np.asarray(answers.visible)}
    if answers.images is not None:
        arrays |= {
            "images": to_uint8(answers.images),
            "frechet": array(answers.frechet),
            "identity": array(answers.identity),
        }
    return arrays


def array(value: Tensor | np.ndarray | None) -> np.ndarray:
    """As a NumPy array, on the CPU."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _costs_file(label: str) -> str:
    return f"costs/{file_name(label)}.json"


def failure_lines(failures: Sequence[Failure], folder: object) -> list[str]:
    """One line for each different failure.

    Args:
        failures: of a run.
        folder: of the run.
    """
    groups: dict[tuple[str, str], list[Chunk]] = {}
    for failure in failures:
        groups.setdefault((failure.chunk.editor, failure.sentence), []).append(failure.chunk)
    lines = []
    for (editor, sentence), failed in groups.items():
        prompts = ", ".join(dict.fromkeys(chunk.prompt for chunk in failed))
        noun = "chunk" if len(failed) == 1 else "chunks"
        where = f"{folder}/chunks/{failed[0].id}.error.json"
        lines.append(f"{editor} failed in {len(failed)} {noun} ({prompts}): {sentence}; the traceback is in {where}")
    return lines
