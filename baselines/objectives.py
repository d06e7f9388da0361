"""Terms that the losses of several editors share, and the scope in which editors may take gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from deltaedit.backbones.synthesis import Synthesis
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.errors import MissingNetworkError

Identity = Callable[[Tensor], Tensor]

SMALL_PX = 256  # generators below it are edited in our own way: by other presets, their mappers split otherwise


@contextmanager
def gradients() -> Iterator[None]:
    """Gradients are recorded inside, even where the caller runs under ``no_grad`` or ``inference_mode``.

    Tensors that come from inference mode must be cloned inside before they meet a gradient.
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield


def clip_distance(features: Tensor, text: Tensor) -> Tensor:
    """1 - cosine of image and text; StyleCLIP and TediGAN write it 1 - logit / 100, which is the same.

    Args:
        features: float [N, E], CLIP features of the images, unit norm, of CLIP's own preprocessing. The released codes
            feed nearest-upsampled, average-pooled images in [-1, 1] without CLIP's mean and standard deviation.
        text: float32 [E], unit norm.

    Returns:
        float32 [N] in [0, 2].

    >>> clip_distance(torch.tensor([[0.6, 0.8]]), torch.tensor([1.0, 0.0]))
    tensor([0.4000])
    """
    return 1 - features.float() @ text


def identity_distance(features: Tensor, sources: Tensor) -> Tensor:
    """1 - cosine of two images' identity features, float [N, E] of unit norm: float32 [N]."""
    return 1 - (features.float() * sources).sum(1)


def preset_name(asked: str, synthesis: Synthesis, large: str, small: str) -> str:
    """The preset that is meant: the one asked for; of ``auto`` the one for generators of this size."""
    if asked != "auto":
        return asked
    return large if synthesis.resolution >= SMALL_PX else small


def needed_identity(domain: EditingDomain, editor: str, weight: float) -> Identity | None:
    """The domain's identity network, or None when the weight of the identity term is 0.

    Raises:
        MissingNetworkError: the editor needs one and the domain has none.
    """
    if weight == 0:
        return None
    if domain.identity is None:
        raise MissingNetworkError(
            "identity",
            f"The loss of {editor} has an identity term of weight {weight:g}, but the domain '{domain.name}' "
            "has no identity network for editors",
            "set that weight to 0",
        )
    return domain.identity


def in_blocks(work: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """``work`` on blocks of exactly ``size`` rows, the last filled up with its last row; the results joined.

    Convolutions sum in another order for another batch size, and hundreds of steps of Adam turn that last digit into
    another picture. With blocks of one size a batch of n equals n batches of one.

    >>> in_blocks(lambda block: block * len(block), torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([2., 4., 6.])
    """
    if not len(rows):
        return rows
    blocks = []
    for block in rows.split(size):
        filled = torch.cat([block, block[-1:].expand(size - len(block), *block.shape[1:])])
        blocks.append(work(filled)[: len(block)])
    return torch.cat(blocks)


def block_size(synthesis: Synthesis) -> int:
    """Images to optimize at a time: one at the published sizes, for memory; ten of small ones, which is faster."""
    return 1 if synthesis.resolution >= 256 else 10


def ramped_rate(t: float, rate: float, ramp_down: float = 0.25, ramp_up: float = 0.05) -> float:
    """Learning rate at the share ``t`` of the steps, as in StyleGAN2's projector: linear up, flat, half a cosine down.

    >>> [round(ramped_rate(t, 0.1), 3) for t in (0, 0.025, 0.5, 0.875, 1)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / ramp_down))
    return rate * down * min(1.0, t / ramp_up)
