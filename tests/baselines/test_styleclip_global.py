import numpy as np
import pytest
import torch

from baselines.styleclip_global import StyleClipGlobal, automatic_beta, global_direction
from deltaedit.relevance import domain_relevance

SMALL = {"relevance_images": 4, "relevance_statistics": 30, "templates": False}


def released_boundary(relevance, delta, std, threshold):
    """The published formula: project, threshold, divide by the largest, multiply by σ."""
    projection = np.dot(relevance, delta)
    step = projection.copy()
    step[np.abs(projection) < threshold] = 0
    return step / np.abs(step).max() * std, int((np.abs(projection) >= threshold).sum())


@pytest.fixture
def random_relevance():
    rng = np.random.default_rng(0)
    relevance = rng.normal(size=(300, 32))
    relevance /= np.linalg.norm(relevance, axis=1, keepdims=True)
    delta = rng.normal(size=32)
    return relevance, rng.uniform(0.1, 2, size=300), delta / np.linalg.norm(delta)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.3])
def test_direction_is_the_formula(random_relevance, beta):
    relevance, std, delta = random_relevance
    wanted, channels = released_boundary(relevance, delta, std, beta)
    got = global_direction(*(torch.from_numpy(x) for x in (relevance, std, delta)), beta)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert int((got != 0).sum()) == channels > 0


def test_the_most_relevant_channel_moves_by_one_sigma(random_relevance):
    relevance, std, delta = random_relevance
    got = global_direction(*(torch.from_numpy(x) for x in (relevance, std, delta)), 0.2).numpy()
    assert np.abs(got / std).max() == pytest.approx(1.0)


def test_no_channel_gives_zeros_and_not_nan(random_relevance):
    got = global_direction(*(torch.from_numpy(x) for x in random_relevance), 0.99)
    assert not got.any()


@pytest.mark.parametrize("more_than", [0, 20, 60, 100, 299])
def test_automatic_beta_is_the_released_rule(random_relevance, more_than):
    relevance, _, delta = random_relevance
    projection = np.abs(relevance @ delta)
    counts = {round(beta, 2): int((projection >= beta).sum()) for beta in np.arange(0.1, 0.295, 0.01)}
    assert len(counts) == 20
    wanted = max((beta for beta, count in counts.items() if count > more_than), default=0.1)
    assert automatic_beta(torch.from_numpy(relevance), torch.from_numpy(delta), more_than) == wanted


def prepared(domain, **parameters):
    editor = StyleClipGlobal(**{**SMALL, **parameters})
    editor.prepare(domain.editing)
    for prompt in domain.prompts:
        editor.fit(prompt)
    return editor


def test_edit_is_the_formula_for_every_image(tiny_domain):
    latents = tiny_domain.test_sources(3).latents
    editor = prepared(tiny_domain, beta=0.1, alpha=2.5)
    stored = domain_relevance(tiny_domain.editing, 4, 30).tensors
    for prompt in tiny_domain.prompts:
        source, target = tiny_domain.editing.clip.encode_texts([prompt.source, prompt.target]).numpy()
        delta = (target - source) / np.linalg.norm(target - source)
        step, _ = released_boundary(stored["relevance"].numpy(), delta, stored["std"].numpy(), 0.1)
        edited = editor.edit(latents, prompt, 0.5)
        np.testing.assert_allclose(edited.s - latents.s, np.tile(0.5 * 2.5 * step, (3, 1)), rtol=1e-3, atol=1e-5)
        assert torch.equal(edited.s_rgb, latents.s_rgb)
        assert torch.equal(editor.edit(latents, prompt, 0.0).s, latents.s)


def test_beta_auto_equals_the_beta_that_the_rule_gives(tiny_domain):
    stored = domain_relevance(tiny_domain.editing, 4, 30).tensors
    prompt = tiny_domain.prompts[0]
    source, target = tiny_domain.editing.clip.encode_texts([prompt.source, prompt.target]).numpy()
    delta = (target - source) / np.linalg.norm(target - source)
    projection = np.abs(stored["relevance"].numpy() @ delta)
    wanted = max(beta for beta in np.arange(10, 30) / 100 if (projection >= beta).sum() > 20)
    automatic, given = prepared(tiny_domain, beta="auto"), prepared(tiny_domain, beta=float(wanted))
    assert torch.equal(automatic.step(prompt), given.step(prompt))


def test_a_beta_without_channels_warns_and_edits_nothing(tiny_domain):
    latents = tiny_domain.test_sources(1).latents
    editor = StyleClipGlobal(**SMALL, beta=1.0)
    editor.prepare(tiny_domain.editing)
    with pytest.warns(UserWarning, match=r"β = 1\.0 leaves no channel for 'face with glasses'"):
        editor.fit(tiny_domain.prompts[0])
    assert torch.equal(editor.edit(latents, tiny_domain.prompts[0], 1.0).s, latents.s)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("beta", "automatic", "a number from 0 to 1, or 'auto'"),
        ("beta", 1.5, "a number from 0 to 1, or 'auto'"),
        ("alpha", float("nan"), "a finite number"),
        ("relevance_images", 0, "a whole number, 1 or more"),
        ("automatic_channels", -1, "a whole number, 0 or more"),
        ("templates", "yes", "true or false"),
    ],
)
def test_prepare_refuses_what_is_not_allowed(tiny_domain, name, value, allowed):
    editor = StyleClipGlobal(**{**SMALL, name: value})
    sentence = rf"^The '{name}' parameter of StyleClipGlobal must be {allowed}\. Got {value!r} instead\.$"
    with pytest.raises(ValueError, match=sentence):
        editor.prepare(tiny_domain.editing)
