import dataclasses

import numpy as np
import pytest
import torch

from baselines.styleclip_mapper import PRESETS, StyleClipMapper
from deltaedit.backbones.stylegan2 import StyleGAN2
from eval.editors.protocol import Editor

pytestmark = pytest.mark.slow

SHORT = {"steps": 10, "images": 32}


def ready(editor, domain, prompt):
    editor.prepare(domain.editing)
    editor.fit(prompt)
    return editor


def parts_by_hand(domain, prompt, before, after):
    """Mean CLIP and identity distance of the pictures, written with numpy."""
    pictures = [domain.editing.images(latents) for latents in (before, after)]
    identity = [domain.editing.identity(picture).detach().numpy() for picture in pictures]
    text = domain.editing.clip.encode_texts([prompt.target])[0].numpy()
    clip = (1 - domain.editing.clip.encode_images(pictures[1]).detach().numpy() @ text).mean()
    return clip, (1 - np.einsum("ne,ne->n", *identity)).mean()


@pytest.mark.parametrize("variant", ["w+", "single", "s"])
def test_the_loss_is_the_published_one(tiny_domain, variant):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(4).latents
    parameters = {"steps": 3, "images": 16, "precision": "float32", "lambda_l2": 0.8}
    editor = ready(StyleClipMapper(variant=variant, **parameters), tiny_domain, prompt)
    mapper = editor._mappers[prompt.name, prompt.target]
    after = editor.edit(latents, prompt, 1.0)
    clip, identity = parts_by_hand(tiny_domain, prompt, latents, after)
    if variant == "s":
        squares = (after.s - latents.s).numpy() ** 2
        l2 = sum(squares[:, start : start + 8].mean() for start in range(0, 40, 8))  # five convolutions of 8 channels
    else:
        l2 = ((after.w_plus - latents.w_plus).numpy() ** 2).mean()
    sources = tiny_domain.editing.identity(tiny_domain.editing.images(latents))
    text = tiny_domain.editing.clip.encode_texts([prompt.target])[0]
    got = float(editor.loss(mapper, latents, sources, text))
    assert got == pytest.approx(clip + 0.1 * identity + 0.8 * l2, abs=1e-5)


@pytest.mark.parametrize("variant", ["w+", "single", "s"])
def test_the_offset_is_a_tenth_of_the_mapper_times_strength(tiny_domain, variant):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(3).latents
    editor = ready(StyleClipMapper(variant=variant, **SHORT), tiny_domain, prompt)
    mapper = editor._mappers[prompt.name, prompt.target]
    code = "s" if variant == "s" else "w_plus"
    out = mapper(getattr(latents, code))
    for strength in (0.5, 1.0, 2.0):
        edited = editor.edit(latents, prompt, strength)
        torch.testing.assert_close(getattr(edited, code), getattr(latents, code) + strength * 0.1 * out)
    if variant == "s":
        assert torch.equal(edited.w_plus, latents.w_plus)
        assert torch.equal(edited.s_rgb, latents.s_rgb)
    else:
        torch.testing.assert_close(edited.s, tiny_domain.synthesis.styles(edited.w_plus)[0])
    assert editor.edit(latents, prompt, 0.0) is latents
    assert isinstance(editor, Editor)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"variant": "s"},
        {"normalise": "channels"},
        {"precision": "bfloat16"},
        {"optimizer": "ranger", "schedule": "constant", "batch": 4, "steps": 150, "lambda_l2": 0.8},
    ],
)
def test_training_lowers_the_loss(tiny_domain, parameters):
    prompt = tiny_domain.prompts[1]
    trained = ready(StyleClipMapper(**{"steps": 40, "images": 64, **parameters}), tiny_domain, prompt)
    latents, sources = trained._draw(64, 9)
    text = tiny_domain.editing.clip.encode_texts([prompt.target])[0]
    mappers = trained._network(True), trained._mappers[prompt.name, prompt.target]
    before, after = (float(trained.loss(mapper, latents, sources, text).detach()) for mapper in mappers)
    assert after < before - 0.003


def test_the_best_validated_weights_are_kept(tiny_domain):
    prompt = tiny_domain.prompts[0]
    editor = StyleClipMapper(preset="published", steps=12, images=16)
    editor.prepare(tiny_domain.editing)
    editor.training = dataclasses.replace(editor.training, validate_every=3)
    scores = iter([0.5, 0.2, 0.4, 0.3])
    seen = []

    def held_out_loss(mapper, text):
        seen.append({name: value.clone() for name, value in mapper.state_dict().items()})
        return next(scores)

    editor._held_out_loss = held_out_loss
    kept = editor._train(editor._network(True), prompt.target)
    assert len(seen) == 4
    assert all(torch.equal(kept[name], seen[1][name].half()) for name in kept)
    assert not all(torch.equal(kept[name], seen[3][name].half()) for name in kept)


def test_the_held_out_loss_is_the_mean_over_codes_not_trained_on(tiny_domain):
    prompt = tiny_domain.prompts[0]
    editor = ready(StyleClipMapper(steps=2, images=16), tiny_domain, prompt)
    mapper, text = editor._network(True), tiny_domain.editing.clip.encode_texts([prompt.target])[0]
    latents, sources = editor._draw(200, 1)
    whole = float(editor.loss(mapper, latents, sources, text).detach())
    assert editor._held_out_loss(mapper, text) == pytest.approx(whole, abs=1e-5)


def test_a_mapper_is_trained_once_and_then_an_artefact(tiny_domain):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    first = ready(StyleClipMapper(**SHORT), tiny_domain, prompt).edit(latents, prompt, 1.0)
    unable = dataclasses.replace(tiny_domain.editing, sample=None)  # nothing can be trained any more
    again = StyleClipMapper(**SHORT)
    again.prepare(unable)
    again.fit(prompt)
    assert torch.equal(again.edit(latents, prompt, 1.0).w_plus, first.w_plus)
    for changed in ({"training_seed": 1}, {"lambda_l2": 0.7}, {"no_fine": True}, {"steps": 11}, {"normalise": "rows"}):
        other = StyleClipMapper(**{**SHORT, **changed})
        other.prepare(unable)
        with pytest.raises(TypeError):
            other.fit(prompt)


def test_the_same_seed_trains_the_same_mapper(tiny_domain, tmp_path):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    results = []
    for number, seed in enumerate((0, 0, 1)):
        torch.rand(number)  # the global generator plays no part
        artefacts = type(tiny_domain.editing.artefacts)(tmp_path / str(number))
        editor = StyleClipMapper(**SHORT, training_seed=seed)
        editor.prepare(dataclasses.replace(tiny_domain.editing, artefacts=artefacts))
        editor.fit(prompt)
        results.append(editor.edit(latents, prompt, 1.0).w_plus)
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2])


@pytest.mark.parametrize("parameters", [{"no_fine": True}, {"no_fine_prompts": "red-hair+glasses"}])
def test_the_fine_level_can_be_left_alone(tiny_domain, parameters):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    moved = {}
    for variant in ("w+", "s"):
        editor = ready(StyleClipMapper(variant=variant, **SHORT, **parameters), tiny_domain, prompt)
        edited = editor.edit(latents, prompt, 1.0)
        moved[variant] = (edited.w_plus - latents.w_plus, edited.s - latents.s)
    # 16 px: six rows, of which ceil(6 * 8 / 18) = 3 are coarse or medium; the convolutions of rows 3 and 4 are fine.
    assert not moved["w+"][0][:, 3:].any()
    assert moved["w+"][0][:, :3].any()
    assert not moved["s"][1][:, 24:].any()
    assert moved["s"][1][:, :24].any()
    if "no_fine_prompts" in parameters:
        smile = tiny_domain.prompts[2]
        editor.fit(smile)
        assert bool((editor.edit(latents, smile, 1.0).s - latents.s)[:, 24:].any())


def test_half_of_the_training_codes_come_from_the_encoder(tiny_domain):
    editing = tiny_domain.editing
    editor = StyleClipMapper(images=64)
    editor.prepare(editing)
    latents, sources = editor._training_codes()
    drawn = editing.sample(64, 0).w_plus
    sampled = (latents.w_plus == drawn).flatten(1).all(1)
    inverted = torch.isclose(latents.w_plus, editing.encoder(editing.synthesis(drawn)), atol=1e-5).flatten(1).all(1)
    assert int(sampled.sum()) == int(inverted.sum()) == 32
    torch.testing.assert_close(sources, editing.identity(editing.images(latents)), atol=1e-5, rtol=1e-4)
    blind = StyleClipMapper(images=64)
    blind.prepare(dataclasses.replace(editing, encoder=None))
    assert torch.equal(blind._training_codes()[0].w_plus, drawn)


def test_presets_follow_the_generators_size(tiny_domain):
    small = StyleClipMapper()
    small.prepare(tiny_domain.editing)
    assert small.training == PRESETS["small"]
    large = StyleClipMapper(learning_rate=0.1)
    large.prepare(dataclasses.replace(tiny_domain.editing, synthesis=StyleGAN2(256, (2,) * 7, 2)))
    expected = (50_000, 2, "ranger", 0.1, "constant", 5_000, 2_000, "float32", "rows", 0.8)
    assert dataclasses.astuple(large.training) == expected


def test_the_cosine_schedule_ends_at_nothing(tiny_domain):
    editor = StyleClipMapper(steps=100)
    editor.prepare(tiny_domain.editing)
    rates = [editor._rate(step) for step in (0, 50, 100)]
    np.testing.assert_allclose(rates, [0.5, 0.25, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [{"variant": "z"}, {"optimizer": "sgd"}, {"steps": 0}, {"lambda_id": -1.0}, {"learning_rate": 0.0}, {"images": 4}],
)
def test_wrong_parameters_are_refused(tiny_domain, parameters):
    name = next(iter(parameters))
    with pytest.raises(ValueError, match=f"'{name}' parameter of \\w+ must be"):
        StyleClipMapper(**parameters).prepare(tiny_domain.editing)


def test_an_identity_term_needs_an_identity_network(tiny_domain):
    without = dataclasses.replace(tiny_domain.editing, identity=None)
    with pytest.raises(ValueError, match="no identity network"):
        StyleClipMapper().prepare(without)
    editor = StyleClipMapper(lambda_id=0.0, **SHORT)
    editor.prepare(without)
    editor.fit(tiny_domain.prompts[0])
