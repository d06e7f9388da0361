"""StyleCLIP's latent optimization (Patashnik et al., ICCV 2021, arXiv 2103.17249, section 4).

For each image of code w_s and text t, by Adam,

    w* = argmin_w  D_CLIP(G(w), t) + λ_L2 ‖w - w_s‖²₂ + λ_ID (1 - ⟨R(G(w)), R(G(w_s))⟩)

in W+, with D_CLIP = 1 - cosine and R an identity network. Nothing is shared between images or prompts, so every edit
costs the whole optimization. Strength multiplies the offset found: w' = w_s + strength (w* - w_s).
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from baselines.objectives import (
    clip_distance,
    identity_distance,
    needed_identity,
    preset_name,
    ramped_rate,
)
from baselines.per_image import PerImageOptimizer
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.parameters import check, number, of_preset, one_of, parameter, positive, settled, whole


@dataclass(frozen=True)
class Setting:
    """What the two published ways to run it differ in."""

    steps: int = parameter(MISSING, whole(), "Adam's steps")
    lambda_l2: float = parameter(MISSING, number(0), "weight of the sum of squares over all of W+")
    lambda_id: float = parameter(MISSING, number(0), "weight of the identity term; 0 leaves it out")


PRESETS = {"cli": Setting(300, 0.008, 0.0), "colab": Setting(40, 0.008, 0.005)}


@dataclass(eq=False)
class StyleClipOptimization(PerImageOptimizer):
    """Optimizes the W+ code of every image apart."""

    name: ClassVar[str] = "styleclip-optimization"
    space: ClassVar[str] = "W+"
    knob: ClassVar[str] = "w + strength · (w* - w)"
    paper: ClassVar[str] = "Patashnik et al., StyleCLIP (latent optimization), ICCV 2021, arXiv 2103.17249"

    preset: Literal["auto", "cli", "colab"] = parameter(
        "auto",
        one_of(("auto", *PRESETS)),
        "cli: the defaults of the released script; colab: those of the authors' notebook; auto: cli for generators "
        "from 256 px up, colab below, where its 40 steps edit as strongly as 300",
    )
    steps: int | None = of_preset(Setting, "steps")
    lambda_l2: float | None = of_preset(Setting, "lambda_l2")
    lambda_id: float | None = of_preset(Setting, "lambda_id")
    learning_rate: float = parameter(0.1, positive(), "Adam's learning rate at the peak of its ramp")

    def prepare(self, domain: EditingDomain) -> None:
        """Nothing is computed per generator.

        Raises:
            ValueError: a hyper-parameter that is not allowed, or an identity term in a domain without identity network.
        """
        check(self)
        self._setting = settled(self, PRESETS[preset_name(self.preset, domain.synthesis, "cli", "colab")])
        self._identity = needed_identity(domain, self.name, self._setting.lambda_id)
        self.start_with(domain)

    def optimize(self, start: Tensor, text: Tensor) -> Tensor:
        """w* of codes [N, L, D]: losses are summed and Adam works number by number, so no image sees another."""
        sources = self._source_identities(start)
        w_plus = start.clone().requires_grad_()
        optimizer = torch.optim.Adam([w_plus], lr=self.learning_rate)
        steps = self._setting.steps
        for step in range(steps - 1):  # the released code shows the picture made before its last step
            optimizer.param_groups[0]["lr"] = ramped_rate(step / steps, self.learning_rate)
            loss = self.losses(w_plus, start, sources, text).sum()
            (w_plus.grad,) = torch.autograd.grad(loss, w_plus)  # of w alone: the networks' .grad stays as it was
            optimizer.step()
        return w_plus.detach()

    def losses(self, w_plus: Tensor, start: Tensor, sources: Tensor | None, text: Tensor) -> Tensor:
        """The objective of every image.

        Args:
            w_plus: float32 [N, L, D], under optimization.
            start: float32 [N, L, D], of the images to edit.
            sources: float32 [N, E], identity features of those; None without identity term.
            text: float32 [E], unit norm.

        Returns:
            float32 [N].
        """
        images = self._domain.synthesis(w_plus)
        loss = clip_distance(self._domain.clip.encode_images(images), text)
        loss = loss + self._setting.lambda_l2 * (w_plus - start).square().sum((1, 2))
        if self._identity is not None and sources is not None:
            loss = loss + self._setting.lambda_id * identity_distance(self._identity(images), sources)
        return loss

    def _source_identities(self, start: Tensor) -> Tensor | None:
        if self._identity is None:
            return None
        with torch.no_grad():
            return self._identity(self._domain.synthesis(start))
