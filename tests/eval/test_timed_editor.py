from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from deltaedit.artefacts import Artefacts
from deltaedit.domain import EditingDomain
from deltaedit.latents import Latents
from eval.editor_spec import EditorSpec
from eval.prompts import Prompt
from eval.timed_editor import RecordingArtefacts, TimedEditor


class Slow:
    """Takes known times, and computes an artefact."""

    name: ClassVar[str] = "slow"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = ""

    def prepare(self, domain: EditingDomain) -> None:
        def build() -> dict[str, torch.Tensor]:
            time.sleep(0.2)
            return {"x": torch.zeros(1)}

        domain.artefacts.get("slow", {"key": 1}, build)

    def fit(self, prompt: Prompt) -> None:
        time.sleep(0.05)

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        time.sleep(0.1)
        return latents


SPEC = EditorSpec("slow", Slow, {}, "slow")


def test_the_three_verbs_are_timed_apart(tiny_domain: Any) -> None:
    editor = TimedEditor(SPEC, tiny_domain.editing, 0, None)
    editor.fit(tiny_domain.prompts[0])
    _, edit_s = editor.edit(tiny_domain.test_sources(2).latents, tiny_domain.prompts[0], 1.0)
    assert editor.costs["prepare_here_s"] >= 0.2
    assert editor.costs["fit_here_s"]["glasses"] >= 0.05
    assert edit_s >= 0.1


def test_a_loaded_artefact_counts_with_what_it_cost_where_it_was_computed(tiny_domain: Any) -> None:
    TimedEditor(SPEC, tiny_domain.editing, 0, None).fit(tiny_domain.prompts[0])
    editor = TimedEditor(SPEC, tiny_domain.editing, 0, None)
    editor.fit(tiny_domain.prompts[0])
    assert editor.costs["prepare_here_s"] < 0.2 <= editor.costs["prepare_s"]
    assert editor.costs["fit_s"] == editor.costs["fit_here_s"]


def test_costs_of_an_earlier_process_are_kept(tiny_domain: Any) -> None:
    earlier = {"prepare_s": 9.0, "prepare_here_s": 8.0, "fit_s": {"glasses": 7.0}, "fit_here_s": {"glasses": 6.0}}
    editor = TimedEditor(SPEC, tiny_domain.editing, 0, earlier)
    for prompt in tiny_domain.prompts[:2]:
        editor.fit(prompt)
    assert (editor.costs["prepare_s"], editor.costs["prepare_here_s"]) == (9.0, 8.0)
    assert editor.costs["fit_s"]["glasses"] == 7.0
    assert editor.costs["fit_s"]["red-hair"] < 6.0


def test_recorded_artefacts_sum_only_what_was_loaded(tmp_path: Path) -> None:
    artefacts = RecordingArtefacts(Artefacts(tmp_path))

    def build() -> dict[str, torch.Tensor]:
        time.sleep(0.01)
        return {"x": torch.zeros(1)}

    built = artefacts.get("x", {}, build)
    assert artefacts.loaded_cost_s == 0
    artefacts.get("x", {}, build)
    assert artefacts.loaded_cost_s == pytest.approx(built.cost_s, abs=1e-3)


def test_a_preparation_that_failed_is_not_repeated(tiny_domain: Any) -> None:
    tries: list[int] = []

    class Fails(Slow):
        def prepare(self, domain: EditingDomain) -> None:
            tries.append(1)
            raise RuntimeError("no")

    editor = TimedEditor(EditorSpec("fails", Fails, {}, "fails"), tiny_domain.editing, 0, None)
    for prompt in tiny_domain.prompts:
        with pytest.raises(RuntimeError, match="no"):
            editor.fit(prompt)
    assert len(tries) == 1
