"""R_s, the channel-to-CLIP relevance matrix (StyleCLIP, arXiv 2103.17249, section 6.2).

For style channel c, and the images k = 1 … K of a generator,

    d_k = i(channel c at μ_c + 5σ_c) - i(channel c at μ_c - 5σ_c)        i: unit CLIP image feature
    R_s[c] = unit vector along the mean of d_k / ‖d_k‖

where μ_c, σ_c are the channel's mean and standard deviation over many samples. DeltaEdit masks its edits with R_s,
StyleCLIP's global direction is made of it. The released script renders every image from the 4 px constant, one by one;
here all that lies below the changed channel is computed once (``Synthesis.sweep``).

Deviations from the released script: all channels instead of those up to 128 px; images go to CLIP as they are,
instead of rounded to 8 bits; a channel that changes nothing gets a row of zeros instead of NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.synthesis import Synthesis
from deltaedit.domain import EditingDomain
from deltaedit.latents import Latents
from deltaedit.tools.artefacts import Artefact

Report = Callable[[int, int], None]
BATCH_PIXELS = 200 * 64 * 64  # 200 images of 64 px at a time, 2 of 1024 px: below 2 GiB of activations
SAMPLE_BLOCK = 1000  # latents drawn at a time; belongs to the definition, since every block has its own seed


def channel_statistics(sample: Callable[[int, int], Latents], count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every style over samples of a generator.

    Args:
        sample: (count, seed) -> latents, as ``EditingDomain.sample``.
        count: how many samples; 100,000 in the released code.
        seed: of the first 1,000 of them; each further thousand takes the next seed.

    Returns:
        mean and standard deviation (divided by the count), two float32 [C].
    """
    total: Tensor | None = None
    squares: Tensor | None = None
    for block, start in enumerate(range(0, count, SAMPLE_BLOCK)):
        s = sample(min(SAMPLE_BLOCK, count - start), seed + block).s.double()
        total = s.sum(0) + (0 if total is None else total)
        squares = s.square().sum(0) + (0 if squares is None else squares)
    if total is None or squares is None:
        raise ValueError(f"The 'count' parameter of channel_statistics must be 1 or more. Got {count} instead.")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()


def relevance_matrix(
    synthesis: Synthesis,
    clip: Clip,
    latents: Latents,
    mean: Tensor,
    std: Tensor,
    sigmas: float = 5.0,
    batch: int | None = None,
    report: Report | None = None,
    channels: Tensor | None = None,
) -> Tensor:
    """R_s of a generator.

    Args:
        synthesis: the generator.
        clip: sees the images.
        latents: of the K images (100 in the released code).
        mean: float32 [C], of every style.
        std: float32 [C], of every style.
        sigmas: how far a channel goes from its mean, in standard deviations.
        batch: images synthesised at a time (memory and speed only); default by the size of the images.
        report: called with (done, all) rows, where every channel counts once per block of images.
        channels: int64 [R], ascending; only their rows are computed. None for all.

    Returns:
        float32 [C or R, E], rows of unit norm; a row of zeros where a channel changes nothing.
    """
    batch = batch or max(2, BATCH_PIXELS // synthesis.resolution**2)
    total: Tensor | None = None
    blocks = latents_blocks(latents, max(1, batch // 2))
    channels = torch.arange(len(mean)) if channels is None else channels.cpu()
    done, end = 0, len(blocks) * len(channels)
    with torch.inference_mode():
        for block in blocks:
            rows = []
            for layer in synthesis.sweep(block.s, block.s_rgb):
                at = synthesis.layout[layer.index]
                own = channels[(channels >= at.start) & (channels < at.stop)].to(block.s.device)
                for group in own.split(max(1, batch // (2 * len(block)))) if len(own) else ():
                    values = mean[group, None] + std[group, None] * std.new_tensor([sigmas, -sigmas])
                    features = clip.encode_images(layer.images(group, values))
                    rows.append(_mean_directions(features, len(group), len(block)))
                    done += len(group)
                    if report is not None:
                        report(done, end)
            total = torch.cat(rows) + (0 if total is None else total)
    if total is None:
        raise ValueError("The 'latents' parameter of relevance_matrix must hold 1 image or more. Got 0 instead.")
    return F.normalize(total, dim=1).clone()


def latents_blocks(latents: Latents, size: int) -> list[Latents]:
    """The latents in blocks of at most ``size`` images."""
    return [latents[start : start + size] for start in range(0, len(latents), size)]


def _mean_directions(features: Tensor, channels: int, images: int) -> Tensor:
    """Sum over images of the unit differences: features [channels * 2 * images, E] -> [channels, E]."""
    plus, minus = features.view(channels, 2, images, -1).unbind(1)
    return F.normalize(plus - minus, dim=-1).sum(1)


def domain_relevance(
    domain: EditingDomain,
    images: int = 16,
    statistics: int = 10_000,
    sigmas: float = 5.0,
    seed: int = 0,
    batch: int | None = None,
    report: Report | None = None,
) -> Artefact:
    """R_s of a domain, from its artefacts or computed now.

    Args:
        domain: whose generator and editing CLIP are used.
        images: K, how many samples of seed ``seed`` the directions are averaged over; where the domain asks for R_s
            by derivatives it says how many.
        statistics: samples behind mean and standard deviation.
        sigmas: how far a channel goes from its mean, in standard deviations.
        seed: of the samples.
        batch: images synthesised at a time (memory and speed only); default by the size of the images.
        report: called with (done, all) rows, if computed now.

    Returns:
        the artefact ``relevance`` with float32 tensors relevance [C, E], mean [C] and std [C].
    """
    derivative = domain.relevance_by_derivative

    def build() -> dict[str, Tensor]:
        mean, std = channel_statistics(domain.sample, statistics, seed)
        latents = domain.sample(derivative or images, seed)
        if derivative:
            matrix = relevance_by_derivative(domain.synthesis, domain.clip, latents, report)
            return {"relevance": matrix, "mean": mean, "std": std}
        matrix = relevance_matrix(domain.synthesis, domain.clip, latents, mean, std, sigmas, batch, report)
        return {"relevance": matrix, "mean": mean, "std": std}

    key = {
        "domain": domain.fingerprint,
        "images": images,
        "statistics": statistics,
        "sigmas": float(sigmas),
        "seed": seed,
    }
    if derivative:
        key = {"domain": domain.fingerprint, "derivative": derivative, "statistics": statistics, "seed": seed}
    return domain.artefacts.get("relevance", key, build)


def relevance_by_derivative(synthesis: Synthesis, clip: Clip, latents: Latents, report: Report | None = None) -> Tensor:
    """R_s for small changes: the direction in which the CLIP feature leaves when a channel begins to move.

    One backward pass for each number of the CLIP feature gives the rows of all channels at once, where a sweep renders
    two pictures for each channel. The result is the limit of ``relevance_matrix`` for small ``sigmas`` about the
    image's own styles.

    Args:
        synthesis: the generator.
        clip: sees the images.
        latents: of the K images.
        report: called with (done, all) backward passes.

    Returns:
        float32 [C, E], rows of unit norm; a row of zeros where a channel changes nothing.
    """
    total: Tensor | None = None
    for number in range(len(latents)):
        s = latents.s[number : number + 1].clone().requires_grad_()
        feature = clip.encode_images(synthesis.synthesize(s, latents.s_rgb[number : number + 1].clone()))[0]
        columns = []
        for index, value in enumerate(feature):
            columns.append(torch.autograd.grad(value, s, retain_graph=index + 1 < len(feature))[0][0])
            if report is not None:
                report(number * len(feature) + index + 1, len(latents) * len(feature))
        rows = F.normalize(torch.stack(columns, 1), dim=1)
        total = rows if total is None else total + rows
    if total is None:
        raise ValueError("The 'latents' parameter of relevance_by_derivative must hold 1 image or more. Got 0 instead.")
    return F.normalize(total, dim=1)
