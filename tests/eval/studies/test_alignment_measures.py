from pathlib import Path

import numpy as np
import pytest

from eval.errors import UsageError
from eval.studies.alignment.measures import METRICS, Pairs, cyclic_partners, measure
from eval.studies.alignment.pairs import load_features

PUBLISHED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "clip_embeddings"


def _pairs(count=120, width=6, gap=3.0, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(count, width))
    images, texts = (shared + 0.7 * rng.normal(size=(count, width)) for _ in range(2))
    images[:, 0] += gap
    return Pairs(images, texts)


def _unit(rows):
    return rows / np.sqrt((rows**2).sum(1))[:, None]


def _by_arm(pairs, **options):
    return {found.arm: found for found in measure(pairs, **options)}


@pytest.fixture(scope="module")
def measured():
    return _by_arm(_pairs(), draws=200, permutations=6)


def test_every_arm_has_every_metric_inside_its_interval(measured):
    assert list(measured) == ["raw", "centred", "delta"]
    for found in measured.values():
        assert tuple(found.estimates) == METRICS
        for name, estimate in found.estimates.items():
            assert estimate.low <= estimate.value <= estimate.high, (found.arm, name)
            assert estimate.high - estimate.low < 0.6, (found.arm, name)


def test_raw_numbers_against_their_definitions(measured):
    pairs = _pairs()
    images, texts = _unit(pairs.images), _unit(pairs.texts)
    cosines = images @ texts.T
    raw = {name: estimate.value for name, estimate in measured["raw"].estimates.items()}
    assert raw["gap"] == pytest.approx(np.linalg.norm(images.mean(0) - texts.mean(0)))
    assert raw["cosine_paired"] == pytest.approx(np.trace(cosines) / 120)
    assert raw["cosine_unpaired"] == pytest.approx((cosines.sum() - np.trace(cosines)) / (120 * 119))
    assert raw["r1_image_to_text"] == pytest.approx((cosines.argmax(1) == np.arange(120)).mean())
    assert raw["r1_text_to_image"] == pytest.approx((cosines.argmax(0) == np.arange(120)).mean())


def test_centring_and_deltas_close_the_gap(measured):
    gaps = {arm: found.estimates["gap"].value for arm, found in measured.items()}
    linear = {arm: found.estimates["modality_accuracy"].value for arm, found in measured.items()}
    assert gaps["raw"] > 0.5 > 5 * max(gaps["centred"], gaps["delta"])
    assert linear["raw"] > 0.8 > 0.65 > max(linear["centred"], linear["delta"])


def test_delta_cosine_is_the_mean_over_all_pairs():
    pairs = _pairs(30)
    images, texts = _unit(pairs.images), _unit(pairs.texts)
    cosines = []
    for first in range(30):
        for second in range(first):
            a, b = images[first] - images[second], texts[first] - texts[second]
            cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    found = _by_arm(pairs, draws=20, permutations=400)["delta"].estimates["cosine_paired"].value
    assert found == pytest.approx(np.mean(cosines), abs=0.03)  # partners are of one half: most pairs of 30 are seen


def test_interval_of_a_mean_is_that_of_the_normal_distribution():
    pairs = _pairs(400)
    found = _by_arm(pairs, draws=1000, permutations=1)["raw"].estimates["cosine_paired"]
    cosines = (_unit(pairs.images) * _unit(pairs.texts)).sum(1)
    half = 1.96 * cosines.std(ddof=1) / 20
    assert found.low == pytest.approx(cosines.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(cosines.mean() + half, abs=0.15 * half)


def test_interval_of_deltas_covers_that_they_share_pairs():
    estimates = [_by_arm(_pairs(60, seed=seed), draws=100, permutations=5)["delta"].estimates for seed in range(20)]
    values = np.array([found["cosine_paired"].value for found in estimates])
    widths = np.mean([found["cosine_paired"].high - found["cosine_paired"].low for found in estimates])
    assert widths / (2 * 1.96) == pytest.approx(values.std(ddof=1), rel=0.5)


def test_a_perfect_classifier_has_an_interval():
    pairs = _pairs()
    pairs.images[:, 0], pairs.texts[:, 0] = 30.0, -30.0
    accuracy = _by_arm(pairs, draws=50, permutations=2)["raw"].estimates["modality_accuracy"]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low == pytest.approx(0.025 ** (1 / 120))  # Clopper and Pearson, no miss in 120


def test_alignment_against_the_norm_of_text_deltas():
    pairs = _pairs(200)
    released = pairs.images[1:] - pairs.images[:-1], pairs.texts[1:] - pairs.texts[:-1]
    pairs = Pairs(pairs.images[1:], pairs.texts[1:], released)
    found = _by_arm(pairs, draws=50, permutations=3)
    norms = np.linalg.norm(released[1], axis=1)
    cosines = (_unit(released[0]) * _unit(released[1])).sum(1)
    bins = found["released"].norms
    assert found["raw"].norms == found["centred"].norms == ()
    assert sum(part.pairs for part in bins) == 199 and sum(part.pairs for part in found["delta"].norms) == 597
    for part in bins:
        inside = (norms >= part.lower) & ((norms < part.upper) | (part is bins[-1]))
        assert part.pairs == inside.sum()
        assert part.middle == pytest.approx(norms[inside].mean())
        assert part.cosine.value == pytest.approx(cosines[inside].mean())
    assert bins[-1].cosine.value > bins[0].cosine.value  # noise hides short deltas


def test_equal_texts_make_no_delta():
    pairs = _pairs(40)
    pairs.texts[:10] = pairs.texts[0]
    delta = _by_arm(pairs, draws=20, permutations=8)["delta"]
    assert sum(part.pairs for part in delta.norms) < 8 * 40
    assert np.linalg.norm(delta.sample.texts, axis=1) == pytest.approx(np.ones(len(delta.sample.texts)))
    pairs.texts[:] = pairs.texts[0]
    with pytest.raises(UsageError, match="Only 0 of 40 pairs differ"):
        measure(pairs, draws=20, permutations=2)


def test_same_seed_same_numbers():
    first, second, other = (
        [found.estimates for found in measure(_pairs(40), seed, draws=20, permutations=2)] for seed in (1, 1, 2)
    )
    assert first == second != other


def test_partners_are_others_of_the_same_fold():
    folds = np.arange(31) % 2
    partners = cyclic_partners(folds, np.random.default_rng(0))
    assert sorted(partners) == list(range(31))
    assert (partners != np.arange(31)).all() and (folds[partners] == folds).all()


# The numbers of the two published sets, each measured elsewhere: metric, arm, CelebA, COCO.
MEASURED_BEFORE = (
    ("gap", "raw", 0.964, 0.826),
    ("cosine_paired", "raw", 0.255, 0.304),
    ("cosine_unpaired", "raw", 0.224, 0.151),
    ("cosine_paired", "released", 0.163, 0.374),
    ("cosine_paired", "delta", 0.098, 0.301),
    ("cosine_paired", "centred", 0.099, 0.303),
    ("modality_accuracy", "raw", 1.00, 1.00),
    ("modality_accuracy", "released", 0.76, None),  # COCO: 47 %, which is chance
    ("r1_image_to_text", "raw", 0.009, 0.474),
    ("r1_image_to_text", "centred", 0.017, 0.446),
    ("r1_image_to_text", "delta", 0.025, 0.871),
)


@pytest.mark.parametrize("name", ["celeba", "cocoval"])
def test_published_arrays_give_the_known_numbers(name):
    if not (PUBLISHED / name).is_dir():
        pytest.skip("the published features are not here")
    found = _by_arm(load_features(PUBLISHED / name), draws=100, permutations=4)
    for metric, arm, celeba, coco in MEASURED_BEFORE:
        expected = celeba if name == "celeba" else coco
        estimate = found[arm].estimates[metric]
        if expected is not None:
            assert estimate.low - 0.001 <= expected <= estimate.high + 0.001, (metric, arm, estimate)
    chance = found["released"].estimates["modality_accuracy"].value
    assert name == "celeba" or abs(chance - 0.5) < 0.035
