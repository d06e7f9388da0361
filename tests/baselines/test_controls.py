import hashlib

import numpy as np
import pytest
import torch

from baselines.controls import Identity, RandomDirection, random_unit_direction
from baselines.styleclip_global import StyleClipGlobal
from eval.editors import Editor


@pytest.mark.parametrize("editor", [Identity(), RandomDirection()])
def test_controls_are_editors(editor):
    assert isinstance(editor, Editor)


def test_identity_gives_back_the_same_codes(tiny_domain):
    latents, editor = tiny_domain.test_sources(2).latents, Identity()
    editor.prepare(tiny_domain.editing)
    editor.fit(tiny_domain.prompts[0])
    edited = editor.edit(latents, tiny_domain.prompts[0], 3.0)
    assert all(torch.equal(getattr(edited, name), getattr(latents, name)) for name in ("w_plus", "s", "s_rgb"))


def test_random_directions_have_unit_norm_and_follow_seed_and_name():
    std = torch.tensor([1.0, 2.0, 0.5] * 20)
    one = random_unit_direction(std, 0, "glasses")
    assert torch.equal(one, random_unit_direction(std, 0, "glasses"))
    for other in (random_unit_direction(std, 1, "glasses"), random_unit_direction(std, 0, "smile")):
        assert abs(float(one @ other)) < 0.6
    assert float(one.norm()) == pytest.approx(1.0)
    number = int.from_bytes(hashlib.sha256(b"0/glasses").digest()[:8], "big") // 2
    noise = torch.randn(60, generator=torch.Generator().manual_seed(number)).numpy() * std.numpy()
    np.testing.assert_allclose(one, noise / np.linalg.norm(noise), rtol=1e-5)


def test_channels_are_drawn_with_their_own_deviation():
    std = torch.cat([torch.full((5000,), 3.0), torch.full((5000,), 1.0), torch.zeros(10)])
    step = random_unit_direction(std, 0, "glasses")
    assert float(step[:5000].std() / step[5000:10000].std()) == pytest.approx(3.0, rel=0.06)
    assert not step[10000:].any()


@pytest.mark.parametrize("strength", [0.0, 1.0, -2.0])
def test_the_step_is_as_long_as_asked_for(tiny_domain, strength):
    latents, editor = tiny_domain.test_sources(2).latents, RandomDirection(norm=1.5, seed=4)
    editor.prepare(tiny_domain.editing)
    for prompt in tiny_domain.prompts:
        editor.fit(prompt)
        edited = editor.edit(latents, prompt, strength)
        lengths = np.linalg.norm(edited.s - latents.s, axis=1)
        np.testing.assert_allclose(lengths, 1.5 * abs(strength), rtol=1e-4)
        assert torch.equal(edited.s_rgb, latents.s_rgb)


def test_the_default_length_is_that_of_the_global_direction(tiny_domain):
    latents, prompt = tiny_domain.test_sources(1).latents, tiny_domain.prompts[2]
    random, example = RandomDirection(), StyleClipGlobal()
    for editor in (random, example):
        editor.prepare(tiny_domain.editing)
        editor.fit(prompt)
    lengths = [float((editor.edit(latents, prompt, 1.0).s - latents.s).norm()) for editor in (random, example)]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-4)
    assert lengths[0] > 0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"norm": "long"},
            r"^The 'norm' parameter of RandomDirection .*'styleclip-global'\. Got 'long' instead",
        ),
        ({"norm": -1.0}, r"^The 'norm' parameter .* Got -1\.0 instead"),
        ({"seed": 0.5}, r"^The 'seed' parameter .* whole number, 0 or more\. Got 0\.5 instead"),
    ],
)
def test_prepare_refuses_what_is_not_allowed(tiny_domain, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        RandomDirection(**parameters).prepare(tiny_domain.editing)
