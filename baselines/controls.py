"""Two editors that know nothing: the floors of every table.

    identity            s' = s
    random-direction    s' = s + strength · ‖Δs‖ · u        u: random unit vector, one per prompt

``identity`` shows what a metric says when nothing is edited; ``random-direction`` what it says when as much is edited
as StyleCLIP's global direction does, but not what was asked for.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.styleclip_global import StyleClipGlobal
from deltaedit.domain import EditingDomain
from deltaedit.latents import Latents
from deltaedit.parameters import is_count, is_number, require
from deltaedit.relevance import domain_relevance
from deltaedit.text import TextPrompt


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


def random_unit_direction(std: Tensor, seed: int, name: str) -> Tensor:
    """Random unit vector in S, the same for the same seed and name on any machine.

    Every channel is drawn with its own standard deviation, as real styles are: a step of equal size in all channels
    would leave the styles that the generator knows.

    Args:
        std: float32 [C], σ of every channel.
        seed: any number.
        name: of the prompt.

    Returns:
        float32 [C].
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return F.normalize(torch.randn(len(std), generator=generator).to(std) * std, dim=0)


class RandomDirection:
    """The editor ``random-direction``.

    Args:
        norm: length of the step at strength 1, or ``styleclip-global`` for the length that this editor takes for the
            same prompt with its defaults.
        seed: of the directions.
    """

    name: ClassVar[str] = "random-direction"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "s + strength · Δs"
    paper: ClassVar[str] = "control"

    def __init__(self, norm: float | str = "styleclip-global", seed: int = 0) -> None:
        self.norm = norm
        self.seed = seed

    def prepare(self, domain: EditingDomain) -> None:
        """Get the channels' standard deviations.

        Raises:
            ValueError: a hyper-parameter that is not allowed.
        """
        right = self.norm == StyleClipGlobal.name or is_number(self.norm, 0)
        require(right, self, "norm", f"a number, 0 or more, or '{StyleClipGlobal.name}'")
        require(is_count(self.seed, 0), self, "seed", "a whole number, 0 or more")
        self._example = StyleClipGlobal()
        self._example.prepare(domain)
        self.prepare_cost_s = self._example.prepare_cost_s
        self._std = domain_relevance(domain).tensors["std"].to(domain.device)
        self._steps: dict[tuple[str, str], Tensor] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Draw the direction of the prompt."""
        if isinstance(self.norm, str):
            self._example.fit(prompt)
            norm = float(self._example.step(prompt).norm())
        else:
            norm = self.norm
        unit = random_unit_direction(self._std, self.seed, prompt.name)
        self._steps[prompt.source, prompt.target] = norm * unit

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Codes of a batch after the random step."""
        with torch.inference_mode():
            return latents.with_s(latents.s + strength * self._steps[prompt.source, prompt.target])
