"""The domain with the packages' files; skipped where they are not."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import eval.domains.faces.domain as module
from eval.domains.faces.domain import GENERATOR_FILES, IDENTITY_FILES, TRUNK_FILE, FacesDomain
from eval.domains.faces.labelled import read
from eval.domains.faces.networks import FACTORS, LABELS, TEXT_PART, split_logits
from eval.domains.faces.regions import REGIONS
from eval.weights.packages import find

FILES = (*GENERATOR_FILES, TRUNK_FILE, *IDENTITY_FILES)
needs_files = pytest.mark.skipif(
    any(find(name) is None for name in FILES), reason="`deltabench models fetch faces` was not run"
)


@pytest.fixture(scope="module")
def domain():
    return FacesDomain()


def test_every_value_but_the_first_has_a_label():
    assert {factor: len(values) - 1 for factor, values in FACTORS.items()} == {k: len(v) for k, v in LABELS.items()}
    assert set(REGIONS) < set(FACTORS)
    logits = split_logits(torch.arange(15.0)[None])
    assert list(logits) == list(FACTORS)
    assert logits["hair"].tolist() == [[0.0, 4.0, 5.0]] and logits["sex"].tolist() == [[0.0, 12.0]]


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
