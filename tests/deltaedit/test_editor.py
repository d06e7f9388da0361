import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from deltaedit.editor import DeltaEdit, Target, mapper_state, relevance_mask, trained_mapper
from deltaedit.mapper import DeltaMapper
from deltaedit.relevance import domain_relevance
from deltaedit.settings import Settings
from deltaedit.variants import VARIED_TEXTS
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor

SMALL = {"steps": 20, "batch": 8, "relevance_images": 4, "relevance_statistics": 30}


def prepared(domain, **parameters):
    editor = DeltaEdit(**{**SMALL, "templates": False, **parameters})
    editor.prepare(domain.editing)
    for prompt in domain.prompts:
        editor.fit(prompt)
    return editor


def formula(domain, latents, prompt, *, arm="delta", threshold=0.03, normalise=False):
    """s + masked Δŝ with numpy, from the stored artefacts and the texts as they are."""
    editing = domain.editing
    relevance = domain_relevance(editing, 4, 30).tensors["relevance"].numpy()
    trained = trained_mapper(editing, Settings(steps=20, batch=8, arm=arm))
    mapper = DeltaMapper(editing.synthesis.layout, 8)
    mapper.load_state_dict(mapper_state(trained))
    texts = [prompt.source, prompt.target, *(text.format(prompt.source) for text in ("{}", *VARIED_TEXTS))]
    source, target, *others = editing.clip.encode_texts(texts).numpy()
    towards = {"delta": target - source, "raw": target, "centred": target - np.mean(others, 0)}[arm]
    towards = towards / np.linalg.norm(towards)
    delta = target - source
    if normalise:
        delta = delta / np.linalg.norm(delta)
    with torch.no_grad():
        features = editing.clip.encode_images(editing.synthesis.synthesize(latents.s, latents.s_rgb)).numpy()
        both = np.concatenate([features, np.tile(towards, (len(features), 1))], 1).astype(np.float32)
        offset = mapper(latents.s, torch.from_numpy(both)).numpy()
    offset[:, np.abs(relevance @ delta) < threshold] = 0
    return latents.s.numpy() + offset


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"threshold": 0.4},
        {"threshold": 0.4, "normalise": True},
        {"threshold": 0},
        {"arm": "raw"},
        {"arm": "centred"},
    ],
)
def test_edit_is_the_formula(tiny_domain, case):
    parameters = {{"normalise": "normalise_threshold_delta"}.get(name, name): value for name, value in case.items()}
    editor, latents = prepared(tiny_domain, **parameters), tiny_domain.test_sources(3).latents
    for prompt in tiny_domain.prompts:
        edited = editor.edit(latents, prompt, 1.0)
        np.testing.assert_allclose(edited.s, formula(tiny_domain, latents, prompt, **case), rtol=1e-4, atol=1e-5)
        assert torch.equal(edited.s_rgb, latents.s_rgb)


def test_mask_keeps_the_channels_at_or_above_the_threshold():
    rng = np.random.default_rng(0)
    relevance, delta = rng.normal(size=(50, 4)), rng.normal(size=4)
    select = np.abs(np.dot(relevance, delta)) < 1.0  # as the released code writes it: these are zeroed
    mask = relevance_mask(torch.from_numpy(relevance), torch.from_numpy(delta), 1.0)
    assert np.array_equal(mask.numpy(), ~select)
    assert 0 < select.sum() < 50


def test_strength_scales_the_offset_and_zero_changes_nothing(tiny_domain):
    editor, latents = prepared(tiny_domain), tiny_domain.test_sources(3).latents
    prompt = tiny_domain.prompts[0]
    before = latents.s.clone()
    one, half, zero = (editor.edit(latents, prompt, strength).s - before for strength in (1.0, 0.5, 0.0))
    assert one.abs().max() > 1e-3
    torch.testing.assert_close(half, one / 2, rtol=1e-3, atol=1e-6)
    assert not zero.any()
    assert torch.equal(latents.s, before)


def test_a_batch_equals_its_images(tiny_domain):
    editor, latents = prepared(tiny_domain), tiny_domain.test_sources(4).latents
    prompt = tiny_domain.prompts[1]
    rows = torch.cat([editor.edit(latents[i : i + 1], prompt, 1.0).s for i in range(4)])
    torch.testing.assert_close(editor.edit(latents, prompt, 1.0).s, rows, rtol=1e-4, atol=1e-5)


def test_no_gradient_leaves(tiny_domain):
    editor, latents = prepared(tiny_domain), tiny_domain.test_sources(1).latents
    assert not editor.edit(latents, tiny_domain.prompts[0], 1.0).s.requires_grad
    assert not any(parameter.requires_grad for parameter in editor.mapper.parameters())


@pytest.mark.parametrize("output", ["S", "W+"])
def test_the_harness_looks_at_the_images_once_for_all_strengths(tiny_domain, monkeypatch, output):
    editor, prompt = prepared(tiny_domain, output=output), tiny_domain.prompts[1]
    latents = tiny_domain.test_sources(3).latents
    wanted = [editor.edit(latents, prompt, strength).s for strength in (0.5, 2.0)]
    parameters = {**SMALL, "templates": False, "output": output}
    timed = TimedEditor(EditorSpec("deltaedit", DeltaEdit, parameters, "deltaedit"), tiny_domain.editing, 0, None)
    timed.fit(prompt)
    looks = []
    encode = type(tiny_domain.editing.clip).encode_images
    monkeypatch.setattr(
        type(tiny_domain.editing.clip), "encode_images", lambda clip, x: looks.append(len(x)) or encode(clip, x)
    )
    for strength, s in zip((0.5, 2.0), wanted, strict=True):
        torch.testing.assert_close(timed.edit(latents, prompt, strength)[0].s, s)
    assert looks == [3]


def test_any_direction_can_be_edited_along(tiny_domain):
    editor, latents = prepared(tiny_domain, threshold=0), tiny_domain.test_sources(2).latents
    features = tiny_domain.editing.image_features(tiny_domain.calibration_sources(2).latents)
    towards = torch.nn.functional.normalize(features[1] - features[0], dim=0)
    mask = torch.zeros(40, dtype=torch.bool)
    mask[7] = True
    offsets = editor.offsets_towards(latents, Target(towards, mask))
    assert offsets[:, 7].all()
    assert torch.count_nonzero(offsets) == 2


def test_prepare_finds_what_was_computed_and_tells_its_cost(tiny_domain):
    first = prepared(tiny_domain)
    files = sorted(tiny_domain.editing.artefacts.cache.iterdir())
    second = prepared(tiny_domain, threshold=0.2)
    assert sorted(tiny_domain.editing.artefacts.cache.iterdir()) == files
    assert len(files) == 2
    costs = []
    for path in files:
        with safe_open(path, "pt") as file:
            costs.append(float(file.metadata()["cost_s"]))
    assert second.prepare_cost_s == pytest.approx(sum(costs))
    assert first.prepare_cost_s == pytest.approx(sum(costs), abs=2e-3)


def test_another_network_or_another_training_is_another_artefact(tiny_domain):
    prepared(tiny_domain)
    tiny_domain.editing = replace(tiny_domain.editing, fingerprint="5" * 64)
    prepared(tiny_domain)
    prepared(tiny_domain, training_seed=1)
    files = list(tiny_domain.editing.artefacts.cache.iterdir())
    assert len([path for path in files if path.name.startswith("delta-mapper")]) == 3
    assert len([path for path in files if path.name.startswith("relevance")]) == 2


def test_the_artefact_holds_the_curve_and_its_key(tiny_domain):
    artefact = trained_mapper(tiny_domain.editing, Settings(steps=6, batch=4, evaluate_every=3))
    assert artefact.tensors["curve"][:, 0].tolist() == [3.0, 6.0]
    with safe_open(artefact.path, "pt") as file:
        key = json.loads(file.metadata()["key"])
    assert (key["steps"], key["domain"], key["arm"]) == (6, "4" * 64, "delta")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("threshold", -0.1, "a number, 0 or more"),
        ("threshold", "low", "a number, 0 or more"),
        ("learning_rate", 0, "a number above 0"),
        ("steps", 0, "a whole number, 1 or more"),
        ("training_images", -1, "a whole number, 0 or more"),
        ("levels", 1, "true or false"),
        ("arm", "delt", "one of delta, raw, centred, pseudo-text"),
        ("schedule", "linear", "one of constant, cosine"),
        ("origin", "real", "one of both, inverted, sampled"),
    ],
)
def test_prepare_refuses_what_is_not_allowed(tiny_domain, name, value, allowed):
    editor = DeltaEdit(**{**SMALL, name: value})
    sentence = rf"^The '{name}' parameter of DeltaEdit must be {allowed}\. Got {value!r} instead\.$"
    with pytest.raises(ValueError, match=sentence):
        editor.prepare(tiny_domain.editing)


def test_preparing_leaves_the_global_random_state_alone(tiny_domain):
    before = torch.get_rng_state()
    DeltaEdit(steps=2, batch=4, relevance_images=2, relevance_statistics=20).prepare(tiny_domain.editing)
    assert torch.equal(torch.get_rng_state(), before)


def test_output_in_w_plus_is_the_unmasked_offset_of_its_rows(tiny_domain):
    editor = prepared(tiny_domain, output="W+", threshold=0.4)
    latents, prompt, editing = tiny_domain.test_sources(3).latents, tiny_domain.prompts[1], tiny_domain.editing
    edited = editor.edit(latents, prompt, 0.5)
    rows = latents.w_plus.shape[1]
    shapes = {name: tuple(value.shape) for name, value in editor.mapper.state_dict().items()}
    assert shapes["sm_coarse.mapping.1.weight"] == (8, 8)
    source, target = editing.clip.encode_texts([prompt.source, prompt.target]).numpy()
    towards = torch.from_numpy((target - source) / np.linalg.norm(target - source))
    features = editing.clip.encode_images(editing.synthesis.synthesize(latents.s, latents.s_rgb))
    with torch.no_grad():
        offset = editor.mapper(latents.w_plus.flatten(1), torch.cat([features, towards.expand_as(features)], 1))
        wanted = latents.w_plus + 0.5 * offset.view(3, rows, 8)
        s, s_rgb = editing.synthesis.styles(wanted)
    assert offset.abs().min() > 0  # nothing is masked
    for got, value in ((edited.w_plus, wanted), (edited.s, s), (edited.s_rgb, s_rgb)):
        torch.testing.assert_close(got, value)


def test_w_plus_needs_codes_in_w_plus(tiny_domain):
    training_set = replace(tiny_domain.editing.training_set(), w_plus=None)
    editing = replace(tiny_domain.editing, training_set=lambda: training_set)
    with pytest.raises(ValueError, match="has no W\\+"):
        trained_mapper(editing, Settings(steps=1, batch=8, output="W+"))


def test_the_address_of_a_mapper_in_s_is_what_it_was_before_there_was_another_output():
    assert "output" not in Settings().training_key()
    assert Settings(output="W+").training_key() == {**Settings().training_key(), "output": "W+"}


def test_a_threshold_that_leaves_no_channel_is_told(tiny_domain):
    from eval.prompts import Prompt

    editor = DeltaEdit(threshold=5, steps=2, batch=4, relevance_images=2, relevance_statistics=20, templates=False)
    editor.prepare(tiny_domain.editing)
    with pytest.warns(UserWarning, match=r"deltaedit: threshold = 5 leaves no channel.*largest relevance is \d"):
        editor.fit(Prompt("glasses", "face", "face with glasses", "glasses", "round"))
