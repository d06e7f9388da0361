"""Two editors that know nothing: the floors of every table.

    identity            s' = s
    random-direction    s' = s + strength · ‖Δs‖ · u        u: random unit vector, one per image and prompt

``identity`` shows what a metric says when nothing is edited; ``random-direction`` what it says when as much is edited
as StyleCLIP's global direction does, but not what was asked for.

Every image has a direction of its own, so that the floor is a mean over many random directions. With one direction
per prompt it would be about those few: another seed would give another floor, and no interval over images would show
that.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.styleclip_global import StyleClipGlobal
from deltaedit.backbones.latents import Latents
from deltaedit.relevance import domain_relevance
from deltaedit.tools.domain import EditingDomain, TextPrompt
from deltaedit.tools.parameters import any_seed, check, number, parameter

WAVES = 256  # that directions are made of; those of different images have cosines of about 1/√256
FREQUENCY = 4.0  # two samples of a generator are √2 apart in x: their directions correlate by exp(-4² · 2 / 2)
SMALLEST_SPREAD = 1e-3  # of the largest σ; channels that hardly vary would carry rounding errors into x


class Identity:
    """The editor ``identity``: changes nothing."""

    name: ClassVar[str] = "identity"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "none: nothing changes"
    paper: ClassVar[str] = "control"

    def prepare(self, domain: EditingDomain) -> None:
        """Nothing to do."""

    def fit(self, prompt: TextPrompt) -> None:
        """Nothing to do."""

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """The same codes."""
        return latents


class RandomDirections:
    """A random unit vector in S for every image.

        x = (s - μ) / σ / √C        u(s) = σ ⊙ G cos(Ω x + b), to unit length

    Ω is drawn by the seed, G by the seed and the prompt's name, both normal, b uniform. At any s the vector is
    distributed like normal noise in which every channel has its own σ, as real styles have: a step of equal size in all
    channels would leave the styles that the generator knows. Vectors of different images are as good as independent,
    but those of codes that differ in the last digit differ in the last digit, so that neither the batch nor the machine
    matters; noise seeded with the codes would be another vector.

    Args:
        mean: float32 [C], μ of every channel.
        std: float32 [C], σ of every channel.
        seed: any number.
    """

    def __init__(self, mean: Tensor, std: Tensor, seed: int) -> None:
        self._mean, self._std, self._seed = mean, std, seed
        generator = _generator(f"{seed}")
        self._frequencies = FREQUENCY * torch.randn(len(std), WAVES, generator=generator).to(std)  # Ωᵀ
        self._phases = 2 * math.pi * torch.rand(WAVES, generator=generator).to(std)

    def draw(self, name: str) -> Tensor:
        """Gᵀ of a prompt: float32 [waves, C], the same for the same seed and name on any machine."""
        return torch.randn(WAVES, len(self._std), generator=_generator(f"{self._seed}/{name}")).to(self._std)

    def at(self, s: Tensor, weights: Tensor) -> Tensor:
        """Unit vectors float32 [N, C] at the styles s float32 [N, C]; ``weights`` as drawn."""
        spread = self._std.clamp(min=SMALLEST_SPREAD * float(self._std.max()))
        x = (s - self._mean) / spread / math.sqrt(len(self._std))
        waves = torch.cos(x @ self._frequencies + self._phases)
        return F.normalize(waves @ weights * self._std, dim=1)


def _generator(text: str) -> torch.Generator:
    """The same for the same text on any machine."""
    digest = hashlib.sha256(text.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(eq=False)
class RandomDirection:
    """The editor ``random-direction``."""

    name: ClassVar[str] = "random-direction"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "s + strength · Δs"
    paper: ClassVar[str] = "control"
    version: ClassVar[int] = 2  # 1 had one direction per prompt

    norm: float | str = parameter(
        StyleClipGlobal.name,
        number(0).or_else(StyleClipGlobal.name),
        "length of the step at strength 1; styleclip-global: the length of that editor's step for the same prompt",
    )
    seed: int = parameter(0, any_seed(), "seed of the directions")

    def prepare(self, domain: EditingDomain) -> None:
        """Get the channels' means and standard deviations.

        Raises:
            ValueError: a hyper-parameter that is not allowed.
        """
        check(self)
        self._example = StyleClipGlobal()
        self._example.prepare(domain)
        self.prepare_cost_s = self._example.prepare_cost_s
        tensors = domain_relevance(domain).tensors
        mean, std = (tensors[name].to(domain.device) for name in ("mean", "std"))
        self._directions = RandomDirections(mean, std, self.seed)
        self._drawn: dict[tuple[str, str], tuple[float, Tensor]] = {}  # length and Gᵀ of a prompt

    def fit(self, prompt: TextPrompt) -> None:
        """Draw the directions of the prompt and find their length."""
        if isinstance(self.norm, str):
            self._example.fit(prompt)
            norm = float(self._example.step(prompt).norm())
        else:
            norm = self.norm
        self._drawn[prompt.source, prompt.target] = norm, self._directions.draw(prompt.name)

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Codes of a batch after the random steps."""
        with torch.inference_mode():
            norm, weights = self._drawn[prompt.source, prompt.target]
            return latents.with_s(latents.s + strength * norm * self._directions.at(latents.s, weights))
