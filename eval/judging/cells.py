"""Scores images with the judges of a domain: one row of numbers per cell, and the features that metrics over sets need.

Every image is judged as a user would save it: clipped to [-1, 1] and rounded to 8 bits. Collateral is measured against
the reconstruction, which is the edit of strength 0, so that the inversion's own error is not held against an editor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eval.domains.base import Domain, Sources
from eval.judging.counterfactuals import Candidates, Counterfactuals
from eval.judging.picture_file import PictureFile
from eval.judging.scores import (
    BATCH,
    attributes_of,
    is_real,
    off_device,
    read_attributes,
    score_edits,
    second_accepts,
)
from eval.judging.source_checks import check_distinct, check_reading
from eval.judging.synthesis import synthesised
from eval.memory import in_blocks, pictures_at_once
from eval.metrics.attributes import AttributeChange, attribute_change
from eval.metrics.book import cell_metrics
from eval.metrics.counterfactual import psnr, ssim
from eval.metrics.judged import ClipView, JudgedChunk
from eval.pixels import Pictures, round_to_8_bit, to_float
from eval.prompts import Prompt

Logits = Mapping[str, Tensor]


@dataclass(frozen=True)
class JudgedSources:
    """The images of a run before any edit. N images, all tensors float32 on the CPU, the pictures in files.

    Attributes:
        names: one an image.
        originals: [N, 3, H, W] in [-1, 1], of 8-bit values, by rows.
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
    originals: Pictures
    reconstructions: Pictures
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
        batch: images at once, fewer where they are large.

    Raises:
        UsageError: a picture is there twice, or the attribute judge does not see what its card promises.
    """
    side, judges = domain.editing.synthesis.resolution, domain.judges
    originals, reconstructions = PictureFile(side), PictureFile(side)
    block = pictures_at_once(side, domain.editing.device, batch)
    for first in range(0, len(sources), block):
        originals.append(sources.images[first : first + block])
    check_distinct(sources.names, originals)
    check_reading(domain, sources, attributes_of(domain, originals, block) if judges.accuracy else {})

    def judge(rows: slice) -> dict[str, Tensor]:
        made = round_to_8_bit(synthesised(domain.editing, sources.latents[rows]))
        found = _source_features(domain, originals[rows].to(made.device), made)
        reconstructions.append(made)  # last, because a block that does not fit into memory is done again
        return off_device(found)

    parts = in_blocks(judge, len(sources), block)
    found = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    logits = {factor: found.pop(f"logits.{factor}") for factor in domain.factors}
    return JudgedSources(tuple(sources.names), originals, reconstructions, logits, **found)


def _source_features(domain: Domain, original: Tensor, made: Tensor) -> dict[str, Tensor]:
    """What judges make of some originals and reconstructions, by the names of ``JudgedSources``."""
    judges = domain.judges
    clip_judge = judges.clip.encode_images(made).float()
    logits = read_attributes(domain, made, clip_judge)
    return {
        **{f"logits.{factor}": logits[factor] for factor in domain.factors},
        "frechet": judges.frechet(made).float(),
        "frechet_originals": judges.frechet(original).float(),
        "identity": judges.identity(original).float(),
        "clip_editing": domain.editing.clip.encode_images(made).float(),
        "clip_judge": clip_judge,
        "inversion_psnr_db": psnr(made, original),
        "inversion_ssim": ssim(made, original),
    }


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
    edits = round_to_8_bit(images.to(domain.editing.device))
    scores = score_edits(domain, edits, prompt)
    clips = {"editing": domain.editing.clip.encode_images(edits).float(), "judge": scores.clip}
    before = {name: values[rows].to(edits.device) for name, values in sources.logits.items()}
    change = _change(domain, before, scores.logits, prompt, counterfactuals.visible[rows])
    seen = edits, change, scores.identity, clips
    chunk = replace(
        _judged(sources, counterfactuals, rows, seen, domain.judges.same_person),
        second=scores.second,
        second_counts=domain.judges.second_counts,
        counterfactual_counts=domain.judges.counterfactual_counts,
        realism=scores.realism,
    )
    features = {
        "frechet": scores.frechet,
        "identity": scores.identity,
        "clip": scores.clip,
        "logits": torch.cat([*scores.logits.values()], 1),
    }
    columns = _columns(chunk, domain.factors)
    found = off_device({**features, **{f"column.{name}": values for name, values in columns.items()}})
    lists = {name: _numbers(found[f"column.{name}"]) for name in columns}
    rows_out = [
        {"prompt": prompt.name, "image": name, **{column: values[i] for column, values in lists.items()}}
        for i, name in enumerate(names)
    ]
    return rows_out, {name: found[name].numpy() for name in features}


@torch.inference_mode()
def judge_attributes(
    domain: Domain,
    logits_before: Logits,
    images: Tensor,
    prompt: Prompt,
    visible: np.ndarray,
    candidates: Candidates | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What calibration looks at: the attribute judge, and success by all judges.

    Args:
        domain: the judges.
        logits_before: factor -> logits [n, V] of the reconstructions.
        images: the edits, float [n, 3, H, W].
        prompt: what was asked.
        visible: bool [n, F].
        candidates: of these images; needed where the counterfactual counts.

    Returns:
        success bool [n], by all judges where eligible; preservation float64 [n] in [0, 1], NaN where no other factor
        can be seen; eligible bool [n]; target effect float64 [n] in σ.
    """
    device = domain.editing.device
    before = {name: torch.as_tensor(logits).to(device) for name, logits in logits_before.items()}
    edits = round_to_8_bit(images.to(device))
    parts = [domain.judges.attributes(block) for block in edits.split(BATCH)]
    after = {factor: torch.cat([part[factor].float() for part in parts]) for factor in domain.factors}
    change = _change(domain, before, after, prompt, visible)
    shared = change.success.clone()
    others: list[Callable[[Tensor], Tensor | None]] = []
    if domain.judges.second_counts:
        others.append(lambda asked: second_accepts(domain, edits[asked], prompt))
    if domain.judges.counterfactual_counts:
        assert candidates is not None
        right = candidates
        others.append(lambda asked: right[asked.cpu()].accept(edits[asked]))
    else:
        others.append(lambda asked: is_real(domain, edits[asked]))
    for judge in others:  # asked only where it matters: about what the judges before them take for a success
        asked = shared & change.eligible
        verdict = judge(asked) if asked.any() else None
        if verdict is not None:
            shared[asked] = verdict
    names = ("preservation", "eligible", "target_effect")
    found = off_device({"success": shared, **{name: getattr(change, name) for name in names}})
    success, preservation, eligible, effect = found.values()
    return success.numpy(), preservation.double().numpy(), eligible.numpy(), effect.double().numpy()


def _change(
    domain: Domain, before: Logits, after: Logits, prompt: Prompt, visible: np.ndarray | Sequence[Any]
) -> AttributeChange:
    factor = list(domain.factors).index(prompt.attribute)
    value = domain.factors[prompt.attribute].index(prompt.value)
    before = {name: before[name] for name in domain.factors}
    device = domain.editing.device
    sigma = {name: domain.judges.sigma[name].float().to(device) for name in domain.factors}
    seen = torch.as_tensor(np.asarray(visible, dtype=bool), device=device)
    return attribute_change(before, after, sigma, seen, (factor, value))


def _judged(
    sources: JudgedSources,
    counterfactuals: Counterfactuals,
    rows: slice,
    seen: tuple[Tensor, AttributeChange, Tensor, Mapping[str, Tensor]],
    same_person: float | None,
) -> JudgedChunk:
    """All that metrics are computed from; ``seen`` are the edits and what the judges made of them."""
    edits, change, identity, clips = seen
    device = edits.device
    alternatives = _there(counterfactuals.alternatives, rows, device)
    region = counterfactuals.region if counterfactuals.region.ndim == 2 else counterfactuals.region[rows]
    return JudgedChunk(
        originals=sources.originals[rows].to(device),
        reconstructions=sources.reconstructions[rows].to(device),
        edits=edits,
        counterfactuals=_there(counterfactuals.images, rows, device),
        alternatives=None if alternatives is None else to_float(alternatives),
        asked=counterfactuals.asked,
        region=torch.from_numpy(region).to(device),
        attributes=change,
        identity_originals=sources.identity[rows].to(device),
        identity_edits=identity,
        identity_counterfactuals=_there(counterfactuals.identity, rows, device),
        editing_clip=ClipView(sources.clip_editing[rows].to(device), clips["editing"], counterfactuals.text_editing),
        judge_clip=ClipView(sources.clip_judge[rows].to(device), clips["judge"], counterfactuals.text_judge),
        inversion_psnr_db=sources.inversion_psnr_db[rows].to(device),
        inversion_ssim=sources.inversion_ssim[rows].to(device),
        same_person=same_person,
    )


def _there(tensor: Tensor | None, rows: slice, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor[rows].to(device)


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
