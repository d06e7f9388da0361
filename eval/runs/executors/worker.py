"""Does units of work: holds the networks, the sources and the editors of a run, and writes the chunks that it makes."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from deltaedit.backbones.latents import Latents
from eval.device import clock
from eval.domains.base import Domain, Sources
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor
from eval.judging.apart import check_apart
from eval.judging.cells import JudgedSources, judge_sources
from eval.judging.counterfactuals import Counterfactuals, judge_counterfactuals
from eval.metrics.runtime import load_average, peak_memory_mib
from eval.prompts import Prompt
from eval.runs.arrays import about_counterfactuals, about_sources, counterfactual_arrays, source_arrays
from eval.runs.calibration import CalibrationImages, calibrate, usable
from eval.runs.executors.parts import Edit, judged_chunk
from eval.runs.executors.unit import CALIBRATION, FIT, Outcome, Unit
from eval.runs.plan import AT_ONCE, KEPT_IMAGES, ORACLE, Arguments, Chunk
from eval.runs.store import SOURCES, StorageError, Store
from eval.runs.strengths.matching import stored_value


class Worker:
    """Does one unit after the other.

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
        self._at_once = min(arguments.batch, AT_ONCE)
        check_apart(domain)
        self._prompts = {prompt.name: prompt for prompt in arguments.prompts}
        self._calibration = CalibrationImages(domain, arguments.calibration_images, self._at_once)
        known = {spec.label: store.read_json(store.costs_file(spec.label)) for spec in specs}
        self._editors = {
            spec.label: TimedEditor(spec, domain.editing, arguments.seed, known[spec.label], domain.judges)
            for spec in specs
        }
        self._known: tuple[str, Counterfactuals] | None = None  # the prompt that was judged last

    def do(self, unit: Unit) -> Outcome:
        """Do a unit; whatever goes wrong is told in the outcome."""
        prompt = self._prompts[unit.prompt]
        try:
            if unit.editor == ORACLE:
                self._oracle(prompt, _chunk(unit))
                return Outcome(unit)
            editor = self._editors[unit.editor]
            editor.fit(prompt)
            if unit.task == FIT:
                return Outcome(unit, costs=editor.costs)
            if unit.task == CALIBRATION:
                self._calibrate(editor, prompt)
            else:
                self._finish(editor, prompt, _chunk(unit))
        except StorageError as error:
            return Outcome(unit, str(error), stops=True)
        except Exception as error:
            sentence = " ".join(f"{type(error).__name__}: {error}".split())
            return Outcome(unit, sentence, "".join(traceback.format_exception(error)))
        return Outcome(unit)

    def describe(self, prompt: Prompt) -> None:
        """Store what the folder lacks of the sources and of the counterfactuals of a prompt."""
        _ = self._judged, self._counterfactuals(prompt)

    def costs(self, label: str, prompt: Prompt) -> dict[str, Any]:
        """What preparing an editor and fitting it for a prompt costs, with what is known already."""
        self._editors[label].fit(prompt)
        return self._editors[label].costs

    def _calibrate(self, editor: TimedEditor, prompt: Prompt) -> None:
        """Find the strengths that are not known yet."""
        name = self.store.strength_file(editor.label, prompt.name)
        calibrate(
            editor,
            prompt,
            self._calibration,
            self.arguments.goals,
            self.store.read_json(name),
            lambda record: self.store.write_json(name, record),
            self._calibration.right_effect(prompt) if self.arguments.goals else 1.0,
        )

    def _finish(self, editor: TimedEditor, prompt: Prompt, chunk: Chunk) -> None:
        """Edit, synthesise, judge and store one chunk, or copy it from the same strength under another name."""
        if self.store.is_done(chunk):  # by a worker that was lost after it
            return
        done = self._of_same_strength(chunk)
        if done is not None:
            self.store.copy_chunk(done, chunk)
            return
        latents = self._latents[chunk.rows]
        self._judge_and_store(prompt, chunk, lambda rows: editor.edit(latents[rows], prompt, chunk.strength))

    def _of_same_strength(self, chunk: Chunk) -> Chunk | None:
        """A finished chunk of the same strength under another kind."""
        for strength in self.arguments.strengths:
            other = replace(chunk, kind=strength.kind, effect_goal=strength.goal)
            value = strength.value
            if value is None:
                name = self.store.strength_file(chunk.editor, chunk.prompt)
                value = stored_value(self.store.read_json(name), strength.goal)
            if other != chunk and value == chunk.strength and self.store.is_done(other):
                return other
        return None

    def _oracle(self, prompt: Prompt, chunk: Chunk) -> None:
        """The counterfactuals through the inversion, judged like edits: what no editor of this generator can beat."""
        encoder, images = self.domain.editing.encoder, self._counterfactuals(prompt).images
        if encoder is None or images is None:
            return
        wanted, device = images[chunk.rows], self.domain.editing.device

        def invert(rows: slice) -> tuple[Latents, float]:
            began = clock(device)
            with torch.inference_mode():
                edited = Latents.from_w_plus(self.domain.editing.synthesis, encoder(wanted[rows].to(device)))
            return edited, clock(device) - began

        self._judge_and_store(prompt, chunk, invert)

    def _judge_and_store(self, prompt: Prompt, chunk: Chunk, edit: Edit) -> None:
        """Edit, synthesise, judge and store one chunk."""
        kept = max(0, min(KEPT_IMAGES - chunk.first, chunk.count))
        made = judged_chunk(self.domain, self._judged, self._counterfactuals(prompt), prompt, chunk, edit, kept)
        arrays = {**made.arrays, "kept": np.arange(chunk.first, chunk.first + kept)}
        memory = {"load": load_average(), "peak_memory_mib": peak_memory_mib(self.domain.editing.device)}
        self.store.write_chunk(chunk, made.cells, arrays, {**made.costs, **memory})

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
            judged = judge_sources(self.domain, self._sources, self._at_once)
        about = about_sources(self.arguments.images)
        if not self.store.holds(SOURCES, about):
            self.store.write_arrays(SOURCES, source_arrays(judged), about)
        return judged

    def _counterfactuals(self, prompt: Prompt) -> Counterfactuals:
        """The counterfactuals to a prompt and their features; stored for the reports."""
        if self._known is not None and self._known[0] == prompt.name:
            return self._known[1]
        with torch.inference_mode():
            counterfactuals = judge_counterfactuals(self.domain, "test", self.arguments.images, prompt, self._at_once)
        name = self.store.counterfactual_file(prompt.name)
        about = about_counterfactuals(prompt.name, self.arguments.images)
        if not self.store.holds(name, about):
            self.store.write_arrays(name, counterfactual_arrays(counterfactuals), about)
        self._known = prompt.name, counterfactuals
        return counterfactuals


def _chunk(unit: Unit) -> Chunk:
    assert unit.chunk is not None  # of every unit that is neither a fit nor a calibration
    return unit.chunk
