"""Intervals of shares whose cells come in clusters, near 0 and 1 too.

Two intervals of each kind of cluster, and at each end the wider one:

* Korn and Graubard's (1998, Surv. Methodol. 24:193), Clopper and Pearson's at the number of independent cells that
  would have the clustered variance. Where most clusters are easy and a few are hard, a sample without a hard one has
  almost no variance, and this interval is far too short: it covered 75 % of the time for 8 prompts.
* That of the mean of beta-binomial counts (Williams 1975, Biometrics 31:949; Crowder 1978, Appl. Stat. 27:34) by the
  profile likelihood ratio. The beta distribution of the clusters' true shares tells how much hard ones may be missing.
  But true shares need not be beta distributed, and where each is known exactly the likelihood trusts that too much.

Both take Student's t at Satterthwaite's degrees of freedom for the normal quantile, as few clusters call for. Images
and prompts together: the squares of both distances from the mean add (Zou and Donner 2008, Stat. Med. 27:1693), less
what the noise of cells would count twice.

One cell an image are independent trials, which have an interval of their own (``trials``). Differences of two shares
(values in [-1, 1]) are the share of gains less the share of losses; their distances add likewise.

Values between 0 and 1 (the preservation of several factors) vary less within a cluster than hits and misses of the same
mean: they count as that many more cells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eval.statistics.trials import trials_interval
from eval.statistics.variance import cluster_variance, two_way_variance

ALIKE = np.linspace(-9.0, 6.0, 31)  # log-odds of the correlation within clusters over which the profile is taken
REACH = 9.0  # log-odds on either side of the mean in which the ends are sought
POINTS = 41
LITTLE = 1e-3  # shares of variances below this count as this, so that nothing is divided by 0


def clustered_share_interval(values: np.ndarray, *, two_way: bool, tail: float) -> tuple[float, float]:
    """Interval of the mean of cells in [0, 1].

    Args:
        values: float64 [I, P] in [0, 1], NaN where missing; at least two images, and for two-way two prompts.
        two_way: prompts could have been others as well as images.
        tail: chance to miss on each side, in (0, 0.5).

    >>> low, high = clustered_share_interval(np.ones((20, 1)), two_way=False, tail=0.025)  # no failure on 20 images
    >>> round(low, 3), high
    (0.832, 1.0)
    """
    present = ~np.isnan(values)
    values = values[np.ix_(present.any(1), present.any(0))]
    mean = float(np.nanmean(values))
    if mean <= 0 or mean >= 1:
        clusters = min(values.shape) if two_way else len(values)
        return share_interval(mean, 0.0, clusters - 1, tail)
    if not two_way and _independent(values):
        return trials_interval(int(np.nansum(values)), len(values), 2 * tail)
    noise = _noise_of_cells(values)
    (low, high), between = _distances(values, mean, noise, tail)
    if two_way:
        of_prompts, _ = _distances(values.T, mean, noise, tail)
        low, high = np.hypot(of_prompts, np.sqrt(between) * np.array([low, high]))
    return max(0.0, mean - float(low)), min(1.0, mean + float(high))


def difference_interval(values: np.ndarray, *, two_way: bool, tail: float) -> tuple[float, float]:
    """Interval of the mean of paired differences of cells in [0, 1].

    The gains max(d, 0) and the losses max(-d, 0) are shares of the same cells, each with an interval of its own; the
    squares of their distances add, less twice their covariance (Zou and Donner 2008). So it has a width where no cell
    differs, too: the difference could be as large as the share of images that would have shown none.

    Args:
        values: float64 [I, P] in [-1, 1], NaN where missing; at least two images, and for two-way two prompts.
        two_way: as above.
        tail: as above.

    >>> low, high = difference_interval(np.zeros((20, 1)), two_way=False, tail=0.025)
    >>> round(low, 3), round(high, 3)
    (-0.168, 0.168)
    """
    gains, losses = np.maximum(values, 0.0), np.maximum(-values, 0.0)  # NaN stays
    up, down = float(np.nanmean(gains)), float(np.nanmean(losses))
    gains_low, gains_high = clustered_share_interval(gains, two_way=two_way, tail=tail)
    losses_low, losses_high = clustered_share_interval(losses, two_way=two_way, tail=tail)
    alike = _correlation(gains, losses, two_way)
    below = _without_overlap(up - gains_low, losses_high - down, alike)
    above = _without_overlap(gains_high - up, down - losses_low, alike)
    return max(-1.0, up - down - below), min(1.0, up - down + above)


def _without_overlap(first: float, second: float, alike: float) -> float:
    """Distance of a difference from those of its parts, whose correlation is ``alike``."""
    return float(np.sqrt(max(first**2 + second**2 - 2 * alike * first * second, 0.0)))


def _correlation(gains: np.ndarray, losses: np.ndarray, two_way: bool) -> float:
    """Correlation of the two means, from the variances of their sum and difference; 0 where one does not vary."""
    parts = np.stack([gains, losses, gains - losses])
    variance = two_way_variance(parts) if two_way else cluster_variance(parts, 1)
    product = float(variance[0] * variance[1])
    if product <= 0:
        return 0.0
    return float(np.clip((variance[0] + variance[1] - variance[2]) / (2 * np.sqrt(product)), -1.0, 1.0))


def share_interval(mean: float, standard_error: float, freedom: float, tail: float) -> tuple[float, float]:
    """Korn and Graubard's interval of a share; where all cells agree, clusters are the independent trials.

    Args:
        mean: the share, in [0, 1].
        standard_error: clustered.
        freedom: its degrees of freedom.
        tail: chance to miss on each side, in (0, 0.5).

    >>> low, high = share_interval(1.0, 0.0, 19, 0.025)  # no failure on 20 images
    >>> round(low, 3), high
    (0.832, 1.0)
    """
    from scipy.special import betaincinv, ndtri, stdtrit

    trials = freedom + 1
    if standard_error > 0 and 0 < mean < 1:
        trials = mean * (1 - mean) / standard_error**2 * float(ndtri(tail) / stdtrit(freedom, tail)) ** 2
    hits, misses = mean * trials, (1 - mean) * trials
    low = 0.0 if mean <= 0 else float(betaincinv(hits, misses + 1, tail))
    high = 1.0 if mean >= 1 else float(betaincinv(hits + 1, misses, 1 - tail))
    return low, high


def _independent(values: np.ndarray) -> bool:
    """Whether every image has one cell, which is a hit or a miss."""
    present = ~np.isnan(values)
    return bool((present.sum(1) == 1).all() and np.isin(values[present], (0.0, 1.0)).all())


def _noise_of_cells(values: np.ndarray) -> float:
    """Variance of a cell among those of its prompt."""
    counts = (~np.isnan(values)).sum(0)
    repeated = counts > 1
    if not repeated.any():
        return float(np.nanvar(values))
    parts = values[:, repeated]
    return float(np.nansum((parts - np.nanmean(parts, axis=0)) ** 2) / (counts[repeated] - 1).sum())


def _distances(values: np.ndarray, mean: float, noise: float, tail: float) -> tuple[np.ndarray, float]:
    """How far the ends are from the mean when rows of [G, H] are the clusters, and the share of rows in its variance.

    The share of rows is what is left of the clustered variance of the mean without the noise of cells, in [0, 1].
    """
    from scipy.special import stdtrit

    counts = (~np.isnan(values)).sum(1).astype(np.float64)
    shares = np.nansum(values, axis=1) / counts
    variance = float(cluster_variance(values[None], 1)[0])
    between = max(0.0, 1 - noise / counts.sum() / variance) if variance > 0 else 0.0
    # Satterthwaite 1946: the noise of cells is known well, the differences of clusters are known from G - 1.
    freedom = (len(counts) - 1) / max(between, LITTLE) ** 2
    # Hits and misses of these means would vary within clusters by this much.
    repeated = (counts - 1).sum()
    binary = float((shares * (1 - shares) * counts).sum() / repeated) if repeated else 0.0
    binary = binary or mean * (1 - mean)
    trials = counts / np.clip(noise / binary, LITTLE, 1.0)
    ends = np.array(
        [
            beta_binomial_interval(shares, trials, float(stdtrit(freedom, 1 - tail))),
            share_interval(mean, float(np.sqrt(variance)), freedom, tail),
        ]
    )
    return np.maximum(0.0, [mean - ends[:, 0].min(), ends[:, 1].max() - mean]), between


def beta_binomial_interval(shares: np.ndarray, trials: np.ndarray, quantile: float) -> tuple[float, float]:
    """Means that the profile likelihood of beta-binomial counts does not reject.

    Args:
        shares: float64 [G] in [0, 1], hits over trials; not all 0 and not all 1.
        trials: float64 [G] > 0, need not be whole.
        quantile: of the signed root of the likelihood ratio; 1.96 for 95 % of many clusters.
    """
    centre = float(shares @ trials / trials.sum())
    # Closer near the centre, where the likelihood bends.
    steps = REACH * np.sinh(np.linspace(-3.0, 3.0, POINTS)) / np.sinh(3.0)
    places = np.log(centre / (1 - centre)) + steps
    profile = _Profile(places, shares, trials)
    best = _summit(profile, POINTS, POINTS // 2)
    low = _crossing(places, profile, quantile, range(best, -1, -1))
    high = _crossing(places, profile, quantile, range(best, POINTS))
    return float(1 / (1 + np.exp(-low))), float(1 / (1 + np.exp(-high)))


def _crossing(places: np.ndarray, profile: _Profile, quantile: float, order: range) -> float:
    """First place where the signed root exceeds the quantile, on a line between the two points around it."""
    highest, before = profile(order[0]), 0.0  # roots are nearly straight lines on both sides
    for place in order[1:]:
        root = float(np.sqrt(2 * max(highest - profile(place), 0.0)))
        if root > quantile:
            last = places[place - order.step]
            return float(last + (quantile - before) / (root - before) * (places[place] - last))
        before = root
    return float(np.inf * order.step)


def _summit(height: Callable[[int], float], count: int, start: int) -> int:
    """Where a function of 0 to count - 1 with one summit is highest, climbing from a start."""
    here = start
    for step in (1, -1):
        while 0 <= here + step < count and height(here + step) > height(here):
            here += step
    return here


class _Profile:
    """Largest log-likelihood over the correlation at a place, a log-odds of the mean; each is computed when asked for.

    Along the correlations the likelihood has one summit, so few of them need be tried.

    Args:
        places: float64 [K].
        shares: float64 [G], of the clusters.
        trials: float64 [G].
    """

    def __init__(self, places: np.ndarray, shares: np.ndarray, trials: np.ndarray) -> None:
        (shares, trials), self._times = np.unique(np.stack([shares, trials]), axis=1, return_counts=True)
        self._means = 1 / (1 + np.exp(-places))
        self._trials, self._hits, self._misses = trials, shares * trials, (1 - shares) * trials
        self._known: dict[int, float] = {}
        self._likelihoods: dict[tuple[int, int], float] = {}
        self._both: dict[int, float] = {}
        self._near: int | None = None  # the correlation that was best at the last place

    def __call__(self, place: int) -> float:
        """At this place; the height of the parabola through the largest value and its neighbours."""
        if place not in self._known:
            self._known[place] = self._peak(place)
        return self._known[place]

    def _peak(self, place: int) -> float:
        start = self._near
        if start is None:
            start = max(range(0, len(ALIKE), 5), key=lambda row: self._likelihood(place, row))
        best = self._near = _summit(lambda row: self._likelihood(place, row), len(ALIKE), start)
        middle = min(max(best, 1), len(ALIKE) - 2)
        left, top, right = (self._likelihood(place, middle + step) for step in (-1, 0, 1))
        curvature, slope = left - 2 * top + right, (right - left) / 2
        if curvature < 0 and abs(slope) <= -curvature:
            return top + slope**2 / (-2 * curvature)
        return max(left, top, right)

    def _likelihood(self, place: int, row: int) -> float:
        if (place, row) not in self._likelihoods:
            from scipy.special import gammaln

            weight = np.exp(-ALIKE[row])  # (1 - ρ) / ρ: sum of the two parameters of the beta distribution
            if row not in self._both:
                self._both[row] = float((gammaln(weight + self._trials) - gammaln(weight)) @ self._times)
            first, second = self._means[place] * weight, (1 - self._means[place]) * weight
            self._likelihoods[place, row] = float(
                (gammaln(first + self._hits) - gammaln(first)) @ self._times
                + (gammaln(second + self._misses) - gammaln(second)) @ self._times
                - self._both[row]
            )
        return self._likelihoods[place, row]
