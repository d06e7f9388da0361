"""What must hold of the images of a run before any number is worth having: no picture twice, a judge that can see."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from eval.domains.base import Domain, Sources
from eval.errors import UsageError
from eval.pixels import Pictures

WORST_LOSS = 0.2  # of accuracy on the run's images against the judge's card; a permuted judge loses far more
FEWEST_IMAGES = 10  # that show a factor, for a verdict on that factor alone


def check_distinct(names: Sequence[str], images: Pictures) -> None:
    """Refuse a set in which one picture is there twice: intervals count every image as a draw of its own.

    Args:
        names: one an image.
        images: float32 [N, 3, H, W], read one by one.

    Raises:
        UsageError: it names both.
    """
    seen: dict[bytes, str] = {}
    for row, name in enumerate(names):
        digest = hashlib.sha256(images[row : row + 1].contiguous().cpu().numpy().tobytes()).digest()
        if digest in seen:
            raise UsageError(
                f"The images '{seen[digest]}' and '{name}' are the same picture; every image must be there once, "
                "because intervals and tests count each as one more observation: remove one of them."
            )
        seen[digest] = name


def check_reading(domain: Domain, sources: Sources, logits: Mapping[str, Tensor]) -> None:
    """Refuse an attribute judge that reads the run's own images much worse than its card promises.

    Nothing is checked where the domain does not know the factors of its images, or the judge's accuracy was never
    measured.

    Args:
        domain: its factors, and the accuracy promised.
        sources: the images, with their exact factors.
        logits: factor -> the judge's logits [N, V] of these images.

    Raises:
        UsageError: it names the factor, or all, and both accuracies.
    """
    promised = domain.judges.accuracy
    if sources.factors is None or not promised or not len(sources):
        return
    right, seen = readings(domain, sources, logits)
    counts = {factor: int(seen[:, i].sum()) for i, factor in enumerate(domain.factors)}
    for i, factor in enumerate(domain.factors):
        if counts[factor] >= FEWEST_IMAGES and factor in promised:
            _refuse_below(f"the factor '{factor}'", float(right[seen[:, i], i].mean()), promised[factor])
    if seen.any():
        expected = sum(counts[factor] * promised.get(factor, 1.0) for factor in domain.factors) / sum(counts.values())
        _refuse_below("all factors", float(right[seen].mean()), expected)


def readings(domain: Domain, sources: Sources, logits: Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Whether the judge reads what is there, and whether it can be seen: bool [N, F] each."""
    assert sources.factors is not None
    read = np.stack([logits[factor].argmax(1).cpu().numpy() for factor in domain.factors], 1)
    seen = np.zeros(read.shape, dtype=bool)
    for prompt in domain.prompts:  # what is seen before and after some edit is seen before
        visible = domain.visible("test", len(sources), prompt)
        seen |= True if visible is None else np.asarray(visible, dtype=bool)
    right: np.ndarray = read == sources.factors
    return right, seen


def _refuse_below(what: str, measured: float, promised: float) -> None:
    if measured < promised - WORST_LOSS:
        raise UsageError(
            f"The attribute judge reads {what} right in {measured:.0%} of the run's images, its card promises "
            f"{promised:.0%}: its answers may be in another order than the factors' values; check it with "
            "`deltabench judges`."
        )
