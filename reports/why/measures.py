"""The numbers of a cell: formula in one line, where it is explained, and whose recipe it has."""

from __future__ import annotations

from typing import NamedTuple

METRICS_DOC = "docs/metrics.md"


class Measure(NamedTuple):
    """One number of a cell.

    Attributes:
        formula: in one line.
        section: heading of ``docs/metrics.md``.
        recipe: the metric under which the manifest has its recipe; '' for what the run was told.
    """

    formula: str
    section: str
    recipe: str

    @property
    def source(self) -> str:
        """Where it is explained."""
        return f"{METRICS_DOC}, {self.section}"


_ATTRIBUTES, _CLIP, _ANSWER = "Attributes", "CLIP score and direction", "Counterfactual error"
_LOCALITY, _IDENTITY = "Locality", "Identity"
_PSNR, _SSIM = "10·log10(4 / mean squared error), at most 58.92 dB,", "SSIM (Wang et al. 2004)"
MEASURES = {
    "eligible": Measure(
        "the judge does not read the value on the reconstruction, and the target factor is visible",
        _ATTRIBUTES,
        "eligible",
    ),
    "success": Measure("1 if the judge reads the value asked for on the edit, else 0", _ATTRIBUTES, "success"),
    "target_effect": Measure(
        "Δo_v / σ_v, change of the log-odds of the value asked for from reconstruction to edit",
        _ATTRIBUTES,
        "target_effect",
    ),
    "ad_mean": Measure(
        "mean over the other visible factors of mean |Δo_v| / σ_v over their values", _ATTRIBUTES, "ad_mean"
    ),
    "ad_max": Measure(
        "largest over the other visible factors of mean |Δo_v| / σ_v over their values", _ATTRIBUTES, "ad_max"
    ),
    "kept": Measure("share of the other visible factors that the judge reads as before", _ATTRIBUTES, "kept"),
    "identity": Measure("cosine of the identity embeddings of original and edit", _IDENTITY, "identity"),
    "clip_score_editing": Measure(
        "max(100·cos(E_I(x'), E_T(t')), 0) by the CLIP that editors use", _CLIP, "clip_score_editing"
    ),
    "clip_score_judge": Measure("max(100·cos(E_I(x'), E_T(t')), 0) by the judge CLIP", _CLIP, "clip_score_judge"),
    "directional_editing": Measure(
        "cos(E_I(x') - E_I(x), E_T(t') - E_T(t)) by the CLIP that editors use", _CLIP, "directional_editing"
    ),
    "directional_judge": Measure(
        "cos(E_I(x') - E_I(x), E_T(t') - E_T(t)) by the judge CLIP", _CLIP, "directional_judge"
    ),
    "counterfactual_psnr_db": Measure(f"{_PSNR} of edit and exact answer", _ANSWER, "counterfactual_psnr_db"),
    "counterfactual_ssim": Measure(f"{_SSIM} of edit and exact answer", _ANSWER, "counterfactual_ssim"),
    "counterfactual_identity": Measure(
        "cosine of the identity embeddings of edit and exact answer", _ANSWER, "counterfactual_identity"
    ),
    "inversion_psnr_db": Measure(f"{_PSNR} of reconstruction and original", _ANSWER, "inversion_psnr_db"),
    "inversion_ssim": Measure(f"{_SSIM} of reconstruction and original", _ANSWER, "inversion_ssim"),
    "outside_psnr_db": Measure(
        f"{_PSNR} of reconstruction and edit over the pixels outside the region", _LOCALITY, "outside_psnr_db"
    ),
    "outside_l1": Measure(
        "mean |difference| of reconstruction and edit over the pixels outside the region", _LOCALITY, "outside_l1"
    ),
    "edit_l1": Measure("mean |difference| of reconstruction and edit, all pixels", _LOCALITY, "edit_l1"),
    "strength": Measure("the strength that the editor was given", "Attributes", ""),
}


def measure_of(column: str) -> Measure | None:
    """The measure of a cell's column; None for a column that is none.

    >>> measure_of("kept.mouth").formula
    '1 if the judge reads mouth as before the edit, else 0'
    """
    stem, _, factor = column.partition(".")
    if factor and stem == "kept":
        return Measure(f"1 if the judge reads {factor} as before the edit, else 0", _ATTRIBUTES, "kept")
    if factor and stem == "effect":
        return Measure(f"mean |Δo_v| / σ_v over the values v of {factor}", _ATTRIBUTES, "target_effect")
    return MEASURES.get(column)
