import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from baselines.tedigan import TediGan
from eval.editors.protocol import Editor


def ready(editor, domain, prompt):
    editor.prepare(domain.editing)
    editor.fit(prompt)
    return editor


def optimised_by_hand(domain, prompt, code, preset, steps, clip_weight, perceptual_weight):
    """One image [1, L, D] as in the released scripts, with Adam written out."""
    editing = domain.editing
    text = editing.clip.encode_texts([prompt.target])[0]
    source = editing.synthesis(code)
    x = code if preset == "instance" else editing.sample(4096, 0).w_plus.mean(0, keepdim=True)
    m, v = torch.zeros_like(x), torch.zeros_like(x)
    for step in range(steps - 1):
        x = x.detach().requires_grad_()
        image = editing.synthesis(x)
        loss = F.mse_loss(image, source) + clip_weight * (1 - editing.clip.encode_images(image)[0].dot(text))
        loss = loss + perceptual_weight * F.mse_loss(editing.perceptual(image)[0], editing.perceptual(source)[0])
        loss = loss + 2.0 * F.mse_loss(x, editing.encoder(image) if preset == "instance" else code)
        (g,) = torch.autograd.grad(loss, x)
        t = step / steps
        ramp = (0.5 - 0.5 * math.cos(min(1, (1 - t) / 0.25) * math.pi)) * min(1, t / 0.05)
        rate = 0.01 if preset == "instance" else 0.1 * ramp
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - rate * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
    return x.detach()


@pytest.mark.parametrize(("preset", "clip_weight"), [("instance", 2.0), ("demo", 1.0)])
def test_every_image_is_optimised_as_released(tiny_domain, preset, clip_weight):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    editor = ready(TediGan(preset=preset, steps=10, perceptual_weight=0.5), tiny_domain, prompt)
    edited = editor.edit(latents, prompt, 1.0)
    for i in range(2):
        w = latents.w_plus[i : i + 1]
        expected = optimised_by_hand(tiny_domain, prompt, w, preset, 10, clip_weight, 0.5)
        np.testing.assert_allclose(edited.w_plus[i : i + 1], expected, atol=1e-4)
        assert float((expected - w).abs().max()) > 0.05


def test_the_presets_are_the_published_ones(tiny_domain):
    for preset, wanted in {"instance": (200, 0.01, 2.0), "demo": (200, 0.1, 1.0)}.items():
        editor = TediGan(preset=preset)
        editor.prepare(tiny_domain.editing)
        assert dataclasses.astuple(editor._setting) == wanted
        assert (editor.pixel_weight, editor.perceptual_weight, editor.code_weight) == (1.0, 5e-5, 2.0)
    assert isinstance(editor, Editor)


def test_a_heavier_clip_term_brings_the_image_nearer_to_the_text(tiny_domain):
    prompt, latents = tiny_domain.prompts[1], tiny_domain.test_sources(3).latents
    text = tiny_domain.editing.clip.encode_texts([prompt.target])[0]
    scores = []
    for weight in (0.0, 2.0, 50.0):
        editor = ready(TediGan(steps=40, learning_rate=0.05, clip_weight=weight), tiny_domain, prompt)
        scores.append(tiny_domain.editing.image_features(editor.edit(latents, prompt, 1.0)) @ text)
    assert bool((scores[0] < scores[1]).all())
    assert bool((scores[1] < scores[2]).all())


@pytest.mark.parametrize("preset", ["instance", "demo"])
def test_strength_multiplies_the_offset_and_images_do_not_see_each_other(tiny_domain, preset):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(5).latents
    editor = ready(TediGan(preset=preset, steps=15), tiny_domain, prompt)
    full = editor.offsets(latents, prompt)
    apart = torch.cat([editor.offsets(latents[i : i + 1], prompt) for i in range(5)])
    torch.testing.assert_close(full, apart, atol=1e-6, rtol=1e-5)
    moved = editor.edit(latents, prompt, 0.5).w_plus - latents.w_plus
    torch.testing.assert_close(moved, 0.5 * full, atol=1e-6, rtol=1e-5)
    assert editor.edit(latents, prompt, 0.0) is latents


def test_a_domain_must_have_what_the_loss_needs(tiny_domain):
    blind = dataclasses.replace(tiny_domain.editing, encoder=None)
    with pytest.raises(ValueError, match="needs an encoder, which the domain 'tiny' does not have; use preset=demo"):
        TediGan().prepare(blind)
    TediGan(preset="demo").prepare(blind)
    TediGan(code_weight=0.0).prepare(blind)
    plain = dataclasses.replace(tiny_domain.editing, perceptual=None)
    with pytest.raises(ValueError, match="perceptual network for editors; set perceptual_weight=0"):
        TediGan().prepare(plain)
    TediGan(perceptual_weight=0.0).prepare(plain)


@pytest.mark.parametrize(
    "parameters", [{"preset": "base"}, {"steps": -1}, {"clip_weight": -2.0}, {"pixel_weight": "x"}]
)
def test_wrong_parameters_are_refused(tiny_domain, parameters):
    name = next(iter(parameters))
    with pytest.raises(ValueError, match=f"'{name}' parameter of TediGan must be"):
        TediGan(**parameters).prepare(tiny_domain.editing)
