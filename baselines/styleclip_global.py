"""StyleCLIP's global direction (Patashnik et al., ICCV 2021, arXiv 2103.17249, section 6).

    Δt = unit vector along t(target) - t(source)
    Δs_c = R_s[c] · Δt        where |R_s[c] · Δt| >= β, otherwise 0
    Δs = σ ⊙ Δs / max_c |Δs_c|                              σ_c: standard deviation of channel c
    s' = s + strength · α · Δs

So α counts standard deviations of the most relevant channel. The same Δs for every image.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.latents import Latents
from deltaedit.relevance import domain_relevance
from deltaedit.text import text_delta
from deltaedit.tools.domain import EditingDomain, TextPrompt
from deltaedit.tools.parameters import check, number, parameter, true_or_false, whole

AUTOMATIC_BETAS = tuple(round(0.1 + 0.01 * i, 2) for i in range(20))  # 0.10 … 0.29


def automatic_beta(relevance: Tensor, delta: Tensor, more_than: int) -> float:
    """The largest of 0.10, 0.11, …, 0.29 that leaves more than so many channels; 0.10 if none does.

    Args:
        relevance: float [C, E], R_s.
        delta: float [E], unit norm.
        more_than: channels; 20 for ffhq and 100 for the other domains in the released code.

    >>> automatic_beta(torch.tensor([[0.5], [0.155], [0.125], [0.0]]), torch.ones(1), 1)
    0.15
    """
    projection = (relevance @ delta).abs()
    enough = [beta for beta in AUTOMATIC_BETAS if int((projection >= beta).sum()) > more_than]
    return enough[-1] if enough else AUTOMATIC_BETAS[0]


def global_direction(relevance: Tensor, std: Tensor, delta: Tensor, beta: float) -> Tensor:
    """Δs for α = 1.

    Args:
        relevance: float [C, E], R_s.
        std: float [C], σ of every channel.
        delta: float [E], unit norm.
        beta: relevance below which a channel stays.

    Returns:
        float [C]; zeros where no channel passes β (NaN in the released code).

    >>> global_direction(torch.eye(2), torch.tensor([2.0, 9.0]), torch.tensor([-0.5, 0.1]), 0.15)
    tensor([-2.,  0.])
    """
    projection = relevance @ delta
    kept = torch.where(projection.abs() >= beta, projection, 0.0)
    return std * kept / kept.abs().max().clamp(min=torch.finfo(kept.dtype).tiny)


@dataclass(eq=False)
class StyleClipGlobal:
    """The editor ``styleclip-global``.

    Attributes:
        prepare_cost_s: seconds that R_s cost where it was computed; after ``prepare``.
    """

    name: ClassVar[str] = "styleclip-global"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "s + strength · α · Δs"
    paper: ClassVar[str] = "Patashnik et al., StyleCLIP (global direction), ICCV 2021, arXiv 2103.17249"

    beta: float | str = parameter(
        0.15, number(0, 1).or_else("auto"), "β, below which a channel stays; auto: the rule of the released interface"
    )
    alpha: float = parameter(4.1, number(), "α at strength 1 (4.1 in the released notebook, 3 in the interface)")
    automatic_channels: int = parameter(
        20, whole(0), "β auto leaves more channels than these (released: 20 for ffhq, 100 for the others)"
    )
    templates: bool = parameter(True, true_or_false(), "average texts over the 79 templates")
    relevance_images: int = parameter(16, whole(), "images that R_s is averaged over")
    relevance_statistics: int = parameter(
        10_000, whole(), "samples behind the channels' mean and standard deviation (released: 100,000)"
    )

    def prepare(self, domain: EditingDomain) -> None:
        """Get R_s, from the domain's artefacts or by computing it.

        Raises:
            ValueError: a hyper-parameter that is not allowed.
        """
        check(self)
        self._domain = domain
        artefact = domain_relevance(domain, self.relevance_images, self.relevance_statistics)
        self.prepare_cost_s = artefact.cost_s
        self._relevance, self._std = (artefact.tensors[name].to(domain.device) for name in ("relevance", "std"))
        self._directions: dict[tuple[str, str], Tensor] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Find the direction of the prompt; warns when β leaves no channel, for then the edit does nothing."""
        patterns = None if self.templates else ("{}",)
        delta = F.normalize(text_delta(self._domain.clip, prompt.source, prompt.target, patterns), dim=0)
        beta = self.beta
        if isinstance(beta, str):
            beta = automatic_beta(self._relevance, delta, self.automatic_channels)
        step = self.alpha * global_direction(self._relevance, self._std, delta, beta)
        if not step.any():
            warnings.warn(f"{self.name}: β = {beta} leaves no channel for '{prompt.target}'.", stacklevel=2)
        self._directions[prompt.source, prompt.target] = step

    def step(self, prompt: TextPrompt) -> Tensor:
        """The offset of the styles at strength 1 of a fitted prompt: float32 [C]."""
        return self._directions[prompt.source, prompt.target]

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Edited codes of a batch; strength 1 is the published α."""
        with torch.inference_mode():
            return latents.with_s(latents.s + strength * self.step(prompt))
