"""Editors that only try to look right: none has more clean success than doing nothing has."""

import numpy as np
import pytest
import torch

from deltaedit.editor import DeltaEdit
from deltaedit.text import text_feature
from eval.domains import load_domain
from eval.domains.avatars.factors import sample_portraits
from eval.domains.avatars.networks import to_float
from eval.domains.avatars.renderer import render
from eval.judging.cells import judge_edits, judge_sources
from eval.judging.counterfactuals import judge_counterfactuals

PORTRAITS, BATCH = 8, 8
PROMPTS = ("glasses", "smile", "red-hair")
NOISE = 0.08  # one cell of all


@pytest.fixture(scope="module")
def domain():
    return load_domain("avatars")


@pytest.fixture(scope="module")
def prompts(domain):
    return [prompt for prompt in domain.prompts if prompt.name in PROMPTS]


@pytest.fixture(scope="module")
def latents(domain):
    found = domain.test_sources(PORTRAITS).latents
    return type(found)(*(part.clone() for part in (found.w_plus, found.s, found.s_rgb)))


@pytest.fixture(scope="module")
def shares(domain, prompts):
    """Pictures of an editor, prompt -> [n, 3, 64, 64], to its means over the eligible cells of all prompts."""
    sources = judge_sources(domain, domain.test_sources(PORTRAITS), BATCH)
    right = {prompt.name: judge_counterfactuals(domain, "test", PORTRAITS, prompt, BATCH) for prompt in prompts}

    def score(editor):
        rows = []
        for prompt in prompts:
            pictures = editor(prompt).detach()
            rows += judge_edits(domain, sources, right[prompt.name], prompt, slice(0, PORTRAITS), pictures)[0]
        eligible = [row for row in rows if row["eligible"]]
        assert len(eligible) > 10
        return {name: float(np.mean([row[name] for row in eligible])) for name in ("clean_success", "success", "real")}

    return score


@pytest.fixture(scope="module")
def idle(domain, latents, shares):
    with torch.inference_mode():
        return shares(lambda prompt: domain.editing.images(latents))


def average(domain, prompt):
    """The mean of pictures of 24 persons who have what is asked for, the same for everybody."""
    people = sample_portraits(24, 4321, rho=0.0).changed({prompt.attribute: prompt.value})
    return to_float(render(people)).mean(0, keepdim=True).expand(PORTRAITS, -1, -1, -1)


def texture(domain, latents, prompt, largest=0.2, steps=12):
    """Gradient ascent on the editing CLIP's score in the pixels; none moves by more than a tenth of the range."""
    start = domain.editing.images(latents).detach()
    text = text_feature(domain.editing.clip, prompt.target)
    moved = torch.zeros_like(start, requires_grad=True)
    for _ in range(steps):
        (domain.editing.clip.encode_images(start + moved) @ text).sum().backward()
        with torch.no_grad():
            moved += moved.grad.sign() * largest / 4
            moved.clamp_(-largest, largest)
            moved.grad.zero_()
    return start + moved


def test_doing_nothing_is_no_success_but_real(idle):
    assert idle["clean_success"] == idle["success"] == 0.0
    assert idle["real"] > 0.95


def test_an_average_person_with_the_attribute(domain, shares, idle):
    found = shares(lambda prompt: average(domain, prompt))
    assert found["clean_success"] <= idle["clean_success"] + NOISE
    assert found["real"] == found["success"] == 0.0


def test_overshooting(domain, latents, shares, idle):
    editor = DeltaEdit()
    editor.prepare(domain.editing)

    def edited(prompt):
        editor.fit(prompt)
        return domain.editing.images(editor.edit(latents, prompt, 4.0))

    found = shares(edited)
    assert found["clean_success"] <= idle["clean_success"] + NOISE


def test_texture_that_the_editing_clip_likes(domain, prompts, latents, shares, idle):
    found = shares(lambda prompt: texture(domain, latents, prompt))
    assert found["clean_success"] <= idle["clean_success"] + NOISE
    clip, text = domain.editing.clip, text_feature(domain.editing.clip, prompts[0].target)
    pictures = domain.editing.images(latents), texture(domain, latents, prompts[0])
    before, after = ((clip.encode_images(images) @ text).mean().item() for images in pictures)
    assert after > before + 0.1  # the attack reaches what it is after
