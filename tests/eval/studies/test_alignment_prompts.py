import numpy as np
import pytest
import torch

from deltaedit.text import text_feature
from eval.errors import UsageError
from eval.studies.alignment.prompts import ARMS, EncodedCounterfactuals, encoded_counterfactuals, measure_prompts


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def edits():
    rng = np.random.default_rng(0)
    originals, counterfactuals = rng.normal(size=(30, 5)), rng.normal(size=(30, 3, 5))
    texts = rng.normal(size=(2, 3, 5))
    eligible = rng.random((30, 3)) < 0.7
    return EncodedCounterfactuals(_unit(originals), _unit(counterfactuals), eligible, _unit(texts[0]), _unit(texts[1]))


def _sides(edits, arm, image, prompt):
    """The formulas of the module's table, one image and prompt at a time."""
    i, t = edits.counterfactuals[image, prompt], edits.targets
    if arm == "centred":
        return i - edits.originals.mean(0), t - t.mean(0)
    if arm == "delta":
        return i - edits.originals[image], t - edits.sources
    return i, t


@pytest.mark.parametrize("arm", ARMS)
def test_means_against_loops(edits, arm):
    *prompts, everything = measure_prompts(edits, ("a", "b", "c"), draws=20)
    own, others, found = [], [], []
    for prompt in range(3):
        mine = []
        for image in np.flatnonzero(edits.eligible[:, prompt]):
            i, t = _sides(edits, arm, image, prompt)
            cosines = np.array([i @ row / np.linalg.norm(i) / np.linalg.norm(row) for row in t])
            mine.append(cosines[prompt])
            others.append(np.delete(cosines, prompt).mean())
            found.append(cosines.argmax() == prompt)
        own += mine
        assert prompts[prompt].estimates[arm, "own"].value == pytest.approx(np.mean(mine))
        assert prompts[prompt].images == len(mine)
    assert everything.estimates[arm, "own"].value == pytest.approx(np.mean(own))
    assert everything.estimates[arm, "others"].value == pytest.approx(np.mean(others))
    assert everything.estimates[arm, "found"].value == pytest.approx(np.mean(found))
    for estimate in everything.estimates.values():
        assert estimate.low < estimate.value < estimate.high


def test_names_and_norms(edits):
    found = measure_prompts(edits, ("a", "b", "c"), draws=20)
    assert [part.prompt for part in found] == ["a", "b", "c", "all"]
    assert found[1].norm == pytest.approx(np.linalg.norm(edits.targets[1] - edits.sources[1]))
    assert np.isnan(found[-1].norm) and found[-1].images == edits.eligible.any(1).sum()


def test_exact_edits_of_a_domain(tiny_domain):
    found = encoded_counterfactuals(tiny_domain, 12, tiny_domain.judges.clip)
    sources = tiny_domain.test_sources(12)
    prompt = tiny_domain.prompts[2]  # a smile; hidden for red hair
    clip = tiny_domain.judges.clip
    counterfactuals = clip.encode_images(tiny_domain.counterfactuals("test", 12, prompt))
    assert torch.allclose(torch.tensor(found.originals), clip.encode_images(sources.images), atol=1e-6)
    assert torch.allclose(torch.tensor(found.counterfactuals[:, 2]), counterfactuals, atol=1e-6)
    assert torch.allclose(torch.tensor(found.targets[2]), text_feature(clip, "face with smile"), atol=1e-6)
    assert torch.allclose(torch.tensor(found.sources[2]), text_feature(clip, "face"), atol=1e-6)
    smiles = sources.factors[:, 2] == 1
    assert found.eligible[:, 2].tolist() == (~smiles & tiny_domain.visible("test", 12, prompt)[:, 2]).tolist()
    assert 0 < found.eligible[:, 2].sum() < 12


def test_a_domain_that_does_not_know_the_answers(tiny_domain):
    tiny_domain.counterfactuals = lambda *_: None
    with pytest.raises(UsageError, match="'tiny' does not know the counterfactuals"):
        encoded_counterfactuals(tiny_domain, 4, tiny_domain.judges.clip)
