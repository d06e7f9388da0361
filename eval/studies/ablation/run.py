"""Trains, calibrates, edits and judges what is missing of an ablation; one file for each arm, seed and prompt.

A file is there whole or not at all, and trained mappers are artefacts, so the same command goes on after a kill.
Seeds are the outer loop: after the first one every arm has been tried.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from typing import Any

import torch

from deltaedit.backbones.latents import Latents
from deltaedit.editor import DeltaEdit, mapper_key, trained_mapper
from deltaedit.tools.domain import EditingDomain
from eval.domains.base import Domain
from eval.editors.isolation import at_work
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor
from eval.errors import unknown
from eval.judging.apart import check_apart
from eval.judging.cells import JudgedSources, judge_edits, judge_sources
from eval.judging.counterfactuals import Counterfactuals, judge_counterfactuals
from eval.judging.recipes import recipes
from eval.judging.scores import BATCH
from eval.judging.synthesis import synthesised
from eval.progress import Progress
from eval.prompts import Prompt
from eval.runs.calibration import CalibrationImages, calibrate, usable
from eval.runs.manifest import commit
from eval.runs.names import file_name
from eval.runs.plan import CALIBRATION_IMAGES, SWEEP
from eval.runs.store import StorageError, Store
from eval.statistics.cells import SHARES
from eval.studies.ablation.plan import FORBIDDEN, Ablation, Arm, chosen
from eval.studies.claim import claim

SCHEMA = 2  # of the folder
RECORD = "ablation.json"
COLUMNS = (  # of the cells that are kept
    *("eligible", "target_effect", "ad_mean", "identity", "directional_judge", *SHARES),
    *("counterfactual_psnr_db", "counterfactual_ssim", "outside_l1", "edit_l1"),
)


@dataclass(frozen=True)
class Job:
    """One prompt with one trained arm."""

    arm: Arm
    seed: int
    prompt: Prompt

    @property
    def file(self) -> str:
        """Where its result is, in the folder."""
        return f"cells/{file_name(self.arm.label)}--seed{self.seed}--{file_name(self.prompt.name)}.json"


def jobs(ablation: Ablation, prompts: Sequence[Prompt]) -> Iterator[Job]:
    """Everything that an ablation holds, in the order in which it is done."""
    for seed in ablation.seeds:
        for arm in ablation.arms:
            for prompt in prompts:
                yield Job(arm, seed, prompt)


def record(domain: Domain, ablation: Ablation) -> dict[str, Any]:
    """What the folder says about itself; all but the commit must be the same for a run to go on."""
    return {
        "schema": SCHEMA,
        "domain": domain.name,
        "ablation": ablation.as_json(),
        "fingerprints": dict(domain.fingerprints),
        "recipes": recipes(domain),
        "commit": commit(),
    }


def claim_ablation(store: Store, wanted: Mapping[str, Any]) -> None:
    """Make the folder this ablation's, or check that it is; another commit may go on with it.

    Raises:
        UsageError: the folder holds something else.
    """
    claim(store, RECORD, "ablation", wanted, free=("commit",))


class AblationRunner:
    """Finishes what is missing.

    Args:
        domain: networks, images and prompts.
        ablation: checked.
        store: its folder, claimed.

    Raises:
        UsageError: the domain has no variant of a name that an arm asks for.
    """

    def __init__(self, domain: Domain, ablation: Ablation, store: Store) -> None:
        check_apart(domain)
        self.domain = domain
        self.ablation = ablation
        self.store = store
        self.prompts = chosen(domain.prompts, ablation)
        self._variants = {name: self._variant(name) for name in {self._name(arm) for arm in ablation.arms}}
        self._calibration = CalibrationImages(domain, ablation.calibration or CALIBRATION_IMAGES)
        self._counterfactuals: dict[str, Counterfactuals] = {}

    def _variant(self, name: str | None) -> EditingDomain:
        editing = self.domain.editing
        if name is not None and name not in editing.variants:
            raise unknown(f"variant of the domain {self.domain.name}", name, editing.variants)
        chosen = editing if name is None else editing.variants[name]()
        # All trainings read the same images; making them takes longer than some trainings.
        return replace(chosen, training_set=cache(chosen.training_set))

    def _name(self, arm: Arm) -> str | None:
        return arm.variant or self.ablation.variant

    def _editing(self, arm: Arm) -> EditingDomain:
        return self._variants[self._name(arm)]

    def run(self, quiet: bool = False) -> list[str]:
        """Finish the ablation.

        Returns:
            One sentence for every arm and seed that failed; the others are stored.

        Raises:
            StorageError: the folder cannot be written.
        """
        missing = [job for job in jobs(self.ablation, self.prompts) if self.store.read_json(job.file) is None]
        groups: dict[tuple[int, str], list[Job]] = {}
        for job in missing:
            groups.setdefault((job.seed, job.arm.label), []).append(job)
        failures = []
        edits = len(SWEEP) * self._calibration.count + self.ablation.images
        untrained = [group[0] for group in groups.values() if self._is_untrained(group[0])]
        if missing and not quiet:
            print(self._cost(untrained, len(missing) * edits), file=sys.stderr, flush=True)
        if untrained:
            self._make_training_sets(untrained, quiet)
        with Progress(len(missing) * edits, quiet) as progress:
            for group in groups.values():
                try:
                    self._work(group, edits, progress)
                except StorageError:
                    raise
                except Exception as error:
                    sentence = " ".join(f"{type(error).__name__}: {error}".split())
                    failures.append(f"The arm '{group[0].arm.label}' with seed {group[0].seed} failed: {sentence}")
        return failures

    def _cost(self, untrained: Sequence[Job], pictures: int) -> str:
        """What is to be done, in one line; a strength that is tried beyond the sweep edits more."""
        editors = [(self._editing(job.arm), self.ablation.editor(job.arm, job.seed)) for job in untrained]
        trainings = {json.dumps(mapper_key(where, each), sort_keys=True): each.steps for where, each in editors}
        steps, count = sum(trainings.values()), len(trainings)
        return f"to do: {steps:,} steps in {count} trainings, {pictures:,} edited pictures or a few more"

    def _is_untrained(self, job: Job) -> bool:
        editing = self._editing(job.arm)
        key = mapper_key(editing, self.ablation.editor(job.arm, job.seed))
        return editing.artefacts.find("delta-mapper", key) is None

    def _make_training_sets(self, untrained: Sequence[Job], quiet: bool) -> None:
        """Once for all trainings, and before the clock starts by which the remaining time is estimated."""
        if not quiet:
            print("making the training set", file=sys.stderr, flush=True)
        for job in untrained:
            self._editing(job.arm).training_set()

    def _work(self, group: Sequence[Job], edits: int, progress: Progress) -> None:
        """All missing prompts of an arm and a seed."""
        editor = self._editor(group[0].arm, group[0].seed, progress)
        for job in group:
            done = progress.done
            progress.describe(f"{job.arm.label}, seed {job.seed}, {job.prompt.name}")
            self.store.write_json(job.file, self._result(job, editor))
            progress.advance(done + edits - progress.done)

    def _editor(self, arm: Arm, seed: int, progress: Progress) -> TimedEditor:
        """The editor of an arm, its mapper trained."""
        name = f"{arm.label}, seed {seed}"
        progress.describe(f"{name}, training")
        settings = self.ablation.editor(arm, seed)
        with at_work(arm.label):  # a training is the editor at work as well
            trained_mapper(
                self._editing(arm),
                settings,
                lambda step, steps, losses: progress.describe(f"{name}, training: step {step} of {steps}"),
            )
        parameters = {**self.ablation.settings, **arm.settings, FORBIDDEN: seed}
        spec = EditorSpec(DeltaEdit.name, DeltaEdit, parameters, arm.label)
        return TimedEditor(spec, self._editing(arm), 0, None, self.domain.judges)

    def _result(self, job: Job, editor: TimedEditor) -> dict[str, Any]:
        """Strengths and cells of a job; no cells where no strength has the effect that is compared at."""
        prompt = job.arm.prompt(job.prompt)  # judges look at the attribute and its value, which are the same
        editor.fit(prompt)
        found: dict[str, Any] = {}
        calibrate(editor, prompt, self._calibration, (float(self.ablation.effect),), None, found.update)
        match = found["matched"][0]
        result = {
            "arm": job.arm.label,
            "seed": job.seed,
            "prompt": job.prompt.name,
            "texts": asdict(prompt),
            "sweep": found["sweep"],
            "match": match,
            "images": list(self._judged.names),
            "cells": {},
        }
        if match["met"]:
            edited, _ = editor.edit(self._latents, prompt, float(match["strength"]))
            result["cells"] = self._cells(job.prompt, edited)
        return result

    def _cells(self, prompt: Prompt, edited: Latents) -> dict[str, list[float]]:
        rows: list[dict[str, Any]] = []
        for start in range(0, self.ablation.images, BATCH):
            block = slice(start, min(start + BATCH, self.ablation.images))
            with torch.inference_mode():
                pictures = synthesised(self.domain.editing, edited[block])
                rows += judge_edits(
                    self.domain, self._judged, self._counterfactuals_of(prompt), prompt, block, pictures
                )[0]
        return {name: [float(row[name]) for row in rows] for name in COLUMNS}

    def _counterfactuals_of(self, prompt: Prompt) -> Counterfactuals:
        if prompt.name not in self._counterfactuals:
            with torch.inference_mode():
                counterfactuals = judge_counterfactuals(self.domain, "test", self.ablation.images, prompt, BATCH)
            self._counterfactuals[prompt.name] = counterfactuals
        return self._counterfactuals[prompt.name]

    @cached_property
    def _judged(self) -> JudgedSources:
        with torch.inference_mode():
            return judge_sources(self.domain, self.domain.test_sources(self.ablation.images), BATCH)

    @cached_property
    def _latents(self) -> Latents:
        return usable(self.domain.test_sources(self.ablation.images).latents)
