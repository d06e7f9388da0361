from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import RecordingArtefacts, TimedEditor, clock, offers_offsets
from eval.prompts import Prompt


class Stopped:
    """Stands for the module ``time``: its clock moves only when somebody sleeps, however loaded the machine is."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


TIME = Stopped()


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.device.time", TIME)
    monkeypatch.setattr("deltaedit.tools.artefacts.time", TIME)


class Slow:
    """Takes known times, and computes an artefact."""

    name: ClassVar[str] = "slow"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = ""

    def prepare(self, domain: EditingDomain) -> None:
        def build() -> dict[str, torch.Tensor]:
            TIME.sleep(0.2)
            return {"x": torch.zeros(1)}

        domain.artefacts.get("slow", {"key": 1}, build)

    def fit(self, prompt: Prompt) -> None:
        TIME.sleep(0.05)

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        TIME.sleep(0.1)
        return latents


SPEC = EditorSpec("slow", Slow, {}, "slow")


def test_the_three_verbs_are_timed_apart(tiny_domain: Any) -> None:
    editor = TimedEditor(SPEC, tiny_domain.editing, 0, None)
    editor.fit(tiny_domain.prompts[0])
    _, edit_s = editor.edit(tiny_domain.test_sources(2).latents, tiny_domain.prompts[0], 1.0)
    assert editor.costs["prepare_here_s"] == pytest.approx(0.2)
    assert editor.costs["fit_here_s"]["glasses"] == pytest.approx(0.05)
    assert edit_s == pytest.approx(0.1)


def test_the_clock_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.device.time", time)
    began = clock(torch.device("cpu"))
    time.sleep(0.02)
    assert clock(torch.device("cpu")) - began >= 0.02


def test_a_loaded_artefact_counts_with_what_it_cost_where_it_was_computed(tiny_domain: Any) -> None:
    TimedEditor(SPEC, tiny_domain.editing, 0, None).fit(tiny_domain.prompts[0])
    editor = TimedEditor(SPEC, tiny_domain.editing, 0, None)
    editor.fit(tiny_domain.prompts[0])
    assert editor.costs["prepare_here_s"] == 0
    assert editor.costs["prepare_s"] == pytest.approx(0.2)
    assert editor.costs["fit_s"] == editor.costs["fit_here_s"]


def test_every_editor_pays_for_the_texts_that_another_has_encoded(
    tiny_domain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tiny_domain.editing.clip
    tokenizer = clip.tokenizer
    monkeypatch.setattr("deltaedit.backbones.clip.time", TIME)
    monkeypatch.setattr(clip, "tokenizer", lambda texts: (TIME.sleep(0.3), tokenizer(texts))[1])

    class Reads(Slow):
        def fit(self, prompt: Prompt) -> None:
            for _ in range(2):  # the second time it is the editor's own
                clip.encode_texts(["a text of this test"])

    costs = []
    for _ in range(2):
        editor = TimedEditor(EditorSpec("reads", Reads, {}, "reads"), tiny_domain.editing, 0, None)
        editor.fit(tiny_domain.prompts[0])
        costs.append((editor.costs["fit_here_s"]["glasses"], editor.costs["fit_s"]["glasses"]))
    assert costs == [pytest.approx((0.3, 0.3)), pytest.approx((0, 0.3))]


def test_costs_of_an_earlier_process_are_kept(tiny_domain: Any) -> None:
    earlier = {"prepare_s": 9.0, "prepare_here_s": 8.0, "fit_s": {"glasses": 7.0}, "fit_here_s": {"glasses": 6.0}}
    editor = TimedEditor(SPEC, tiny_domain.editing, 0, earlier)
    for prompt in tiny_domain.prompts[:2]:
        editor.fit(prompt)
    assert (editor.costs["prepare_s"], editor.costs["prepare_here_s"]) == (9.0, 8.0)
    assert editor.costs["fit_s"]["glasses"] == 7.0
    assert editor.costs["fit_s"]["red-hair"] == pytest.approx(0.05)


def test_recorded_artefacts_sum_only_what_was_loaded(tmp_path: Path) -> None:
    artefacts = RecordingArtefacts(Artefacts(tmp_path))

    def build() -> dict[str, torch.Tensor]:
        TIME.sleep(0.01)
        return {"x": torch.zeros(1)}

    built = artefacts.get("x", {}, build)
    assert artefacts.loaded_cost_s == 0
    artefacts.get("x", {}, build)
    assert artefacts.loaded_cost_s == 0  # built here: the clock has its time already
    later = RecordingArtefacts(Artefacts(tmp_path))
    later.get("x", {}, build)
    assert later.loaded_cost_s == pytest.approx(built.cost_s, abs=1e-3)


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


class Optimises(Slow):
    """Takes long to find an offset, which is the same for every strength."""

    name: ClassVar[str] = "optimises"
    calls: ClassVar[list[int]] = []

    def prepare(self, domain: EditingDomain) -> None:
        self.domain = domain

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        if strength == 0:
            return latents
        moved = latents.w_plus + strength * self.offsets(latents, prompt)
        return Latents.from_w_plus(self.domain.synthesis, moved)

    def offsets(self, latents: Latents, prompt: Prompt) -> torch.Tensor:
        self.calls.append(len(latents))
        TIME.sleep(0.1)
        return torch.sin(latents.w_plus)


class OptimisesStyles(Optimises):
    """Finds its offset in S."""

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return latents.with_s(latents.s + strength * self.offsets(latents, prompt))

    def offsets(self, latents: Latents, prompt: Prompt) -> torch.Tensor:
        self.calls.append(len(latents))
        return torch.sin(latents.s)


@pytest.mark.parametrize("kind", [Optimises, OptimisesStyles])
def test_offsets_are_found_once_and_every_edit_is_the_editors_own(tiny_domain: Any, kind: type[Optimises]) -> None:
    kind.calls.clear()
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(6).latents
    editor = TimedEditor(EditorSpec("x", kind, {}, "x"), tiny_domain.editing, 0, None)
    editor.fit(prompt)
    edits = {s: editor.edit(latents[:4], prompt, s)[0] for s in (0.5, 2.0)}
    assert kind.calls == [4]
    editor.edit(latents[2:], prompt, 1.0)  # other images
    assert kind.calls == [4, 4]
    alone = kind()
    alone.prepare(tiny_domain.editing)
    for strength, edited in edits.items():
        wanted = alone.edit(latents[:4], prompt, strength)
        assert all(torch.equal(getattr(edited, name), getattr(wanted, name)) for name in ("w_plus", "s", "s_rgb"))


def test_an_edit_by_remembered_offsets_is_charged_in_full(tiny_domain: Any) -> None:
    Optimises.calls.clear()
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    editor = TimedEditor(EditorSpec("x", Optimises, {}, "x"), tiny_domain.editing, 0, None)
    editor.fit(prompt)
    seconds = [editor.edit(latents, prompt, strength)[1] for strength in (0.5, 1.0)]
    assert Optimises.calls == [2]
    assert seconds == pytest.approx([0.1, 0.1])
    assert editor.edit(latents, prompt, 0.0)[1] == 0  # nothing to find


def test_another_prompt_finds_its_own_offsets(tiny_domain: Any) -> None:
    Optimises.calls.clear()
    latents = tiny_domain.test_sources(2).latents
    editor = TimedEditor(EditorSpec("x", Optimises, {}, "x"), tiny_domain.editing, 0, None)
    for prompt in tiny_domain.prompts[:2]:
        editor.fit(prompt)
        editor.edit(latents, prompt, 1.0)
    assert Optimises.calls == [2, 2]


def test_offsets_of_another_shape_are_refused(tiny_domain: Any) -> None:
    class Wrong(Optimises):
        def offsets(self, latents: Latents, prompt: Prompt) -> torch.Tensor:
            return latents.s[:, :3]

    editor = TimedEditor(EditorSpec("x", Wrong, {}, "x"), tiny_domain.editing, 0, None)
    editor.fit(tiny_domain.prompts[0])
    with pytest.raises(ValueError, match=r"x\.offsets must return a tensor of shape \(2, .*\) \(W\+\) or \(2, "):
        editor.edit(tiny_domain.test_sources(2).latents, tiny_domain.prompts[0], 1.0)


def test_offsets_with_other_arguments_are_another_method() -> None:
    class Other(Slow):
        def offsets(self, latents: Latents, target: object) -> None: ...

    assert not offers_offsets(Other()) and not offers_offsets(Slow()) and offers_offsets(Optimises())


def test_an_artefact_that_is_loaded_twice_is_charged_once(tmp_path: Path) -> None:
    stored = Artefacts(tmp_path)
    stored.get("slow", {}, lambda: {"x": torch.zeros(1)})
    recording = RecordingArtefacts(stored)
    first = recording.get("slow", {}, dict)
    recording.get("slow", {}, dict)
    assert recording.loaded_cost_s == first.cost_s
    (about,) = recording.seen.values()
    assert (about["file"], about["built_here"]) == (first.path.name, False)
