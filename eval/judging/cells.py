"""Scores images with the judges of a domain: one row of numbers per cell, and the features that metrics over sets need.

Every image is judged as a user would save it: clipped to [-1, 1] and rounded to 8 bits. Collateral is measured against
the reconstruction, which is the edit of strength 0, so that the inversion's own error is not held against an editor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eval.domains.base import Domain, Sources
from eval.judging.counterfactuals import Counterfactuals, blocks_of, features_of
from eval.judging.source_checks import check_distinct, check_reading
from eval.metrics.attributes import AttributeChange, attribute_change
from eval.metrics.book import cell_metrics
from eval.metrics.counterfactual import psnr, ssim
from eval.metrics.judged import ClipView, JudgedChunk
from eval.pixels import round_to_8_bit, to_float
from eval.prompts import Prompt

BATCH = 64  # images at once where a caller names no other number

Logits = Mapping[str, Tensor]


@dataclass(frozen=True)
class JudgedSources:
    """The images of a run before any edit. N images, all tensors float32 on the CPU.

    Attributes:
        names: one an image.
        originals: [N, 3, H, W] in [-1, 1], of 8-bit values.
        reconstructions: the generator's pictures of the inverted codes, likewise.
        logits: factor -> attribute logits [N, V] of the reconstructions.
        frechet: features [N, D] of the reconstructions.
        frechet_originals: features [N, D] of the originals.
        identity: unit embeddings [N, E] of the originals.
        clip_editing: unit features [N, E] of the reconstructions by the CLIP that editors use.
        clip_judge: the same by the judge CLIP.
        inversion_psnr_db: [N], reconstruction against original.
        inversion_ssim: [N].
    """

    names: tuple[str, ...]
    originals: Tensor
    reconstructions: Tensor
    logits: dict[str, Tensor]
    frechet: Tensor
    frechet_originals: Tensor
    identity: Tensor
    clip_editing: Tensor
    clip_judge: Tensor
    inversion_psnr_db: Tensor
    inversion_ssim: Tensor


@torch.inference_mode()
def judge_sources(domain: Domain, sources: Sources, batch: int) -> JudgedSources:
    """Judge the originals and their reconstructions.

    Args:
        domain: the judges, and the generator that makes the reconstructions.
        sources: the images and their inverted codes.
        batch: images at once.

    Raises:
        UsageError: a picture is there twice, or the attribute judge does not see what its card promises.
    """
    judges = domain.judges
    originals = round_to_8_bit(sources.images).cpu()
    check_distinct(sources.names, originals)
    check_reading(domain, sources, _attributes(domain, originals, batch) if judges.accuracy else {})
    blocks = blocks_of(len(sources), batch)
    pictures = [round_to_8_bit(domain.editing.images(sources.latents[block])).cpu() for block in blocks]
    reconstructions = torch.cat(pictures)
    pairs = list(zip(reconstructions.split(batch), originals.split(batch), strict=True))
    return JudgedSources(
        names=tuple(sources.names),
        originals=originals,
        reconstructions=reconstructions,
        logits=_attributes(domain, reconstructions, batch),
        frechet=features_of(domain, judges.frechet, reconstructions, batch),
        frechet_originals=features_of(domain, judges.frechet, originals, batch),
        identity=features_of(domain, judges.identity, originals, batch),
        clip_editing=features_of(domain, domain.editing.clip.encode_images, reconstructions, batch),
        clip_judge=features_of(domain, judges.clip.encode_images, reconstructions, batch),
        inversion_psnr_db=torch.cat([psnr(*pair) for pair in pairs]),
        inversion_ssim=torch.cat([ssim(*pair) for pair in pairs]),
    )


@torch.inference_mode()
def judge_edits(
    domain: Domain,
    sources: JudgedSources,
    counterfactuals: Counterfactuals,
    prompt: Prompt,
    rows: slice,
    images: Tensor,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Judge the edits of one chunk.

    Args:
        domain: the judges.
        sources: the images before the edit.
        counterfactuals: of this prompt.
        prompt: what was asked.
        rows: which of the sources were edited.
        images: the edits, float [n, 3, H, W], as the generator made them.

    Returns:
        A dict of plain numbers for each edit, and the features: ``frechet`` [n, D], ``identity`` [n, E], ``clip``
        [n, E] by the judge CLIP, and ``logits`` [n, V] of all factors, float32.

    Raises:
        ValueError: there are not as many edits as rows.
    """
    names = sources.names[rows]
    if len(names) != len(images):
        raise ValueError(f"There must be one edit for each of the {len(names)} images. Got {len(images)} instead.")
    edits = round_to_8_bit(images).cpu()
    logits = _attributes(domain, edits, len(edits))
    frechet = features_of(domain, domain.judges.frechet, edits, len(edits))
    identity = features_of(domain, domain.judges.identity, edits, len(edits))
    clips = {
        "editing": features_of(domain, domain.editing.clip.encode_images, edits, len(edits)),
        "judge": features_of(domain, domain.judges.clip.encode_images, edits, len(edits)),
    }
    change = _change(
        domain,
        {name: values[rows] for name, values in sources.logits.items()},
        logits,
        prompt,
        counterfactuals.visible[rows],
    )
    chunk = _judged(sources, counterfactuals, rows, (edits, change, identity, clips), domain.judges.same_person)
    columns = _columns(chunk, domain.factors)
    lists = {name: _numbers(values) for name, values in columns.items()}
    rows_out = [
        {"prompt": prompt.name, "image": name, **{column: values[i] for column, values in lists.items()}}
        for i, name in enumerate(names)
    ]
    features = {
        "frechet": frechet.numpy(),
        "identity": identity.numpy(),
        "clip": clips["judge"].numpy(),
        "logits": torch.cat([*logits.values()], 1).numpy(),
    }
    return rows_out, features


@torch.inference_mode()
def judge_attributes(
    domain: Domain, logits_before: Logits, images: Tensor, prompt: Prompt, visible: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The attribute judge alone, for calibration.

    Args:
        domain: the judges.
        logits_before: factor -> logits [n, V] of the reconstructions.
        images: the edits, float [n, 3, H, W].
        prompt: what was asked.
        visible: bool [n, F].

    Returns:
        success bool [n]; preservation float64 [n] in [0, 1], NaN where no other factor can be seen; eligible bool [n];
        target effect float64 [n] in σ.
    """
    before = {name: torch.as_tensor(logits).cpu() for name, logits in logits_before.items()}
    change = _change(domain, before, _attributes(domain, round_to_8_bit(images).cpu(), BATCH), prompt, visible)
    preservation, effect = (values.double().numpy() for values in (change.preservation, change.target_effect))
    return change.success.numpy(), preservation, change.eligible.numpy(), effect


def _attributes(domain: Domain, images: Tensor, batch: int) -> dict[str, Tensor]:
    device = domain.editing.device
    parts = [domain.judges.attributes(images[block].to(device)) for block in blocks_of(len(images), batch)]
    return {factor: torch.cat([part[factor].float().cpu() for part in parts]) for factor in domain.factors}


def _change(
    domain: Domain, before: Logits, after: Logits, prompt: Prompt, visible: np.ndarray | Sequence[Any]
) -> AttributeChange:
    factor = list(domain.factors).index(prompt.attribute)
    value = domain.factors[prompt.attribute].index(prompt.value)
    before = {name: before[name] for name in domain.factors}
    sigma = {name: domain.judges.sigma[name].float().cpu() for name in domain.factors}
    return attribute_change(before, after, sigma, torch.as_tensor(np.asarray(visible, dtype=bool)), (factor, value))


def _judged(
    sources: JudgedSources,
    counterfactuals: Counterfactuals,
    rows: slice,
    seen: tuple[Tensor, AttributeChange, Tensor, Mapping[str, Tensor]],
    same_person: float | None,
) -> JudgedChunk:
    """All that metrics are computed from; ``seen`` are the edits and what the judges made of them."""
    edits, change, identity, clips = seen
    return JudgedChunk(
        originals=sources.originals[rows],
        reconstructions=sources.reconstructions[rows],
        edits=edits,
        counterfactuals=None if counterfactuals.images is None else counterfactuals.images[rows],
        alternatives=None if counterfactuals.alternatives is None else to_float(counterfactuals.alternatives[rows]),
        asked=counterfactuals.asked,
        region=torch.from_numpy(counterfactuals.region),
        attributes=change,
        identity_originals=sources.identity[rows],
        identity_edits=identity,
        identity_counterfactuals=None if counterfactuals.identity is None else counterfactuals.identity[rows],
        editing_clip=ClipView(sources.clip_editing[rows], clips["editing"], counterfactuals.text_editing),
        judge_clip=ClipView(sources.clip_judge[rows], clips["judge"], counterfactuals.text_judge),
        inversion_psnr_db=sources.inversion_psnr_db[rows],
        inversion_ssim=sources.inversion_ssim[rows],
        same_person=same_person,
    )


def _columns(chunk: JudgedChunk, factors: Iterable[str]) -> dict[str, Tensor]:
    """Every metric of the book: column -> bool or float [n]."""
    columns: dict[str, Tensor] = {}
    for record in cell_metrics():
        values, names = record.values(chunk), record.columns(factors)
        columns |= zip(names, values.unbind(1), strict=True) if record.per_factor else {names[0]: values}
    return columns


def _numbers(column: Tensor) -> list[bool] | list[float]:
    values: list[Any] = column.tolist() if column.dtype == torch.bool else column.double().tolist()
    return values
