"""Does the delta space align CLIP's images and texts? Four arms measured on the same pairs, with intervals.

=============  ============================================  ============================================
arm            image side                                    text side
=============  ============================================  ============================================
raw            i                                             t
centred        i - mean of i                                 t - mean of t
delta          i_k - i_partner                               t_k - t_partner, the same partners
released       the deltas that came with the features        likewise
=============  ============================================  ============================================

All are scaled to unit length. ``delta`` is the mean over 20 permutations that give every pair a partner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from eval.errors import UsageError
from eval.metrics import alignment as metric
from eval.statistics.bootstrap import multinomial_weights, share_interval

PERMUTATIONS = 20  # partners of every pair for the arm `delta`
FITTED_PERMUTATIONS = 4  # of them, for what solves an E x E system in every fold: Procrustes and the classifiers
DRAWS = 1000  # bootstrap draws
BINS = 6  # of ‖Δt‖, of equally many pairs
TAIL = 0.025  # on each side of a 95 % interval
RECALLS = ("r1_image_to_text", "r5_image_to_text", "r1_text_to_image", "r5_text_to_image")
CLASSIFIERS = ("modality_accuracy", "modality_accuracy_squares")
METRICS = ("gap", "cosine_paired", "cosine_unpaired", *RECALLS, *CLASSIFIERS, "cka", "procrustes")


@dataclass(frozen=True)
class Pairs:
    """Features of images and of their texts.

    Attributes:
        images: float [N, E], rows of any length but 0.
        texts: float [N, E]; row k is the text of image k.
        released: image deltas and text deltas that came with them, float [N, E] each; None without.
    """

    images: np.ndarray
    texts: np.ndarray
    released: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Sample:
    """One matched set of unit vectors.

    Attributes:
        images: float64 [n, E].
        texts: float64 [n, E].
        members: int64 [n, M], the pairs that each row was made of.
        norms: ‖Δt‖ before scaling, float64 [n]; None for arms without deltas.
        classified: both sides as the modality classifiers see them, where that differs: float64 [n, E] each.
    """

    images: np.ndarray
    texts: np.ndarray
    members: np.ndarray
    norms: np.ndarray | None = None
    classified: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class NormBin:
    """Cosine of Δi and Δt of the pairs whose ‖Δt‖ lies between two bounds."""

    lower: float
    upper: float
    middle: float  # mean ‖Δt‖
    pairs: int
    cosine: Estimate


@dataclass(frozen=True)
class ArmAlignment:
    """What was measured of one arm.

    Attributes:
        arm: its name.
        estimates: metric -> number and interval, in the order of ``METRICS``.
        norms: alignment against ‖Δt‖; empty for arms without deltas.
        sample: the vectors that figures show (the first permutation).
    """

    arm: str
    estimates: dict[str, Estimate]
    norms: tuple[NormBin, ...]
    sample: Sample


@dataclass
class _Ratio:
    """Weighted mean of one metric over several samples, in every draw: numerators and denominators [draws + 1]."""

    above: np.ndarray | float = 0.0
    below: np.ndarray | float = 0.0

    def add(self, above: np.ndarray, below: np.ndarray) -> None:
        self.above, self.below = self.above + above, self.below + below

    @property
    def draws(self) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            values: np.ndarray = np.asarray(self.above) / np.asarray(self.below)
        return values


def measure(
    pairs: Pairs, seed: int = 0, draws: int = DRAWS, permutations: int = PERMUTATIONS
) -> tuple[ArmAlignment, ...]:
    """Measure every arm on the same pairs, folds and bootstrap draws.

    Pairs are drawn with replacement; a delta counts as often as both of its pairs were drawn (product weights, Owen
    2007), so that it is known that deltas share pairs. For retrieval the queries are drawn and the gallery stays.

    Args:
        pairs: at least 20.
        seed: of partners, folds and draws.
        draws: bootstrap draws.
        permutations: partners of every pair for the arm ``delta``.

    Raises:
        UsageError: hardly any two pairs differ in image and text, so there are no deltas.

    Returns:
        ``raw``, ``centred``, ``delta``, and ``released`` if the pairs have it.
    """
    seeds = np.random.SeedSequence(seed).spawn(4)
    folds = np.random.default_rng(seeds[0]).permutation(len(pairs)) % 2
    weights = _weights(len(pairs), draws, np.random.default_rng(seeds[1]))
    rng = np.random.default_rng(seeds[2])
    disjoint = np.random.default_rng(seeds[3])
    images, texts = metric.unit(pairs.images), metric.unit(pairs.texts)
    everyone = np.arange(len(pairs))
    partners = [cyclic_partners(folds, rng) for _ in range(permutations)]
    samples = {
        "raw": [_plain(images, texts)],
        "centred": [_centred(images, texts, folds)],
        "delta": [_delta(pairs, np.stack([everyone, others], axis=1)) for others in partners],
    }
    fewest = min(len(sample.images) for sample in samples["delta"])
    if fewest < len(pairs) / 2:
        raise UsageError(
            f"Only {fewest} of {len(pairs)} pairs differ from another one in image and in text; "
            "deltas need at least half of them."
        )
    if pairs.released is not None:
        samples["released"] = [_plain(*pairs.released, deltas=True)]
    return tuple(_measure_arm(arm, sets, pairs, folds, weights, disjoint) for arm, sets in samples.items())


def cyclic_partners(folds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A partner for everyone, never oneself and always of the same fold: the next one in random order, int64 [N]."""
    partners = np.empty(len(folds), dtype=np.int64)
    for fold in np.unique(folds):
        order = rng.permutation(np.flatnonzero(folds == fold))
        partners[order] = np.roll(order, -1)
    return partners


def _weights(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Row 0: everyone once; then the draws. float64 [draws + 1, count]."""
    return np.concatenate([np.ones((1, count)), multinomial_weights(count, draws, rng)])


def _plain(images: np.ndarray, texts: np.ndarray, deltas: bool = False) -> Sample:
    norms = np.linalg.norm(np.asarray(texts, dtype=np.float64), axis=1) if deltas else None
    return Sample(metric.unit(images), metric.unit(texts), np.arange(len(images))[:, None], norms)


def _centred(images: np.ndarray, texts: np.ndarray, folds: np.ndarray) -> Sample:
    """Each side without its mean.

    For the classifiers, each fold without its own mean: a common mean would tell the fitted half which way the mean of
    the held-out half lies (the opposite), and put the accuracy below chance.
    """
    sample = _plain(images - images.mean(0), texts - texts.mean(0))
    sides = []
    for side in (images, texts):
        moved = side.copy()
        for fold in np.unique(folds):
            moved[folds == fold] -= side[folds == fold].mean(0)
        sides.append(metric.unit(moved))
    return replace(sample, classified=(sides[0], sides[1]))


def _delta(pairs: Pairs, members: np.ndarray) -> Sample:
    """Deltas of members [n, 2]; two equal images or two equal texts have no direction and are left out."""
    sides = [side[members[:, 0]] - side[members[:, 1]] for side in map(metric.unit, (pairs.images, pairs.texts))]
    lengths = [np.linalg.norm(side, axis=1) for side in sides]
    there = (lengths[0] > metric.TIE) & (lengths[1] > metric.TIE)
    return Sample(metric.unit(sides[0][there]), metric.unit(sides[1][there]), members[there], lengths[1][there])


def _measure_arm(
    arm: str, samples: list[Sample], pairs: Pairs, folds: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> ArmAlignment:
    sums = {name: _Ratio() for name in METRICS}
    for number, sample in enumerate(samples):
        drawn = weights[:, sample.members].prod(2)
        _add_means(sums, sample, drawn)
        if number < FITTED_PERMUTATIONS:
            _add_fitted(sums, sample, drawn, folds[sample.members[:, 0]])
    if arm == "delta":
        # CKA compares deltas with each other: none of them may share a pair, and then they are drawn independently.
        order = rng.permutation(len(pairs))[: len(pairs) // 2 * 2]
        sample = _delta(pairs, order.reshape(-1, 2))
        drawn = _weights(len(sample.images), len(weights) - 1, rng)
    else:
        sample, drawn = samples[0], weights
    sums["cka"].add(metric.cka(sample.images, sample.texts, drawn), np.ones(len(drawn)))
    estimates = {name: _estimate(name, ratio.draws, len(pairs)) for name, ratio in sums.items()}
    return ArmAlignment(arm, estimates, tuple(_norm_bins(samples, weights)), samples[0])


def _add_fitted(sums: dict[str, _Ratio], sample: Sample, drawn: np.ndarray, folds: np.ndarray) -> None:
    paired, strangers = metric.procrustes_distances(sample.images, sample.texts, folds)
    sums["procrustes"].add(drawn @ paired, drawn @ strangers)
    sides = sample.classified or (sample.images, sample.texts)
    for name, (images, texts) in {
        "modality_accuracy": sides,
        "modality_accuracy_squares": (sides[0] ** 2, sides[1] ** 2),
    }.items():
        sums[name].add(drawn @ metric.modality_hits(images, texts, folds), drawn.sum(1))


def _add_means(sums: dict[str, _Ratio], sample: Sample, drawn: np.ndarray) -> None:
    total = drawn.sum(1)
    gap, unpaired = metric.gap_and_unpaired(sample.images, sample.texts, drawn)
    sums["gap"].add(gap, np.ones(len(drawn)))
    sums["cosine_unpaired"].add(unpaired, np.ones(len(drawn)))
    columns = {"cosine_paired": (sample.images * sample.texts).sum(1)}
    for direction, query, gallery in (
        ("image_to_text", sample.images, sample.texts),
        ("text_to_image", sample.texts, sample.images),
    ):
        hits = metric.recall_hits(query, gallery, (1, 5))
        columns |= {f"r1_{direction}": hits[:, 0], f"r5_{direction}": hits[:, 1]}
    for name, column in columns.items():
        sums[name].add(drawn @ column, total)


def _estimate(name: str, draws: np.ndarray, count: int) -> Estimate:
    """The statistic (first entry) and its interval from the draws (the others)."""
    value, drawn = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
    if np.isnan(value) or not len(drawn):
        return Estimate(value, np.nan, np.nan)
    if name in RECALLS + CLASSIFIERS:  # never an empty interval at 0 % or 100 %
        return Estimate(value, *share_interval(value, float(drawn.std(ddof=1)), count - 1, TAIL))
    if name == "gap":  # noise can only lengthen a difference of means, in squares by as much in every draw
        drawn = np.maximum(drawn - (drawn.mean() - value), 0)
        low, high = np.sqrt(np.quantile(drawn, [TAIL, 1 - TAIL]))
        return Estimate(float(np.sqrt(value)), float(low), float(high))
    if name == "cosine_unpaired":  # deltas that share a pair are not quite strangers, and product weights stress them
        drawn = drawn - (drawn.mean() - value)
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    return Estimate(value, float(low), float(high))


def _norm_bins(samples: list[Sample], weights: np.ndarray) -> Iterator[NormBin]:
    if samples[0].norms is None:
        return
    norms = np.concatenate([sample.norms for sample in samples if sample.norms is not None])
    edges = np.quantile(norms, np.linspace(0, 1, BINS + 1))
    places = np.clip(np.searchsorted(edges, norms, side="right") - 1, 0, BINS - 1)
    cosines = np.concatenate([(sample.images * sample.texts).sum(1) for sample in samples])
    ratios = [_Ratio() for _ in range(BINS)]
    start = 0
    for sample in samples:
        drawn = weights[:, sample.members].prod(2)
        own = slice(start, start := start + len(sample.images))
        for place in range(BINS):
            inside = places[own] == place
            ratios[place].add(drawn[:, inside] @ cosines[own][inside], drawn[:, inside].sum(1))
    for place in range(BINS):
        inside = places == place
        if inside.any():
            cosine = _estimate("cosine", ratios[place].draws, int(inside.sum()))
            middle = float(norms[inside].mean())
            yield NormBin(float(edges[place]), float(edges[place + 1]), middle, int(inside.sum()), cosine)
