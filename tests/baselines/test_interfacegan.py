import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from baselines.interfacegan import InterFaceGAN
from deltaedit.tools.domain import LabelledCodes
from eval.prompts import Prompt

BEARD = Prompt("beard", "face", "face with beard", "beard", "yes")


def classifier(z, labels, value, l2):
    """scikit-learn's: its C times the number of images is 1 / l2."""
    known = labels >= 0
    model = LogisticRegression(C=1 / (l2 * known.sum()), class_weight="balanced", tol=1e-8, max_iter=5000)
    normal = model.fit(z[known], labels[known] == value).coef_[0]
    return normal / np.linalg.norm(normal)


def fitted(domain, prompt, **parameters):
    editor = InterFaceGAN(**parameters)
    editor.prepare(domain)
    editor.fit(prompt)
    return editor


def test_an_edit_is_that_of_the_formula(tiny_domain):
    """glasses: conditions are hair blond and red, mouth smile (each attribute's values but its first)."""
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(4).latents
    known = tiny_domain.editing.labelled()
    w, labels = known.w.double().numpy(), {name: x.numpy() for name, x in known.labels.items()}
    mean, std = w.mean(0), w.std(0, ddof=1)
    z = (w - mean) / std
    normal = classifier(z, labels["glasses"], 1, 0.05)
    others = [classifier(z, labels[name], value, 0.05) for name, value in (("hair", 1), ("hair", 2), ("mouth", 1))]
    basis, _ = np.linalg.qr(np.stack(others, 1))  # the paper's projection for several conditions
    normal = normal - basis @ (basis.T @ normal)
    normal /= np.linalg.norm(normal)
    along = z[labels["glasses"] == 1] @ normal
    goal = along.mean() + 2 * along.std(ddof=1)
    rows = latents.w_plus.double().numpy()
    far = np.maximum(0, goal - ((rows.mean(1) - mean) / std) @ normal)
    expected = rows + 0.7 * far[:, None, None] * (normal * std)
    edited = fitted(tiny_domain.editing, prompt, l2=0.05, reach=2.0).edit(latents, prompt, 0.7)
    np.testing.assert_allclose(edited.w_plus.numpy(), expected, atol=2e-4)
    assert np.abs(expected - rows).max() > 0.1
    s, s_rgb = tiny_domain.synthesis.styles(edited.w_plus)
    assert torch.equal(edited.s, s) and torch.equal(edited.s_rgb, s_rgb)


def test_strength_1_leads_every_image_to_the_goal_and_takes_none_back(tiny_domain):
    prompt, latents = tiny_domain.prompts[2], tiny_domain.test_sources(6).latents
    editor = fitted(tiny_domain.editing, prompt, reach=0.0)
    once = editor.edit(latents, prompt, 1.0)
    torch.testing.assert_close(editor.edit(once, prompt, 1.0).w_plus, once.w_plus, atol=1e-5, rtol=0)
    beyond = editor.edit(latents, prompt, 3.0)
    assert torch.equal(editor.edit(beyond, prompt, 1.0).w_plus, beyond.w_plus)


def codes_of_beards(count=400):
    """Number 0 of a code says man or woman, number 1 beard or none (men only), number 2 hat or none, with noise."""
    generator = torch.Generator().manual_seed(3)
    man = torch.arange(count) % 2
    beard, hat = man * (torch.arange(count) % 4 == 1), (torch.arange(count) // 4) % 2
    labels = {"sex": man, "beard": beard, "hat": torch.where(torch.arange(count) < 40, -1, hat)}
    w = torch.randn(count, 8, generator=generator) * 0.4
    w[:, :3] += torch.stack([man, beard, hat], 1) * 2.0
    yes = ("no", "yes")
    return LabelledCodes(w, labels, {"sex": ("woman", "man"), "beard": yes, "hat": yes})


@pytest.mark.parametrize(("implied", "free"), [(0.95, True), (1.0, True), (None, False)])
def test_what_a_value_implies_is_not_projected_out(tiny_domain, implied, free):
    """Every beard is a man's: with the rule the edit may make a man."""
    known = codes_of_beards()
    if implied is None:  # half of the beards are women's: nothing is implied
        known = dataclasses.replace(known, labels={**known.labels, "sex": (torch.arange(400) // 8) % 2})
    domain = dataclasses.replace(tiny_domain.editing, labelled=lambda: known)
    editor = fitted(domain, BEARD, **({} if implied is None else {"implied": implied}))
    assert editor._conditions("beard", "yes") == ([("hat", "yes")] if free else [("sex", "man"), ("hat", "yes")])
    z = ((known.w - known.w.mean(0)) / known.w.std(0)).double().numpy()
    hat = classifier(z, known.labels["hat"].numpy(), 1, 0.1)  # of the images whose hat is known
    normal = editor._ways["beard", "yes"].normal.double().numpy()
    assert abs(normal @ hat) < 1e-4
    assert abs(fitted(domain, BEARD, conditional=False)._ways["beard", "yes"].normal.double().numpy() @ hat) > 1e-3


def test_directions_are_kept_by_labels_and_hyper_parameters(tiny_domain):
    def files():
        return len(list(tiny_domain.editing.artefacts.cache.glob("interfacegan-*")))

    prompt = tiny_domain.prompts[0]
    fitted(tiny_domain.editing, prompt)
    fitted(tiny_domain.editing, tiny_domain.prompts[1], reach=0.5, conditional=False)  # the same classifiers
    assert files() == 1
    fitted(tiny_domain.editing, prompt, l2=1.0)
    assert files() == 2
    known = tiny_domain.editing.labelled()
    labels = {**known.labels, "mouth": torch.where(torch.arange(200) < 20, -1, known.labels["mouth"])}
    fewer = dataclasses.replace(known, labels=labels)
    fitted(dataclasses.replace(tiny_domain.editing, labelled=lambda: fewer), prompt)
    assert files() == 3


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"l2": 0}, "The 'l2' parameter of InterFaceGAN must be a number above 0. Got 0 instead."),
        ({"conditional": "yes"}, "The 'conditional' parameter of InterFaceGAN must be true or false. Got 'yes'"),
        ({"implied": 2}, "The 'implied' parameter of InterFaceGAN must be a number from 0 to 1. Got 2 instead."),
    ],
)
def test_wrong_parameters(tiny_domain, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        InterFaceGAN(**parameters).prepare(tiny_domain.editing)


def test_what_it_cannot_do_is_one_sentence(tiny_domain):
    editor = InterFaceGAN()
    with pytest.raises(ValueError, match=r"the domain 'tiny' does not have; it cannot be used there\.$"):
        editor.prepare(dataclasses.replace(tiny_domain.editing, labelled=None))
    editor.prepare(tiny_domain.editing)
    with pytest.raises(ValueError, match=r"'free' asks for no attribute at all, .* only of glasses, hair, mouth\.$"):
        editor.fit(Prompt("free", "face", "an old man", "", ""))
    with pytest.raises(
        ValueError,
        match=r"'hat' asks for hair 'green', .* 10 labelled images .* of hair 'black', hair 'blond', hair 'red'\.$",
    ):
        editor.fit(Prompt("hat", "face", "face with green hair", "hair", "green"))


def test_too_few_images_of_a_value(tiny_domain):
    known = tiny_domain.editing.labelled()
    some = torch.zeros(200, dtype=torch.int64)
    some[:9] = 1  # one short of 10
    few = dataclasses.replace(known, labels={**known.labels, "glasses": some})
    editor = InterFaceGAN()
    editor.prepare(dataclasses.replace(tiny_domain.editing, labelled=lambda: few))
    with pytest.raises(
        ValueError,
        match=r"asks for glasses 'some', but the domain 'tiny' has 10 labelled images .* only of hair, mouth",
    ):
        editor.fit(tiny_domain.prompts[0])
    editor.fit(tiny_domain.prompts[1])
