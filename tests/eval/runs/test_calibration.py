from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from deltaedit.backbones.latents import Latents
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor
from eval.prompts import Prompt
from eval.runs.calibration import CalibrationImages, calibrate, look
from eval.runs.plan import SWEEP
from eval.runs.strengths.matching import stored_value

NAN = float("nan")


class Push:
    """Pushes every style by the strength."""

    name: ClassVar[str] = "push"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = ""

    def prepare(self, domain: object) -> None: ...

    def fit(self, prompt: Prompt) -> None: ...

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return latents.with_s(latents.s * (1 + strength))


class Step(Push):
    """Adds a wave to the styles, whose effect grows with the strength."""

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return latents.with_s(latents.s + 0.3 * strength * torch.sin(torch.arange(latents.s.shape[1])))


def test_the_sweep_is_the_mean_over_eligible_images(tiny_domain: Any, tmp_path: Path) -> None:
    """Against the same numbers computed here from the judge's logits, image by image."""
    prompt = tiny_domain.prompts[0]  # glasses
    editor = TimedEditor(EditorSpec("step", Step, {}, "step"), tiny_domain.editing, 0, None)
    editor.fit(prompt)
    tiny_domain.judges = replace(tiny_domain.judges, same_person=0.6)
    point = look(editor, prompt, CalibrationImages(tiny_domain, 30, batch=7), 2.0).point(2.0)

    latents = tiny_domain.calibration_sources(30).latents
    edited = latents.with_s(latents.s + 0.6 * torch.sin(torch.arange(latents.s.shape[1])))
    before, after = (
        tiny_domain.judges.attributes(((tiny_domain.editing.images(x).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1)
        for x in (latents, edited)
    )
    seen = tiny_domain.visible("calibration", 30, prompt)
    originals = ((tiny_domain.calibration_sources(30).images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    pictures = ((tiny_domain.editing.images(edited).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    persons = [tiny_domain.judges.identity(x) for x in (originals, pictures)]
    success, kept, effect, clean = [], [], [], []
    for i in range(30):
        if before["glasses"][i].argmax() == 1 or not seen[i, 0]:
            continue
        success.append(float(after["glasses"][i].argmax() == 1))
        same = [
            float(before[f][i].argmax() == after[f][i].argmax()) for j, f in ((1, "hair"), (2, "mouth")) if seen[i, j]
        ]
        kept.append(np.mean(same))
        clean.append(success[-1] == 1 and kept[-1] >= 0.9 and float(persons[0][i] @ persons[1][i]) >= 0.6)
        odds = [float(x["glasses"][i, 1] - x["glasses"][i, 0]) for x in (before, after)]
        effect.append((odds[1] - odds[0]) / float(tiny_domain.judges.sigma["glasses"][1]))
    assert 0 < len(success) < 30
    assert (point.strength, point.success, point.preservation) == (2.0, np.mean(success), pytest.approx(np.mean(kept)))
    assert point.effect == pytest.approx(np.mean(effect), rel=1e-4)
    assert point.clean == np.mean(clean)
    assert 0 < sum(clean) < sum(success)


@pytest.mark.parametrize(("goals", "strengths"), [((), {0.5, 1.0, 2.0}), ((0.3,), set(SWEEP))])
def test_what_is_tried_is_kept_as_data(tiny_domain: Any, goals: tuple[float, ...], strengths: set[float]) -> None:
    """All strengths on all images where effects are matched; otherwise few, some on the first images only.

    Edited are those that the judge does not read as having the value already.
    """
    images = CalibrationImages(tiny_domain, 30)
    lacking = (images.logits["glasses"].argmax(1) == 0) & torch.as_tensor(
        images.visible(tiny_domain.prompts[0])[:, list(tiny_domain.factors).index("glasses")]
    )
    first, every = int(lacking[:20].sum()), int(lacking.sum())
    assert 0 < first < every < 30
    editor = TimedEditor(EditorSpec("push", Push, {}, "push"), tiny_domain.editing, 0, None)
    editor.fit(tiny_domain.prompts[0])
    saved: list[dict[str, Any]] = []
    calibrate(editor, tiny_domain.prompts[0], images, goals, None, lambda kept: saved.append(dict(kept)))
    assert strengths <= {point["strength"] for point in saved[0]["sweep"]}
    assert {point["images"] for point in saved[0]["sweep"]} <= ({every} if goals else {first, every})
    assert saved[0]["chosen"] in SWEEP
    assert {"gain", "noise"} <= saved[0].keys()


def test_a_calibration_goes_on_where_it_was_killed(tiny_domain: Any) -> None:
    """Whatever was saved is not judged again, and the end is the same."""
    prompt = tiny_domain.prompts[0]
    editor = TimedEditor(EditorSpec("step", Step, {}, "step"), tiny_domain.editing, 0, None)
    editor.fit(prompt)
    images, goals = CalibrationImages(tiny_domain, 100), (0.3, 1.3)
    saved: list[dict[str, Any]] = []
    calibrate(editor, prompt, images, goals, None, lambda kept: saved.append(dict(kept)))
    assert len(saved[0]["sweep"]) == len(SWEEP) and "matched" not in saved[0]
    assert [found["reached"] for found in saved[-1]["matched"]] == [True, True]
    assert len(saved) == 2 + len(saved[-1]["refined"]) > 2
    for stored in saved:
        later: list[dict[str, Any]] = []
        calibrate(editor, prompt, images, goals, stored, lambda kept, later=later: later.append(dict(kept)))
        assert later[-1] == saved[-1]
        assert len(later) == 1 + len(saved[-1]["refined"]) - len(stored.get("refined", []))


class Wreck(Push):
    """As ``Step``, a hundred times as strong: every strength of the sweep destroys the picture."""

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return Step().edit(latents, prompt, 100 * strength)


def test_an_editor_that_is_too_strong_is_calibrated_below_the_sweep(tiny_domain: Any) -> None:
    """At a hundredth of the strengths at which the gentle one meets the same effects."""
    prompt, images, goals = tiny_domain.prompts[0], CalibrationImages(tiny_domain, 20), (0.3,)
    kept = {}
    for name, cls in (("step", Step), ("wreck", Wreck)):
        editor = TimedEditor(EditorSpec(name, cls, {}, name), tiny_domain.editing, 0, None)
        editor.fit(prompt)
        saved: list[dict[str, Any]] = []
        calibrate(editor, prompt, images, goals, None, lambda found, saved=saved: saved.append(dict(found)))
        kept[name] = saved[-1]
    strengths = [point["strength"] for point in kept["wreck"]["sweep"]]
    assert strengths == sorted(strengths) and strengths[0] < 0.25 and strengths[-len(SWEEP) :] == list(SWEEP)
    assert kept["wreck"]["sweep"][0]["preservation"] >= 0.9 > kept["wreck"]["sweep"][1]["preservation"]
    (gentle,), (strong,) = kept["step"]["matched"], kept["wreck"]["matched"]
    assert gentle["met"] and strong["met"]
    assert strong["strength"] == pytest.approx(gentle["strength"] / 100, rel=0.3)


def test_stored_values() -> None:
    stored: dict[str, Any] = {"chosen": 0.5, "matched": [{"goal": 1.0, "strength": 0.7}]}
    assert stored_value(None, None) is stored_value(None, 1.0) is stored_value(stored, 2.0) is None
    assert (stored_value(stored, None), stored_value(stored, 1.0)) == (0.5, 0.7)
    assert stored_value({"chosen": 0.5}, 1.0) is None  # of a run that matched no effects


def test_the_right_effect_is_that_of_the_counterfactuals(tiny_domain: Any) -> None:
    """Mean over the eligible of (o_after - o_before) / σ, with the odds of two values as the difference of logits."""
    prompt = tiny_domain.prompts[0]  # glasses, of two values
    images = CalibrationImages(tiny_domain, 20)
    right = ((tiny_domain.counterfactuals("calibration", 20, prompt).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    before, after = images.logits["glasses"], tiny_domain.judges.attributes(right)["glasses"]
    eligible = (before.argmax(1) == 0) & torch.as_tensor(tiny_domain.visible("calibration", 20, prompt))[:, 0]
    moved = (after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])
    sigma = float(tiny_domain.judges.sigma["glasses"][1])
    assert images.right_effect(prompt) == pytest.approx(float(moved[eligible].mean()) / sigma, rel=1e-4)


def test_without_counterfactuals_it_is_the_median_real_pair(tiny_domain: Any, monkeypatch: Any) -> None:
    prompt = tiny_domain.prompts[0]
    monkeypatch.setattr(tiny_domain, "counterfactuals", lambda *_: None)
    images = CalibrationImages(tiny_domain, 3)
    images.logits = {"glasses": torch.tensor([[0.0, 3.0], [1.0, 0.0], [4.0, 0.0]])}  # odds 3 with, -1 and -4 without
    sigma = float(tiny_domain.judges.sigma["glasses"][1])
    assert images.right_effect(prompt) == pytest.approx((4 + 7) / 2 / sigma)
    images.logits = {"glasses": torch.tensor([[1.0, 0.0], [4.0, 0.0]])}
    assert np.isnan(images.right_effect(prompt))
