"""The domain with the packages' files; skipped where they are not."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

import eval.domains.faces.domain as module
from baselines.styleclip_mapper import PRESETS, StyleClipMapper
from baselines.stylemc import StyleMC
from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefacts
from eval.domains.faces.domain import GENERATOR_FILES, IDENTITY_FILES, TRUNK_FILE, FacesDomain
from eval.domains.faces.generator import to_float
from eval.domains.faces.labelled import read
from eval.domains.faces.networks import FACTORS, LABELS, TEXT_PART, split_logits
from eval.weights.packages import find
from reports.figures.pictures.domain_sheet import measured_lines

pytestmark = pytest.mark.slow

FILES = (*GENERATOR_FILES, TRUNK_FILE, *IDENTITY_FILES)
needs_files = pytest.mark.skipif(
    any(find(name) is None for name in FILES), reason="`deltabench models fetch faces` was not run"
)


@pytest.fixture(scope="module")
def domain():
    return FacesDomain()


def test_every_value_but_the_first_has_a_label():
    assert {factor: len(values) - 1 for factor, values in FACTORS.items()} == {k: len(v) for k, v in LABELS.items()}
    logits = split_logits(torch.arange(15.0)[None])
    assert list(logits) == list(FACTORS)
    assert logits["hair"].tolist() == [[0.0, 4.0, 5.0]] and logits["sex"].tolist() == [[0.0, 12.0]]


def test_the_sheet_tells_what_every_card_measured(domain):
    text = " ".join(measured_lines(domain))
    for network in domain.shipped:
        assert f"{network}: " in text
    assert f"labelled-faces: adult {domain.card('labelled-faces')['measured']['age: adult']}," in text
    assert ": 0." not in text  # a number without its name


def test_the_sets_of_seeds_are_apart():
    sources = tomllib.loads(Path(module.__file__).with_name("sources.toml").read_text(encoding="utf-8"))
    sets = [set(sources["test"]), set(sources["calibration"])]
    sets += [set(read(name).index) for name in ("captions", "judges", "held_out")]
    sets += [
        set(range(module.TRAINING_SEED, module.TRAINING_SEED + module.TRAINING_SAMPLES)),
        set(range(30_000, 31_500)),
    ]
    assert len(sources["test"]) == 200 and len(sources["calibration"]) == 50
    assert sum(len(each) for each in sets) == len(set.union(*sets))


def test_labels_are_yes_no_or_blank():
    for name, count in (("captions", 600), ("judges", 700), ("held_out", 700)):
        labels = read(name)
        assert len(labels) == count and np.isin(labels.to_numpy(), (0, 1)).mean() > 0.85
        colours = labels[["black_hair", "brown_hair", "blond_hair", "grey_hair"]]
        assert ((colours == 1).sum(axis=1) <= 1).mean() > 0.99


@needs_files
def test_faces_are_exact_and_judges_see_them(domain):
    sources = domain.test_sources(3)
    assert sources.images[:].shape == (3, 3, 256, 256) and len(set(sources.names)) == 3
    with torch.inference_mode():
        again = domain.editing.images(sources.latents)
        assert (again.clamp(-1, 1) - sources.images[:]).abs().max() < 0.01  # 8 bits
        logits = domain.judges.attributes(sources.images[:])
        assert {factor: values.shape[1] for factor, values in logits.items()} == {k: len(v) for k, v in FACTORS.items()}
        identity = domain.judges.identity(sources.images[:])
    assert torch.allclose(identity.norm(dim=1), torch.ones(3))
    assert domain.counterfactuals("test", 3, domain.prompts[0]) is None


@needs_files
def test_every_face_has_regions_of_its_own(domain, monkeypatch, capsys):
    """Eyes and mouths of aligned faces lie at known places; faces that are not found get fixed boxes."""
    glasses, lipstick = (
        domain.region("test", 3, next(prompt for prompt in domain.prompts if prompt.name == name))
        for name in ("glasses", "lipstick")
    )
    assert glasses.shape == lipstick.shape == (3, 256, 256)
    assert glasses[:, 121, 98:158].all() and not glasses[:, 200].any()
    assert lipstick[:, 185, 120:136].all() and not lipstick[:, 121].any()
    assert not (glasses[0] == glasses[1]).all()
    grey = np.full((2, 3, 256, 256), 128, dtype=np.uint8)
    monkeypatch.setattr(FacesDomain, "_pictures", lambda self, which, count: grey)
    monkeypatch.setattr(FacesDomain, "_kept", lambda self, name, count, rest: rest(0))
    blind = FacesDomain().region("test", 2, domain.prompts[0])
    assert (blind[0] == blind[1]).all()
    assert "No landmarks in 2 of 2 test faces" in capsys.readouterr().err


@needs_files
def test_texts_say_nothing_about_the_person(domain):
    texts = domain.editing.clip.encode_texts(["face with glasses", "old face"])
    assert texts[:, TEXT_PART:].abs().max() == 0 and texts[:, :TEXT_PART].abs().max() > 0
    images = domain.editing.clip.encode_images(domain.test_sources(2).images[:])
    halves = images[:, :TEXT_PART].norm(dim=1), images[:, TEXT_PART:].norm(dim=1)
    assert all(float(half.min()) > 0.4 for half in halves)


@needs_files
def test_labelled_codes_are_those_of_the_labels(domain):
    codes = domain.labelled()
    table = read("captions")
    seed = int(table.index[table["glasses"] == 1][0])
    row = list(table.index).index(seed)
    assert codes.values["glasses"][int(codes.labels["glasses"][row])] == "glasses"
    torch.testing.assert_close(codes.w[row], domain.generator.w([seed])[0])


@needs_files
def test_deltaedit_and_r_s_are_shipped(domain):
    from deltaedit.editor import DeltaEdit

    editor = DeltaEdit()
    editor.prepare(domain.editing)
    editor.fit(domain.prompts[0])
    before = domain.test_sources(1).latents
    after = editor.edit(before, domain.prompts[0], 1.0)
    assert after.s.shape == before.s.shape and (after.s - before.s).abs().max() > 0.1


@needs_files
def test_the_second_judge_reads_what_the_first_reads(domain):
    """Two judges that share neither features nor labels agree on most of what unedited faces show."""
    pictures = domain.test_sources(8).images[:]
    with torch.inference_mode():
        first, second = domain.judges.attributes(pictures), domain.judges.second(pictures)
    same = [(first[name].argmax(1) == second[name].int().argmax(1)).float().mean() for name in FACTORS]
    assert torch.stack(same).mean() > 0.8
    assert not domain.judges.second_counts


@needs_files
def test_real_faces_that_show_a_value(domain):
    """Everybody whom one of the three persons called bald, and features that are those of their pictures."""
    every = pd.concat([read(name) for name in ("captions", "judges", "held_out")]).sort_index()
    bald = every.index[every["bald"] == 1]
    found = domain.judges.samples("hairline", "bald")
    assert found.shape == (len(bald), 1280) and len(bald) > 20
    picture = domain.generator.pictures(domain.generator.w([int(bald[0])]))
    with torch.inference_mode():
        features = domain.judges.frechet(to_float(picture))
    torch.testing.assert_close(found[:1], features, atol=2e-3, rtol=2e-3)  # kept in half precision
    assert len(domain.judges.samples("glasses", "none")) == 200


@needs_files
def test_destroyed_faces_are_not_real(domain):
    pictures = domain.test_sources(4).images[:]
    blurred = F.avg_pool2d(pictures, 33, 1, 16)
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.4, pictures.shape).astype(np.float32))
    with torch.inference_mode():
        distances = [domain.judges.realism(each) for each in (pictures, blurred, (pictures + noise).clamp(-1, 1))]
        features, same = domain.judges.frechet_and_realism(pictures)
        torch.testing.assert_close(features, domain.judges.frechet(pictures), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(same, distances[0])
    assert distances[0].max() <= 1 and distances[1].min() > 1 and distances[2].min() > 1


@needs_files
def test_a_clip_that_knows_captions_only(domain):
    variants = domain.editing.variants
    assert list(variants) == ["1600 samples", "captions only, 1600 samples"]
    fewer, blind = (variants[name]() for name in variants)
    assert fewer.fingerprint == domain.editing.fingerprint != blind.fingerprint  # the same R_s serves the first
    assert fewer.training_key == blind.training_key == {"samples": 1600}
    pictures = domain.test_sources(2).images[:]
    with torch.inference_mode():
        seeing, features = (editing.clip.encode_images(pictures) for editing in (fewer, blind))
    torch.testing.assert_close(features[:, :TEXT_PART], F.normalize(seeing[:, :TEXT_PART], dim=1))
    assert features[:, TEXT_PART:].abs().max() == 0


def test_every_face_is_read_by_a_head_that_has_not_seen_it():
    from eval.domains.faces.recipes.attribute_judge import PENALTY, left_out

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3 == 0
    x[y] += 0.8
    scores = left_out(x, y, PENALTY)
    fold = np.empty(60, dtype=int)
    fold[y], fold[~y] = np.arange(20) % 10, np.arange(40) % 10
    others = LogisticRegression(C=PENALTY, class_weight="balanced", tol=1e-10)
    part = x[fold != 3]
    others.fit((part - part.mean(0)) / part.std(0), y[fold != 3])
    expected = others.decision_function((x[fold == 3] - part.mean(0)) / part.std(0))
    np.testing.assert_allclose(scores[fold == 3], expected, atol=1e-4)


@needs_files
def test_editors_that_keep_the_person_work(domain, tmp_path):
    editing = replace(domain.editing, artefacts=Artefacts(tmp_path))
    latents = Latents.cat([editing.sample(1, 0), editing.sample(1, 1)])
    images = editing.images(latents).clamp(-1, 1).requires_grad_()
    features = editing.identity(images)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    (gradient,) = torch.autograd.grad(features[0] @ features[1], images)
    assert gradient.abs().max() > 0

    mapper = StyleClipMapper()
    mapper.prepare(editing)
    assert mapper.training == PRESETS["short"]  # the published training would take a day a text
    glasses = next(prompt for prompt in domain.prompts if prompt.name == "glasses")
    for editor in (StyleClipMapper(steps=1, batch=1, images=1), StyleMC(images=2, batch=1)):
        editor.prepare(editing)
        editor.fit(glasses)
        assert not torch.equal(editor.edit(latents, glasses, 1.0).s, latents.s)
