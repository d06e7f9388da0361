"""Do the texts of a domain's prompts point where the counterfactuals of images go? Raw, centred and delta compared.

=========  ================================================  ==============================================
arm        image side, of the counterfactual                     text side, of a prompt
=========  ================================================  ==============================================
raw        i of the answer                                   t of the target
centred    i of the answer - mean of i of the originals      t of the target - mean of t of all targets
delta      i of the answer - i of the original               t of the target - t of the source
=========  ================================================  ==============================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.errors import UsageError
from eval.metrics.alignment import unit
from eval.prompts import Prompt
from eval.statistics.bootstrap import image_bootstrap
from eval.studies.alignment.measures import DRAWS, Estimate

if TYPE_CHECKING:
    from torch import Tensor

    from deltaedit.backbones.clip import Clip
    from eval.domains.base import Domain

ARMS = ("raw", "centred", "delta")
MEASURES = ("own", "others", "found")
BATCH = 100  # pictures encoded at once


@dataclass(frozen=True)
class PromptAlignment:
    """How well one prompt's text fits the counterfactuals; ``prompt`` is "all" for all prompts together.

    Attributes:
        prompt: its name.
        norm: ‖Δt‖ of the prompt; NaN for "all".
        images: how many images the prompt asks something of.
        estimates: (arm, measure) -> number and interval. ``own``: cosine with the prompt's text; ``others``: mean
            cosine with the other prompts' texts; ``found``: share of images whose nearest text is the prompt's.
    """

    prompt: str
    norm: float
    images: int
    estimates: dict[tuple[str, str], Estimate]


@dataclass(frozen=True)
class EncodedCounterfactuals:
    """Features of originals, of their counterfactuals, and of the prompts' texts.

    Attributes:
        originals: float [N, E], unit rows.
        counterfactuals: float [N, P, E], unit.
        eligible: bool [N, P], whether the prompt asks something of the image that can be seen.
        sources: float [P, E], unit, of the source texts.
        targets: float [P, E], unit, of the target texts.
    """

    originals: np.ndarray
    counterfactuals: np.ndarray
    eligible: np.ndarray
    sources: np.ndarray
    targets: np.ndarray


def encoded_counterfactuals(domain: Domain, count: int, clip: Clip) -> EncodedCounterfactuals:
    """Encode the first ``count`` test images, their counterfactuals to every prompt, and the prompts' texts.

    Texts are averaged over the ImageNet templates, as editors do.

    Raises:
        UsageError: the domain does not know the counterfactuals.
    """
    import torch

    from deltaedit.text import text_feature

    sources = domain.test_sources(count)
    counterfactuals, eligible = [], []
    for prompt in domain.prompts:
        images, visible = domain.counterfactuals("test", count, prompt), domain.visible("test", count, prompt)
        if images is None or visible is None or sources.factors is None:
            raise UsageError(f"The domain '{domain.name}' does not know the counterfactuals to its prompts.")
        column = list(domain.factors).index(prompt.attribute)
        has_it = sources.factors[:, column] == domain.factors[prompt.attribute].index(prompt.value)
        counterfactuals.append(_encode(clip, images))
        eligible.append(visible[:, column] & ~has_it)
    with torch.inference_mode():
        texts = {text: text_feature(clip, text).cpu().numpy() for prompt in domain.prompts for text in _texts(prompt)}
    return EncodedCounterfactuals(
        _encode(clip, sources.images[:]),
        np.stack(counterfactuals, axis=1),
        np.stack(eligible, axis=1),
        np.stack([texts[prompt.source] for prompt in domain.prompts]),
        np.stack([texts[prompt.target] for prompt in domain.prompts]),
    )


def measure_prompts(
    edits: EncodedCounterfactuals, names: tuple[str, ...], seed: int = 0, draws: int = DRAWS
) -> tuple[PromptAlignment, ...]:
    """Compare counterfactuals with all prompts' texts in every arm; intervals are for images like these.

    Args:
        edits: of at least two prompts.
        names: of the prompts.
        seed: of the bootstrap.
        draws: bootstrap draws.

    Returns:
        One for each prompt, and last that of all prompts together.
    """
    values = np.stack([column for arm in ARMS for column in _columns(edits, arm)])  # [arms x measures, N, P]
    values[:, ~edits.eligible] = np.nan
    keys = [(arm, measure) for arm in ARMS for measure in MEASURES]
    norms = np.linalg.norm(edits.targets - edits.sources, axis=1)
    found = []
    for place, name in enumerate([*names, "all"]):
        part = values if name == "all" and place == len(names) else values[:, :, place : place + 1]
        shares = np.array([measure == "found" for _, measure in keys])
        result = image_bootstrap(part, np.random.default_rng(seed), draws, shares=shares)
        estimates = {
            key: Estimate(*map(float, (result.mean[row], result.low[row], result.high[row])))
            for row, key in enumerate(keys)
        }
        images = int((~np.isnan(part[0])).any(1).sum())
        found.append(PromptAlignment(name, float(norms[place]) if place < len(names) else np.nan, images, estimates))
    return tuple(found)


def _texts(prompt: Prompt) -> tuple[str, str]:
    return prompt.source, prompt.target


def _encode(clip: Clip, images: Tensor) -> np.ndarray:
    import torch

    with torch.inference_mode():
        features: np.ndarray = (
            torch.cat([clip.encode_images(part.to(clip.device)) for part in images.split(BATCH)]).cpu().numpy()
        )
    return features


def _columns(edits: EncodedCounterfactuals, arm: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three measures of every image and prompt: float64 [N, P] each."""
    images, texts = edits.counterfactuals, edits.targets
    if arm == "centred":
        images, texts = images - edits.originals.mean(0), texts - texts.mean(0)
    if arm == "delta":
        images, texts = images - edits.originals[:, None], texts - edits.sources
    count, prompts, width = images.shape
    cosines = (unit(images.reshape(-1, width)) @ unit(texts).T).reshape(count, prompts, prompts)
    own = np.diagonal(cosines, axis1=1, axis2=2).copy()
    others = (cosines.sum(2) - own) / (prompts - 1)
    nearest = cosines.argmax(2) == np.arange(prompts)
    return own, others, nearest.astype(np.float64)
