"""Images that are there twice, and judges that answer in another order, are refused before a run begins."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from eval.domains.base import Sources
from eval.errors import UsageError
from eval.judging.cells import judge_sources
from eval.judging.source_checks import check_distinct, check_reading, readings

FACTORS = {"glasses": ("none", "some"), "hair": ("black", "blond", "red")}


def world(visible=None, accuracy=None):
    """A domain of two factors whose images show ``visible``."""
    promised = {"glasses": 0.99, "hair": 0.95} if accuracy is None else accuracy
    judges = SimpleNamespace(accuracy=promised)
    return SimpleNamespace(factors=FACTORS, judges=judges, prompts=("any",), visible=lambda *_: visible)


def people(count=24):
    rng = np.random.default_rng(0)
    values = np.stack([rng.integers(0, 2, count), rng.integers(0, 3, count)], 1)
    images = torch.zeros(count, 3, 4, 4)
    sources = Sources(tuple(f"test-{i}" for i in range(count)), images, None, values)
    logits = {"glasses": torch.eye(2)[values[:, 0]] * 5, "hair": torch.eye(3)[values[:, 1]] * 5}
    return sources, logits


def test_a_judge_that_reads_what_is_there_passes():
    check_reading(world(), *people())


def test_a_judge_whose_values_are_permuted_is_refused():
    sources, logits = people()
    logits["hair"] = logits["hair"][:, [1, 2, 0]]
    with pytest.raises(
        UsageError, match=r"reads the factor 'hair' right in 0% of the run's images, its card promises 95%"
    ):
        check_reading(world(), sources, logits)


def test_a_judge_whose_images_are_shuffled_is_refused():
    sources, logits = people()
    shuffled = {name: values.roll(1, 0) for name, values in logits.items()}
    with pytest.raises(UsageError, match="check it with `deltabench judges`"):
        check_reading(world(), sources, shuffled)


def test_a_few_images_are_judged_together():
    sources, logits = people(4)
    check_reading(world(), sources, logits)
    with pytest.raises(UsageError, match="reads all factors right in"):
        check_reading(world(), sources, {name: -values for name, values in logits.items()})


def test_what_cannot_be_seen_is_not_read():
    sources, logits = people()
    logits["hair"] = -logits["hair"]
    seen = np.ones((24, 2), bool)
    seen[:, 1] = False
    check_reading(world(seen), sources, logits)
    right, shown = readings(world(seen), sources, logits)
    assert right[:, 0].all() and not right[:, 1].any() and (shown == seen).all()


def test_nothing_is_promised_nothing_is_checked():
    sources, logits = people()
    wrong = {name: -values for name, values in logits.items()}
    check_reading(world(accuracy={}), sources, wrong)
    check_reading(world(), Sources(sources.names, sources.images, None, None), wrong)


def test_a_picture_that_is_there_twice_is_refused():
    images = torch.rand(5, 3, 4, 4)
    check_distinct("abcde", images)
    images[4] = images[1]
    with pytest.raises(UsageError, match="The images 'b' and 'e' are the same picture"):
        check_distinct("abcde", images)


def test_a_run_refuses_duplicates_and_a_permuted_judge(tiny_domain):
    sources = tiny_domain.test_sources(6)
    judge_sources(tiny_domain, sources, 4)
    twice = Sources(sources.names, sources.images[[0, 1, 2, 3, 4, 0]], sources.latents, sources.factors)
    with pytest.raises(UsageError, match="'test-0000' and 'test-0005' are the same picture"):
        judge_sources(tiny_domain, twice, 4)
    promise = {factor: 1.0 for factor in tiny_domain.factors}
    tiny_domain.judges = dataclasses.replace(tiny_domain.judges, accuracy=promise)  # random networks see nothing
    with pytest.raises(UsageError, match=r"reads .* right in .* promises 100%"):
        judge_sources(tiny_domain, sources, 4)
