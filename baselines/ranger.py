"""Ranger, the optimizer that StyleCLIP's mapper is trained with.

Three published ideas in one (constants of version 20.4.11, which StyleCLIP uses):

    gradient centralisation (Yong et al. 2020)   g <- g - mean of g over all axes but the first (not for biases)
    RAdam (Liu et al. 2020)                      Adam, the variance of its step rectified, β = (0.95, 0.999), ε = 1e-5
    Lookahead (Zhang et al. 2019)                every 6 steps  slow <- slow + 0.5 (fast - slow),  fast <- slow
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Ranger(torch.optim.RAdam):
    """RAdam on centralised gradients, with Lookahead.

    Args:
        parameters: to train; each must have its gradient at every step.
        lr: learning rate.
        lookahead_steps: fast steps between two slow ones.
        lookahead_share: how far a slow step goes towards the fast weights.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, lookahead_steps: int = 6, lookahead_share: float = 0.5
    ) -> None:
        trained = list(parameters)
        super().__init__(trained, lr=lr, betas=(0.95, 0.999), eps=1e-5)
        self.trained = trained
        self.slow: list[Tensor] = [parameter.detach().clone() for parameter in trained]
        self.lookahead_steps = lookahead_steps
        self.lookahead_share = lookahead_share
        self.steps = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients that the parameters hold."""
        for parameter in self.trained:
            if parameter.grad is not None and parameter.grad.dim() > 1:
                parameter.grad -= parameter.grad.mean(tuple(range(1, parameter.grad.dim())), keepdim=True)
        super().step(closure)
        self.steps += 1
        if self.steps % self.lookahead_steps == 0:
            for parameter, slow in zip(self.trained, self.slow, strict=True):
                slow.lerp_(parameter, self.lookahead_share)
                parameter.copy_(slow)
