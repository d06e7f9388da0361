"""StyleMC (Kocasari et al., WACV 2022, arXiv 2112.08493): one direction in S per prompt, learnt on a few images.

    Δs = argmin  Σ_k  -cos(G(s_k + Δs), t)  +  λ_ID · mean over the batch of (1 - ⟨R(G(s_k + Δs)), R(G(s_k))⟩)

over the convolutions from 8 to 64 px only, on pictures of at most 256 px ("multi-channel based, fast"): plain gradient
descent, one step per two batches of four, one pass over 129 images. Channels whose gradient keeps changing its sign are
then set to 0. Every image gets the same direction: s' = s + strength · power · Δs.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from baselines.objectives import clip_distance, gradients, identity_distance, needed_identity, preset_name
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain, TextPrompt
from deltaedit.tools.parameters import (
    any_seed,
    check,
    keyed,
    number,
    of_preset,
    one_of,
    parameter,
    positive,
    settled,
    whole,
)

IDENTITY_WEIGHTS = {"high": 2.0, "medium": 0.5, "low": 0.1, "none": 0.0}
BATCHES_PER_STEP = 2


@dataclass(frozen=True)
class Setting:
    """What the presets differ in."""

    identity_power: str = parameter(
        MISSING,
        one_of(tuple(IDENTITY_WEIGHTS)),
        "weight of the identity term by the released names: high 2, medium 0.5, low 0.1, none 0",
    )
    power: float = parameter(
        MISSING,
        number(),
        "what the direction is multiplied by at strength 1; 10 in the authors' demo, up to 50 in their README; "
        "1 is the direction that the losses looked at",
    )


# "small" is ours. A power of 10 moves styles ten times as far as the losses ever looked, which the styles of a 64 px
# generator do not bear; and "high" holds its edits back until they change everything else (docs/editors.md).
PRESETS = {"published": Setting("high", 10.0), "small": Setting("low", 1.0)}


@dataclass(eq=False)
class StyleMC:
    """Learns one direction in S per prompt on a few images."""

    name: ClassVar[str] = "stylemc"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "s + strength · power · Δs"
    paper: ClassVar[str] = "Kocasari et al., StyleMC, WACV 2022, arXiv 2112.08493"

    preset: Literal["auto", "published", "small"] = parameter(
        "auto", one_of(("auto", *PRESETS)), "auto: published for generators from 256 px up, small below"
    )
    identity_power: Literal["auto", "high", "medium", "low", "none"] = of_preset(Setting, "identity_power", "auto")
    power: float | None = of_preset(Setting, "power")
    images: int = parameter(129, whole(), "images to learn on (129 in the README)", "images")
    batch: int = parameter(4, whole(), "images that a gradient is summed over, twice a step", "batch")
    learning_rate: float = parameter(5.0, positive(), "learning rate of the gradient descent", "learning_rate")
    first_px: int = parameter(8, whole(4, "pixels"), "side of the first layers that may change, in pixels", "first_px")
    last_px: int = parameter(64, whole(4, "pixels"), "side of the last layers that may change, in pixels", "last_px")
    resolution: int = parameter(
        256, whole(4, "pixels"), "largest side of the pictures that the losses look at, in pixels", "resolution"
    )
    training_seed: int = parameter(
        0, any_seed(), "seed of the images to learn on; a run's other seeds share the learnt directions", "seed"
    )

    def prepare(self, domain: EditingDomain) -> None:
        """Nothing is computed per generator.

        Raises:
            ValueError: a hyper-parameter that is not allowed, or an identity term in a domain without identity network.
        """
        check(self)
        preset = PRESETS[preset_name(self.preset, domain.synthesis, "published", "small")]
        self._setting = settled(self, preset)
        self._identity_weight = IDENTITY_WEIGHTS[self._setting.identity_power]
        self._identity = needed_identity(domain, self.name, self._identity_weight)
        self._domain = domain
        self._synthesis = domain.synthesis.up_to(self.resolution)
        self._directions: dict[str, Tensor] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Find the direction of the prompt among the artefacts, or learn it."""
        key: dict[str, object] = {"domain": self._domain.fingerprint, "text": prompt.target, **keyed(self)}
        key["identity_power"] = self._setting.identity_power
        artefact = self._domain.artefacts.get(self.name, key, lambda: {"direction": self._learn(prompt.target).cpu()})
        self._directions[prompt.target] = artefact.tensors["direction"].to(self._domain.device)

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Styles s + strength · power · Δs."""
        with torch.no_grad():
            return latents.with_s(latents.s + strength * self._setting.power * self._directions[prompt.target])

    def _learn(self, text: str) -> Tensor:
        """Δs: float32 [C]."""
        with gradients():
            drawn = self._domain.sample(self.images, self.training_seed)
            latents = Latents(drawn.w_plus.clone(), drawn.s.clone(), drawn.s_rgb.clone())
            feature = self._domain.clip.encode_texts([text])[0]
            layers = self._domain.synthesis.layout
            free = torch.cat(
                [torch.full((at.channels,), float(self.first_px <= at.resolution <= self.last_px)) for at in layers]
            ).to(latents.s)
            batches = [latents[start : start + self.batch] for start in range(0, self.images, self.batch)]
            direction, flips, last = torch.zeros_like(free), torch.zeros_like(free), torch.zeros_like(free)
            for step in range(len(batches) // BATCHES_PER_STEP):
                gradient = torch.zeros_like(free)
                for block in batches[step * BATCHES_PER_STEP : (step + 1) * BATCHES_PER_STEP]:
                    gradient += free * self._gradient(block, direction, feature)
                direction = direction - self.learning_rate * gradient
                if step > 1:  # the release starts to count at the third step
                    flips += gradient * last < 0
                last = gradient
            return torch.where(flips > self.images / self.batch / 4, torch.zeros_like(direction), direction)

    def _gradient(self, latents: Latents, direction: Tensor, text: Tensor) -> Tensor:
        moved = direction.clone().requires_grad_()
        images = self._synthesis.synthesize(latents.s + moved, latents.s_rgb)
        loss = clip_distance(self._domain.clip.encode_images(images), text).sum()
        if self._identity is not None:
            with torch.no_grad():
                sources = self._identity(self._synthesis.synthesize(latents.s, latents.s_rgb))
            loss = loss + self._identity_weight * identity_distance(self._identity(images), sources).mean()
        (gradient,) = torch.autograd.grad(loss, moved)
        return gradient
