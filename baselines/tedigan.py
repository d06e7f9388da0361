"""TediGAN's instance-level optimization with CLIP (Xia et al., CVPR 2021, arXiv 2012.03308; extended 2104.08910).

For an image x and a text t, Adam minimises over z in W+

    1.0 MSE(x, x̂) + 5e-5 MSE(F(x), F(x̂)) + 2.0 R(z) + w_CLIP (1 - cos(x̂, t)),      x̂ = G(z), F perceptual features

in one of two published ways, which are different methods in practice:

    instance   from the encoder's code z_x of x;   R(z) = MSE(z, E(x̂)), E the encoder;   Adam at 0.01;          w_CLIP 2
    demo       from the mean latent;               R(z) = MSE(z, z_x);                   Adam at 0.1, ramped;   w_CLIP 1

The terms of x hold an edit back: it stays weak unless w_CLIP is raised (for ``demo`` the authors' README does, to 200,
with 500 steps). Strength multiplies the offset found: w' = z_x + strength (z* - z_x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from baselines.objectives import clip_distance, gradients, ramped_rate
from baselines.per_image import PerImageOptimizer
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.errors import MissingNetworkError
from deltaedit.tools.parameters import check, number, of_preset, one_of, parameter, positive, settled, whole

MEAN_SAMPLES = 4096  # images that the mean latent is taken over


@dataclass(frozen=True)
class Setting:
    """What the two published ways to run it differ in, besides start and R."""

    steps: int = parameter(MISSING, whole(), "Adam's steps")
    learning_rate: float = parameter(MISSING, positive(), "Adam's learning rate, at the peak where it is ramped")
    clip_weight: float = parameter(MISSING, number(0), "w_CLIP, the weight of the CLIP term")


PRESETS = {"instance": Setting(200, 0.01, 2.0), "demo": Setting(200, 0.1, 1.0)}


@dataclass(eq=False)
class TediGan(PerImageOptimizer):
    """Optimizes the W+ code of every image apart, held to the image by reconstruction terms."""

    name: ClassVar[str] = "tedigan"
    space: ClassVar[str] = "W+"
    knob: ClassVar[str] = "z + strength · (z* - z)"
    paper: ClassVar[str] = "Xia et al., TediGAN, CVPR 2021, arXiv 2012.03308 and 2104.08910"

    preset: Literal["instance", "demo"] = parameter(
        "instance", one_of(tuple(PRESETS)), "instance: base/invert.py of the release; demo: its 1024 px ext/demo.py"
    )
    steps: int | None = of_preset(Setting, "steps")
    learning_rate: float | None = of_preset(Setting, "learning_rate")
    clip_weight: float | None = of_preset(Setting, "clip_weight")
    pixel_weight: float = parameter(1.0, number(0), "weight of MSE(x, x̂)")
    perceptual_weight: float = parameter(
        5e-5, number(0), "weight of the perceptual features' mean squared difference, averaged over the feature maps"
    )
    code_weight: float = parameter(2.0, number(0), "weight of R(z)")

    def prepare(self, domain: EditingDomain) -> None:
        """Average the mean latent, for ``demo``.

        Raises:
            ValueError: a hyper-parameter that is not allowed, or a domain without the encoder or the perceptual network
                that the loss needs.
        """
        check(self)
        self._setting = settled(self, PRESETS[self.preset])
        self.start_with(domain)
        self._encoder, self._perceptual = self._networks(domain)
        with gradients():
            self._mean = domain.sample(MEAN_SAMPLES, 0).w_plus.clone().mean(0) if self.preset == "demo" else None

    def optimize(self, code: Tensor, text: Tensor) -> Tensor:
        """z* of codes [N, L, D]: losses are summed and Adam works number by number, so no image sees another."""
        setting = self._setting
        # The release compares with the photograph in ``instance``; an editor here is given its code, so x = G(z_x).
        with torch.no_grad():
            source = self._domain.synthesis(code)
        z = (code if self._mean is None else self._mean.expand_as(code)).clone().requires_grad_()
        optimizer = torch.optim.Adam([z], lr=setting.learning_rate)
        for step in range(setting.steps - 1):  # the released code saves the picture made before its last step
            if self.preset == "demo":
                optimizer.param_groups[0]["lr"] = ramped_rate(step / setting.steps, setting.learning_rate)
            loss = self.losses(z, code, source, text).sum()
            (z.grad,) = torch.autograd.grad(loss, z)  # of z alone: the networks' .grad stays as it was
            optimizer.step()
        return z.detach()

    def losses(self, z: Tensor, code: Tensor, source: Tensor, text: Tensor) -> Tensor:
        """The objective of every image.

        Args:
            z: float32 [N, L, D], under optimization.
            code: float32 [N, L, D], z_x.
            source: float32 [N, 3, H, W], x.
            text: float32 [E], unit norm.

        Returns:
            float32 [N].
        """
        images = self._domain.synthesis(z)
        loss = self.pixel_weight * (images - source).square().mean((1, 2, 3))
        loss = loss + self._setting.clip_weight * clip_distance(self._domain.clip.encode_images(images), text)
        if self._perceptual is not None:
            pairs = list(zip(self._perceptual(images), self._perceptual(source), strict=True))
            distances = torch.stack([(ours - theirs).square().flatten(1).mean(1) for ours, theirs in pairs])
            loss = loss + self.perceptual_weight * distances.mean(0)
        if self.code_weight:
            anchor = code if self._encoder is None else self._encoder(images)
            loss = loss + self.code_weight * (z - anchor).square().mean((1, 2))
        result: Tensor = loss
        return result

    def _networks(self, domain: EditingDomain) -> tuple[nn.Module | None, Callable[[Tensor], list[Tensor]] | None]:
        """Encoder (``instance`` only) and perceptual network, None where the loss does without."""
        encoder = domain.encoder if self.preset == "instance" and self.code_weight else None
        if self.preset == "instance" and self.code_weight and encoder is None:
            raise MissingNetworkError(
                "encoder",
                f"{self.name} with preset 'instance' needs an encoder, which the domain '{domain.name}' does not have",
                "use preset=demo",
            )
        if self.perceptual_weight and domain.perceptual is None:
            raise MissingNetworkError(
                "perceptual",
                f"The loss of {self.name} compares perceptual features, but the domain '{domain.name}' has no "
                "perceptual network for editors",
                "set perceptual_weight=0",
            )
        return encoder, domain.perceptual if self.perceptual_weight else None
