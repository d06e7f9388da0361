"""How near the edit is to the counterfactual, and how near the reconstruction to the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval.metrics.book import COUNTERFACTUAL_GROUP, MORE, metric

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import JudgedChunk

PICTURES = "range-2,gaussian-11-1.5,visible-pixels"  # recipe of what is computed from pictures alone
PSNR = "10·log10(4 / mean squared error), at most 58.92 dB,"
_SSIM_FORMULA = "SSIM (Wang et al. 2004) in [0, 1]"
# Until its pictures were mapped to [0, 1], the recipe of SSIM was that of PSNR.
_SSIM: dict[str, Any] = {"digits": 3, "bounds": (-1, 1), "recipe": "range-0-to-1,gaussian-11-1.5"}
_ERROR: dict[str, Any] = {
    "section": "Counterfactual error",
    "direction": MORE,
    "group": COUNTERFACTUAL_GROUP,
    "needs_counterfactual": True,
}
_INVERSION: dict[str, Any] = {"section": "Counterfactual error"}


@metric(
    heading="counterfactual PSNR",
    short="PSNR",
    formula=f"{PSNR} of edit and counterfactual",
    unit="dB",
    digits=1,
    bounds=(0, 58.92),
    recipe=PICTURES,
    **_ERROR,
)
def counterfactual_psnr_db(chunk: JudgedChunk) -> Tensor:
    """How near the edit is to the counterfactual, pixel by pixel."""
    from eval.metrics.counterfactual import psnr

    assert chunk.counterfactuals is not None
    return psnr(chunk.edits, chunk.counterfactuals)


@metric(
    heading="counterfactual SSIM",
    short="SSIM",
    formula=f"{_SSIM_FORMULA} of edit and counterfactual",
    **_SSIM,
    **_ERROR,
)
def counterfactual_ssim(chunk: JudgedChunk) -> Tensor:
    """How near the edit is to the counterfactual in structure."""
    from eval.metrics.counterfactual import ssim

    assert chunk.counterfactuals is not None
    return ssim(chunk.edits, chunk.counterfactuals)


@metric(
    heading="counterfactual identity",
    formula="cosine of the identity embeddings of edit and counterfactual",
    bounds=(-1, 1),
    judge="identity",
    recipe="cosine",
    **_ERROR,
)
def counterfactual_identity(chunk: JudgedChunk) -> Tensor:
    """How much the edit looks like the person on the counterfactual."""
    from eval.metrics.identity import identity_similarity

    assert chunk.identity_counterfactuals is not None
    return identity_similarity(chunk.identity_counterfactuals, chunk.identity_edits)


@metric(
    heading="inversion PSNR",
    formula=f"{PSNR} of reconstruction and original",
    unit="dB",
    digits=1,
    bounds=(0, 58.92),
    recipe=PICTURES,
    **_INVERSION,
)
def inversion_psnr_db(chunk: JudgedChunk) -> Tensor:
    """How near the reconstruction is to the original: the same for all editors."""
    return chunk.inversion_psnr_db


@metric(
    heading="inversion SSIM",
    formula=f"{_SSIM_FORMULA} of reconstruction and original",
    **_SSIM,
    **_INVERSION,
)
def inversion_ssim(chunk: JudgedChunk) -> Tensor:
    """How near the reconstruction is to the original in structure: the same for all editors."""
    return chunk.inversion_ssim
