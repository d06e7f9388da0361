"""R_s, the channel-to-CLIP relevance matrix (StyleCLIP, arXiv 2103.17249, section 6.2).

For style channel c, and the images k = 1 … K of a generator,

    d_k = i(channel c at μ_c + 5σ_c) - i(channel c at μ_c - 5σ_c)        i: unit CLIP image feature
    R_s[c] = unit vector along the mean of d_k / ‖d_k‖

where μ_c, σ_c are the channel's mean and standard deviation over many samples. DeltaEdit masks its edits with R_s,
StyleCLIP's global direction is made of it. Deviations from the released script: all channels instead of those up to
128 px; images are not rounded to 8 bits; a channel that changes nothing gets a row of zeros instead of NaN; all that
lies below the changed channel is computed once (``Synthesis.sweep``). A domain may ask for the limit of small steps
about each image's own styles instead of 5σ about the mean: the derivatives of i, which are all found at once.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.derivatives import feature_derivatives
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import Synthesis
from deltaedit.tools.artefacts import Artefact
from deltaedit.tools.domain import EditingDomain

Report = Callable[[int, int], None]
BATCH_PIXELS = 200 * 64 * 64  # 200 images of 64 px at a time, 2 of 1024 px: below 2 GiB of activations
SAMPLE_BLOCK = 1000  # latents drawn at a time; belongs to the definition, since every block has its own seed


def channel_statistics(sample: Callable[[int, int], Latents], count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divided by the count) of every style over samples: two float32 [C].

    ``sample`` is an ``EditingDomain.sample``; the first 1,000 of the ``count`` (released: 100,000) take ``seed``, each
    further thousand the next one.
    """
    if count < 1:
        raise ValueError(f"The 'count' parameter of channel_statistics must be 1 or more. Got {count} instead.")
    total = squares = torch.zeros(())  # of any width
    for block, start in enumerate(range(0, count, SAMPLE_BLOCK)):
        drawn = sample(min(SAMPLE_BLOCK, count - start), seed + block).s
        s = drawn.cpu().double()  # some GPUs have no float64
        total, squares = s.sum(0) + total, s.square().sum(0) + squares
    mean = total / count
    return mean.to(drawn), (squares / count - mean.square()).clamp(min=0).sqrt().to(drawn)


def relevance_matrix(
    synthesis: Synthesis,
    clip: Clip,
    latents: Latents,  # of the K images (100 in the released code)
    mean: Tensor,  # float32 [C], of every style
    std: Tensor,  # float32 [C], of every style
    sigmas: float = 5.0,  # how far a channel goes from its mean, in standard deviations
    batch: int | None = None,  # images synthesised at a time (memory and speed only); default by their size
    report: Report | None = None,  # called with (done, all) rows; every channel counts once per block of images
    channels: Tensor | None = None,  # int64 [R], ascending: only their rows are computed; None for all
) -> Tensor:
    """R_s of a generator: float32 [C or R, E], rows of unit norm, or of zeros where a channel changes nothing."""
    if not len(latents):
        raise ValueError("The 'latents' parameter of relevance_matrix must hold 1 image or more. Got 0 instead.")
    batch = batch or max(2, BATCH_PIXELS // synthesis.resolution**2)
    blocks = [latents[start : start + max(1, batch // 2)] for start in range(0, len(latents), max(1, batch // 2))]
    channels = torch.arange(len(mean)) if channels is None else channels.cpu()
    done, total = 0, torch.zeros(())
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
                        report(done, len(blocks) * len(channels))
            total = torch.cat(rows) + total
    return F.normalize(total, dim=1).clone()


def _mean_directions(features: Tensor, channels: int, images: int) -> Tensor:
    """Sum over images of the unit differences: features [channels * 2 * images, E] -> [channels, E]."""
    plus, minus = features.view(channels, 2, images, -1).unbind(1)
    return F.normalize(plus - minus, dim=-1).sum(1)


def domain_relevance(
    domain: EditingDomain,
    images: int = 16,  # K, unless the domain asks for derivatives and says over how many images
    statistics: int = 10_000,  # samples behind mean and standard deviation
    sigmas: float = 5.0,  # as in ``relevance_matrix``, like ``report``
    seed: int = 0,  # of the samples
    report: Report | None = None,
) -> Artefact:
    """R_s of a domain, from its artefacts or computed now: float32 tensors relevance [C, E], mean [C] and std [C]."""
    derivative = domain.relevance_by_derivative

    def build() -> dict[str, Tensor]:
        mean, std = channel_statistics(domain.sample, statistics, seed)
        generator, clip, latents = domain.synthesis, domain.clip, domain.sample(derivative or images, seed)
        if derivative:
            directions = (F.normalize(each, dim=1) for each in feature_derivatives(generator, clip, latents, report))
            matrix = F.normalize(sum(directions, torch.zeros(())), dim=1)
        else:
            matrix = (domain.relevance or relevance_matrix)(generator, clip, latents, mean, std, sigmas, report=report)
        return {"relevance": matrix, "mean": mean, "std": std}

    how = {"derivative": derivative} if derivative else {"images": images, "sigmas": float(sigmas)}
    key = {"domain": domain.fingerprint, "statistics": statistics, "seed": seed, **how}
    return domain.artefacts.get("relevance", key, build)
