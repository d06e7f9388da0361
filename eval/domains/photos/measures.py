"""What the judges' numbers are read against, measured on the domain's own images: σ, identity floor and ceiling.

σ is the standard deviation of a value's one-against-rest log-odds. The floor is the mean cosine of two different
images, which in a set of portraits are different persons. The ceiling is the mean cosine of an image and its mirror
image: there is one picture of each person only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from eval.metrics.attributes import log_odds
from eval.metrics.identity import floor_and_ceiling, identity_similarity
from eval.pixels import round_to_8_bit

Attributes = Callable[[Tensor], Mapping[str, Tensor]]
Identity = Callable[[Tensor], Tensor]


@torch.inference_mode()
def measure(images: Iterable[Tensor], attributes: Attributes, identity: Identity) -> dict[str, Tensor]:
    """Measure σ, floor and ceiling.

    Args:
        images: batches, float32 [n, 3, H, W] in [-1, 1], on the judges' device.
        attributes: the attribute judge.
        identity: the identity judge.

    Returns:
        ``sigma.<factor>`` float32 [V], NaN where a value's log-odds do not differ; ``identity`` float32 [2]: floor and
        ceiling, NaN without an identity judge.
    """
    logits: dict[str, list[Tensor]] = {}
    embeddings, mirrored = [], []
    for batch in images:
        batch = round_to_8_bit(batch)
        for factor, values in attributes(batch).items():
            logits.setdefault(factor, []).append(values.float().cpu())
        embeddings.append(identity(batch).cpu())
        mirrored.append(identity(batch.flip(3)).cpu())
    persons = torch.cat(embeddings)
    ceiling = float(identity_similarity(persons, torch.cat(mirrored)).nanmean())
    persons = persons[~persons.isnan().any(1)]  # without images in which no face was found
    floor, _ = floor_and_ceiling(persons, torch.arange(len(persons)))
    sigma = {f"sigma.{factor}": _sigma(torch.cat(parts)) for factor, parts in logits.items()}
    return {**sigma, "identity": torch.tensor([floor, ceiling])}


def _sigma(logits: Tensor) -> Tensor:
    """Standard deviation of the log-odds of logits [N, V]: [V]."""
    if len(logits) < 2:
        return torch.full((logits.shape[1],), torch.nan)
    sigma = log_odds(logits).std(0)
    return sigma.masked_fill(~(sigma > 0), torch.nan)
