import dataclasses
import math

import numpy as np
import pytest
import torch

from baselines.styleclip_optimization import StyleClipOptimization
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.stylegan2 import StyleGAN2
from eval.editors.protocol import Editor


def ready(editor, domain, prompt):
    editor.prepare(domain.editing)
    editor.fit(prompt)
    return editor


def optimised_by_hand(domain, prompt, w, steps, lambda_l2, lambda_id):
    """One image [1, L, D] as in the released script, with Adam written out."""
    clip, synthesis = domain.editing.clip, domain.editing.synthesis
    text = clip.encode_texts([prompt.target])[0]
    source = domain.editing.identity(synthesis(w))[0]
    x, m, v = w.clone(), torch.zeros_like(w), torch.zeros_like(w)
    for step in range(steps - 1):
        x = x.detach().requires_grad_()
        image = synthesis(x)
        loss = 1 - clip.encode_images(image)[0].dot(text) + lambda_l2 * ((w - x) ** 2).sum()
        loss = loss + lambda_id * (1 - domain.editing.identity(image)[0].dot(source))
        (g,) = torch.autograd.grad(loss, x)
        t = step / steps
        rate = 0.1 * (0.5 - 0.5 * math.cos(min(1, (1 - t) / 0.25) * math.pi)) * min(1, t / 0.05)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - rate * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
    return x.detach()


@pytest.mark.parametrize(("lambda_l2", "lambda_id"), [(0.008, 0.0), (0.1, 0.5)])
def test_every_image_is_optimised_as_released(tiny_domain, lambda_l2, lambda_id):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    editor = ready(StyleClipOptimization(steps=10, lambda_l2=lambda_l2, lambda_id=lambda_id), tiny_domain, prompt)
    edited = editor.edit(latents, prompt, 1.0)
    for i in range(2):
        w = latents.w_plus[i : i + 1]
        expected = optimised_by_hand(tiny_domain, prompt, w, 10, lambda_l2, lambda_id)
        np.testing.assert_allclose(edited.w_plus[i : i + 1], expected, atol=1e-4)
        assert float((expected - w).abs().max()) > 0.05
    s, s_rgb = tiny_domain.synthesis.styles(edited.w_plus)
    torch.testing.assert_close(edited.s, s)
    torch.testing.assert_close(edited.s_rgb, s_rgb)


def test_the_presets_are_the_published_ones(tiny_domain):
    for preset, wanted in {"cli": (300, 0.008, 0.0), "colab": (40, 0.008, 0.005)}.items():
        editor = StyleClipOptimization(preset=preset)
        editor.prepare(tiny_domain.editing)
        assert dataclasses.astuple(editor._setting) == wanted
    assert isinstance(editor, Editor)


@pytest.mark.parametrize(("resolution", "steps"), [(128, 40), (256, 300)])
def test_small_generators_take_the_shorter_preset(tiny_domain, resolution, steps):
    domain = dataclasses.replace(
        tiny_domain.editing, synthesis=StyleGAN2(resolution, (4,) * (resolution.bit_length() - 2), 8)
    )
    editor = StyleClipOptimization()
    editor.prepare(domain)
    assert editor._setting.steps == steps


def test_the_image_comes_nearer_to_the_text(tiny_domain):
    prompt, latents = tiny_domain.prompts[1], tiny_domain.test_sources(3).latents
    editor = ready(StyleClipOptimization(preset="colab"), tiny_domain, prompt)
    text = tiny_domain.editing.clip.encode_texts([prompt.target])[0]
    before = tiny_domain.editing.image_features(latents) @ text
    after = tiny_domain.editing.image_features(editor.edit(latents, prompt, 1.0)) @ text
    assert bool((after > before + 0.05).all())


def test_strength_multiplies_the_offset(tiny_domain):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    editor = ready(StyleClipOptimization(steps=6), tiny_domain, prompt)
    full = editor.offsets(latents, prompt)
    for strength in (0.0, 0.5, 2.0):
        moved = editor.edit(latents, prompt, strength).w_plus - latents.w_plus
        torch.testing.assert_close(moved, strength * full, atol=1e-6, rtol=1e-5)
    assert editor.edit(latents, prompt, 0.0) is latents


def test_images_do_not_see_each_other(tiny_domain):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(6).latents
    editor = ready(StyleClipOptimization(steps=30), tiny_domain, prompt)
    together = editor.offsets(latents, prompt)
    apart = torch.cat([editor.offsets(latents[i : i + 1], prompt) for i in range(6)])
    torch.testing.assert_close(together, apart, atol=1e-6, rtol=1e-5)


def test_latents_from_inference_mode_are_welcome_and_left_alone(tiny_domain):
    prompt = tiny_domain.prompts[0]
    editor = ready(StyleClipOptimization(steps=3), tiny_domain, prompt)
    with torch.inference_mode():
        latents = tiny_domain.editing.sample(2, 0)
        latents = Latents(latents.w_plus + 0, latents.s + 0, latents.s_rgb + 0)
        before = latents.w_plus.clone()
        edited = editor.edit(latents, prompt, 1.0)
    assert torch.equal(latents.w_plus, before)
    assert not torch.equal(edited.w_plus, before)
    assert not edited.w_plus.requires_grad


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"preset": "fast"}, "'preset' parameter of StyleClipOptimization must be one of auto, cli, colab. Got 'fast'"),
        ({"steps": 0}, "'steps' parameter"),
        ({"lambda_l2": -1.0}, "'lambda_l2' parameter"),
        ({"learning_rate": 0.0}, "'learning_rate' parameter"),
    ],
)
def test_wrong_parameters_are_refused(tiny_domain, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        StyleClipOptimization(**parameters).prepare(tiny_domain.editing)
    without = dataclasses.replace(tiny_domain.editing, identity=None)
    StyleClipOptimization(preset="cli").prepare(without)  # λ_ID 0 needs none
    with pytest.raises(ValueError, match="no identity network"):
        StyleClipOptimization(preset="colab").prepare(without)
