"""Adam, for networks whose weights are too large to pass over them more often than needed.

The update is PyTorch's. Large parameters get theirs within the backward pass, as soon as their gradient is whole: it is
still in the cache then, and it is given back at once, so that the next one lies in the same memory. Of the 83 million
gradients of the 1024 px Delta Mapper never more than those of two layers exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import nn

LARGE = 1 << 20  # numbers; of a smaller parameter the gradient costs less than a call of the optimiser


class BackwardAdam:
    """Adam whose large parameters are updated by ``backward``, the others by ``step``.

    So between ``backward`` and ``step`` nothing may look at the weights or at the gradients, and one ``backward`` is
    one step: gradients of several do not add up.

    Args:
        parameters: float, to be updated.
        learning_rate: of the first step, see ``set_learning_rate``.
        betas: decay of the mean gradient and of the squared one.
        large: parameters of so many numbers are updated by ``backward``.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        betas: tuple[float, float],
        large: int = LARGE,
    ) -> None:
        every = list(parameters)
        alone = [parameter for parameter in every if parameter.numel() >= large]
        together = [parameter for parameter in every if parameter.numel() < large]
        groups = [[parameter] for parameter in alone] + ([together] if together else [])
        self.optimisers = [torch.optim.Adam(group, learning_rate, betas, fused=True) for group in groups]
        for parameter, optimiser in zip(alone, self.optimisers, strict=False):
            parameter.register_post_accumulate_grad_hook(partial(_update, optimiser))
        self._last = self.optimisers[len(alone) :]

    def set_learning_rate(self, learning_rate: float) -> None:
        """Of the next step; to be called before ``backward``."""
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate

    def step(self) -> None:
        """Update the small parameters, and forget their gradients."""
        for optimiser in self._last:
            optimiser.step()
            optimiser.zero_grad()

    def state_dict(self) -> list[dict[str, Any]]:
        """All that the next steps depend on, besides the parameters."""
        return [optimiser.state_dict() for optimiser in self.optimisers]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go on where ``state_dict`` was called."""
        for optimiser, part in zip(self.optimisers, state, strict=True):
            optimiser.load_state_dict(part)


def _update(optimiser: torch.optim.Optimizer, parameter: torch.Tensor) -> None:
    """One step of the only parameter of an optimiser."""
    optimiser.step()
    parameter.grad = None
