"""Many images in groups: draws and sign flips of 10,000 images take no more time and memory than those of 1,000.

The images of a group are drawn, or flipped, together. A mean of n images has the same skewness, and its estimated
variance the same expectation, whether it is thought of as n images or as n / m groups of m images put together at
random; a flip of whole groups is as exact a test as one of images. Standard errors stay those of single images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

MOST = 1000  # images (or prompts) that are drawn one by one: at 999 degrees of freedom Student's t is normal
SEED = 0  # of who is put together with whom


def groups_of(clusters: int) -> int:
    """Into how many groups so many images are put.

    >>> groups_of(200), groups_of(10_000)
    (200, 1000)
    """
    return min(clusters, MOST)


def merged(sums: np.ndarray) -> np.ndarray:
    """Sums of each group of images.

    Args:
        sums: float64 [I, …] of single images.

    Returns:
        float64 [G, …] in ``groups_of(I)`` groups, whose sizes differ by at most one; unchanged up to ``MOST`` images.
    """
    if len(sums) <= MOST:
        return sums
    order = np.random.default_rng(SEED).permutation(len(sums))
    starts = np.linspace(0, len(sums), MOST, endpoint=False).astype(np.int64)
    return np.asarray(np.add.reduceat(sums[order], starts, axis=0))


def draw_each(
    draw: Callable[[int, int, np.random.Generator], np.ndarray],
    clusters: Sequence[int],
    draws: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """What is drawn for each kind of cluster, one kind after the other: arrays [draws, G] that are read only.

    Args:
        draw: of so many groups, so often, by a generator.
        clusters: how many of each kind.
        draws: how often.
        rng: random numbers.
    """
    arrays = tuple(draw(groups_of(count), draws, rng) for count in clusters)
    for array in arrays:
        array.setflags(write=False)
    return arrays
