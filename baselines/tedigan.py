"""TediGAN's instance-level optimisation with CLIP (Xia et al., CVPR 2021, arXiv 2012.03308; extended 2104.08910).

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
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from baselines.objectives import clip_distance, gradients, ramped_rate
from baselines.per_image import PerImageOptimizer
from deltaedit.domain import EditingDomain
from deltaedit.errors import MissingNetworkError
from deltaedit.parameters import is_count, is_number, require

MEAN_SAMPLES = 4096  # images that the mean latent is taken over


@dataclass(frozen=True)
class Setting:
    """What the two published ways to run it differ in, besides start and R.

    Attributes:
        steps: of Adam.
        learning_rate: of Adam, the peak where it is ramped.
        clip_weight: w_CLIP.
    """

    steps: int
    learning_rate: float
    clip_weight: float


PRESETS = {"instance": Setting(200, 0.01, 2.0), "demo": Setting(200, 0.1, 1.0)}


class TediGan(PerImageOptimizer):
    """Optimises the W+ code of every image apart, held to the image by reconstruction terms.

    Args:
        preset: ``instance`` (``base/invert.py`` of the release) or ``demo`` (its 1024 px ``ext/demo.py``).
        steps: instead of the preset's.
        learning_rate: instead of the preset's.
        clip_weight: instead of the preset's.
        pixel_weight: of MSE(x, x̂).
        perceptual_weight: of the mean squared difference of the perceptual features, averaged over the feature maps.
        code_weight: of R(z).
    """

    name: ClassVar[str] = "tedigan"
    space: ClassVar[str] = "W+"
    knob: ClassVar[str] = "z + strength · (z* - z)"
    paper: ClassVar[str] = "Xia et al., TediGAN, CVPR 2021, arXiv 2012.03308 and 2104.08910"

    def __init__(
        self,
        preset: Literal["instance", "demo"] = "instance",
        steps: int | None = None,
        learning_rate: float | None = None,
        clip_weight: float | None = None,
        pixel_weight: float = 1.0,
        perceptual_weight: float = 5e-5,
        code_weight: float = 2.0,
    ) -> None:
        self.preset = preset
        self.steps = steps
        self.learning_rate = learning_rate
        self.clip_weight = clip_weight
        self.pixel_weight = pixel_weight
        self.perceptual_weight = perceptual_weight
        self.code_weight = code_weight

    def prepare(self, domain: EditingDomain) -> None:
        """Average the mean latent, for ``demo``.

        Raises:
            ValueError: a hyper-parameter that is not allowed, or a domain without the encoder or the perceptual network
                that the loss needs.
        """
        self._validate()
        published = PRESETS[self.preset]
        self._setting = Setting(
            published.steps if self.steps is None else self.steps,
            published.learning_rate if self.learning_rate is None else self.learning_rate,
            published.clip_weight if self.clip_weight is None else self.clip_weight,
        )
        self.start_with(domain)
        self._encoder, self._perceptual = self._networks(domain)
        with gradients():
            self._mean = domain.sample(MEAN_SAMPLES, 0).w_plus.clone().mean(0) if self.preset == "demo" else None

    def optimise(self, code: Tensor, text: Tensor) -> Tensor:
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
            z: float32 [N, L, D], under optimisation.
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

    def _validate(self) -> None:
        require(self.preset in PRESETS, self, "preset", f"one of {', '.join(PRESETS)}")
        require(self.steps is None or is_count(self.steps), self, "steps", "a whole number, 1 or more, or none")
        rate, clip_weight = self.learning_rate, self.clip_weight
        require(rate is None or is_number(rate, 1e-9), self, "learning_rate", "a number above 0, or none")
        require(clip_weight is None or is_number(clip_weight, 0), self, "clip_weight", "a number, 0 or more, or none")
        for name in ("pixel_weight", "perceptual_weight", "code_weight"):
            require(is_number(getattr(self, name), 0), self, name, "a number, 0 or more")
