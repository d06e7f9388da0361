"""Many images in groups: draws and sign flips of 10,000 images take no more time and memory than those of 1,000.

The images of a group are drawn, or flipped, together. A mean of n images has the same skewness, and its estimated
variance the same expectation, whether it is thought of as n images or as n / m groups of m images put together at
random; a flip of whole groups is as exact a test as one of images. Standard errors stay those of single images.
"""

from __future__ import annotations

import numpy as np

MOST = (
    1000  # images (or prompts) that are drawn one by one: 999 degrees of freedom, where Student's t has become normal
)
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
