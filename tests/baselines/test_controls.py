import hashlib

import numpy as np
import pytest
import torch

from baselines.controls import Identity, RandomDirection, RandomDirections
from baselines.styleclip_global import StyleClipGlobal
from eval.editors.protocol import Editor


@pytest.mark.parametrize("editor", [Identity(), RandomDirection()])
def test_controls_are_editors(editor):
    assert isinstance(editor, Editor)


def test_identity_gives_back_the_same_codes(tiny_domain):
    latents, editor = tiny_domain.test_sources(2).latents, Identity()
    editor.prepare(tiny_domain.editing)
    editor.fit(tiny_domain.prompts[0])
    edited = editor.edit(latents, tiny_domain.prompts[0], 3.0)
    assert all(torch.equal(getattr(edited, name), getattr(latents, name)) for name in ("w_plus", "s", "s_rgb"))


def directions_of(styles, seed=0, name="glasses", channels=None):
    std = torch.tensor([1.0, 2.0, 0.5] * 20) if channels is None else channels
    directions = RandomDirections(torch.linspace(-1, 1, len(std)), std, seed)
    return directions.at(styles, directions.draw(name))


def samples(count, channels, seed=5):
    """Styles around the mean of ``directions_of``."""
    noise = torch.randn(count, len(channels), generator=torch.Generator().manual_seed(seed))
    return torch.linspace(-1, 1, len(channels)) + channels * noise


CHANNELS = torch.tensor([1.0, 2.0, 0.5] * 20)


def test_a_direction_is_the_field_of_its_formula():
    s = samples(3, CHANNELS)

    def normal(text, *shape):
        number = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") // 2
        generator = torch.Generator().manual_seed(number)
        return torch.randn(*shape, generator=generator).double().numpy(), generator

    omega, generator = normal(b"4", 60, 256)
    phases = 2 * np.pi * torch.rand(256, generator=generator).double().numpy()
    weights, _ = normal(b"4/smile", 256, 60)
    std, x = CHANNELS.numpy(), (s.numpy() - np.linspace(-1, 1, 60)) / CHANNELS.numpy() / np.sqrt(60)
    field = np.cos(4 * x @ omega + phases) @ weights * std
    expected = field / np.linalg.norm(field, axis=1, keepdims=True)
    np.testing.assert_allclose(directions_of(s, 4, "smile"), expected, atol=1e-5)


def test_images_prompts_and_seeds_have_independent_directions():
    wide = torch.ones(2000)
    s = samples(200, wide)
    one = directions_of(s, channels=wide)
    np.testing.assert_allclose(one.norm(dim=1), 1.0, rtol=1e-5)
    cosines = (one @ one.T)[~torch.eye(200, dtype=torch.bool)]
    assert float(cosines.square().mean()) == pytest.approx(1 / 2000 + 1 / 256, rel=0.1)  # two random draws
    assert abs(float(cosines.mean())) < 0.01
    for other in (directions_of(s, seed=1, channels=wide), directions_of(s, name="smile", channels=wide)):
        assert float((one * other).sum(1).square().mean()) == pytest.approx(1 / 2000, rel=0.5)


def test_a_direction_belongs_to_its_codes_not_to_the_batch_nor_to_the_last_digit():
    s = samples(6, CHANNELS)
    together = directions_of(s)
    np.testing.assert_allclose(torch.cat([directions_of(row) for row in s.split(1)]), together, atol=1e-6)
    np.testing.assert_allclose(directions_of(s + 1e-6 * CHANNELS), together, atol=1e-5)


def test_channels_are_drawn_with_their_own_deviation():
    std = torch.cat([torch.full((5000,), 3.0), torch.full((5000,), 1.0), torch.zeros(10)])
    step = directions_of(samples(1, std), channels=std)[0]
    assert float(step[:5000].std() / step[5000:10000].std()) == pytest.approx(3.0, rel=0.06)
    assert not step[10000:].any()


def test_the_mean_step_over_images_is_about_none(tiny_domain):
    """With one direction per prompt the mean step was as long as every single one."""
    latents, editor = tiny_domain.test_sources(200).latents, RandomDirection(norm=1.0)
    editor.prepare(tiny_domain.editing)
    editor.fit(tiny_domain.prompts[0])
    mean = (editor.edit(latents, tiny_domain.prompts[0], 1.0).s - latents.s).mean(0)
    assert float(mean.norm()) < 0.3


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
