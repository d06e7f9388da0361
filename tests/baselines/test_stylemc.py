import dataclasses

import numpy as np
import pytest
import torch

from baselines.stylemc import StyleMC
from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from eval.editors.protocol import Editor


def ready(editor, domain, prompt):
    editor.prepare(domain.editing)
    editor.fit(prompt)
    return editor


def direction_by_hand(domain, prompt, images, batch, identity_weight, first_px):
    """As the released script: one step after every second batch, counting changes of sign from the third step on."""
    editing = domain.editing
    latents, text = editing.sample(images, 0), editing.clip.encode_texts([prompt.target])[0]
    free = np.concatenate([np.full(at.channels, at.resolution >= first_px) for at in editing.synthesis.layout])
    direction, total = torch.zeros(latents.s.shape[1]), torch.zeros(latents.s.shape[1])
    steps, flips = [], np.zeros(latents.s.shape[1])
    for i in range(-(-images // batch)):
        block = latents[i * batch : (i + 1) * batch]
        d = direction.clone().requires_grad_()
        image = editing.synthesis.synthesize(block.s + d, block.s_rgb)
        with torch.no_grad():
            before = editing.identity(editing.synthesis.synthesize(block.s, block.s_rgb))
        loss = -(editing.clip.encode_images(image) * text).sum()
        loss = loss + identity_weight * (1 - (editing.identity(image) * before).sum(1)).mean()
        loss.backward()
        total = total + d.grad
        total[~torch.from_numpy(free)] = 0
        if i % 2 == 1:
            direction = direction - 5 * total
            steps.append(total.numpy())
            if i > 3:
                flips += steps[-2] * steps[-1] < 0
            total = torch.zeros_like(total)
    direction[torch.from_numpy(flips > images / batch / 4)] = 0
    return direction.numpy(), flips


@pytest.mark.parametrize(("power", "weight"), [("high", 2.0), ("low", 0.1)])
def test_the_direction_is_learnt_as_released(tiny_domain, power, weight):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    editor = ready(StyleMC("published", identity_power=power, images=25, batch=2), tiny_domain, prompt)
    expected, flips = direction_by_hand(tiny_domain, prompt, 25, 2, weight, 8)
    moved = (editor.edit(latents, prompt, 1.0).s - latents.s).numpy()
    np.testing.assert_allclose(moved, np.stack([10 * expected] * 2), rtol=2e-3, atol=2e-3)
    assert bool((expected != 0).any())
    assert power == "low" or bool((flips > 25 / 2 / 4).any())  # so that the rule was put to use
    assert not moved[:, :8].any()  # the 4 px layer is not free


def test_the_image_comes_nearer_to_the_text(tiny_domain):
    prompt, latents = tiny_domain.prompts[1], tiny_domain.test_sources(16).latents
    editor = ready(StyleMC(identity_power="none", learning_rate=0.2, power=1.0), tiny_domain, prompt)
    text = tiny_domain.editing.clip.encode_texts([prompt.target])[0]
    before = tiny_domain.editing.image_features(latents) @ text
    after = tiny_domain.editing.image_features(editor.edit(latents, prompt, 1.0)) @ text
    assert float(after.mean()) > float(before.mean()) + 0.05


def test_strength_multiplies_and_only_s_changes(tiny_domain):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(3).latents
    editor = ready(StyleMC(images=9, batch=2), tiny_domain, prompt)
    one, two = (editor.edit(latents, prompt, strength) for strength in (1.0, 2.0))
    torch.testing.assert_close(two.s - latents.s, 2 * (one.s - latents.s), rtol=1e-4, atol=1e-5)
    assert torch.equal(editor.edit(latents, prompt, 0.0).s, latents.s)
    assert torch.equal(one.w_plus, latents.w_plus)
    assert torch.equal(one.s_rgb, latents.s_rgb)
    assert isinstance(editor, Editor)


def test_presets(tiny_domain):
    """Small generators take ours, whose strength 1 is the direction as learnt; the published values stay reachable."""
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(2).latents
    small = ready(StyleMC(images=9, batch=2), tiny_domain, prompt).edit(latents, prompt, 1.0)
    by_name = ready(StyleMC("small", images=9, batch=2), tiny_domain, prompt).edit(latents, prompt, 1.0)
    by_hand, _ = direction_by_hand(tiny_domain, prompt, 9, 2, 0.1, 8)
    assert torch.equal(small.s, by_name.s)
    np.testing.assert_allclose((small.s - latents.s)[0].numpy(), by_hand, rtol=2e-3, atol=2e-3)
    published = StyleMC("published", images=9, batch=2)
    loud = StyleMC(identity_power="high", power=10.0, images=9, batch=2)
    edits = [ready(editor, tiny_domain, prompt).edit(latents, prompt, 1.0).s for editor in (published, loud)]
    assert torch.equal(*edits) and not torch.equal(edits[0], small.s)
    large = dataclasses.replace(tiny_domain.editing, synthesis=FastStyleGAN2(256, (4,) * 7, 8))
    for preset, resolution, power in (("auto", large, 10.0), ("small", large, 1.0)):
        editor = StyleMC(preset)
        editor.prepare(resolution)
        assert editor._setting.power == power


def test_the_direction_is_an_artefact(tiny_domain):
    prompt, latents = tiny_domain.prompts[0], tiny_domain.test_sources(1).latents
    first = ready(StyleMC(images=9, batch=2, power=10.0), tiny_domain, prompt).edit(latents, prompt, 1.0)
    unable = dataclasses.replace(tiny_domain.editing, sample=None)  # nothing can be learnt any more
    again = StyleMC(images=9, batch=2, power=5.0)  # the power is no part of what is learnt
    again.prepare(unable)
    again.fit(prompt)
    torch.testing.assert_close(again.edit(latents, prompt, 2.0).s, first.s)
    other = StyleMC(images=9, batch=2, training_seed=1)
    other.prepare(unable)
    with pytest.raises(TypeError):
        other.fit(prompt)


def test_the_lower_network_is_the_beginning_of_the_whole_one():
    torch.manual_seed(0)
    whole, small = FastStyleGAN2(32, (8, 6, 4, 4), 8).requires_grad_(False), FastStyleGAN2(16, (8, 6, 4), 8)
    small.load_state_dict({name: value for name, value in whole.state_dict().items() if name in small.state_dict()})
    w_plus = torch.randn(2, whole.latents, 8)
    s, s_rgb = whole.styles(w_plus)
    lower = whole.up_to(16).synthesize(s, s_rgb)
    torch.testing.assert_close(lower, small(w_plus[:, : small.latents]).detach())
    assert whole(w_plus).shape == (2, 3, 32, 32)
    assert whole.up_to(256).synthesize(s, s_rgb).shape == (2, 3, 32, 32)


def test_wrong_parameters_are_refused(tiny_domain):
    for parameters in (
        {"preset": "demo"},
        {"identity_power": "2"},
        {"images": 0},
        {"learning_rate": -1.0},
        {"first_px": 2},
    ):
        name = next(iter(parameters))
        with pytest.raises(ValueError, match=f"'{name}' parameter of StyleMC must be"):
            StyleMC(**parameters).prepare(tiny_domain.editing)
    without = dataclasses.replace(tiny_domain.editing, identity=None)
    StyleMC(identity_power="none").prepare(without)
    with pytest.raises(ValueError, match="no identity network"):
        StyleMC().prepare(without)
