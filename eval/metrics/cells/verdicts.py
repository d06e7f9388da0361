"""Who says that an edit shows the value asked for: one column a judge, beside the ``success`` that they share."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from eval.metrics.book import ELIGIBLE, MORE, VERDICT_GROUP, metric
from eval.metrics.judged import REAL, JudgedChunk
from eval.metrics.nearest import INSIDE, OUTSIDE

if TYPE_CHECKING:
    from torch import Tensor

_VERDICT: dict[str, Any] = {
    "section": "Verdicts",
    "direction": MORE,
    "bounds": (0, 1),
    "population": ELIGIBLE,
    "group": VERDICT_GROUP,
}


@metric(
    heading="success by attribute judge",
    short="by judge",
    formula="1 if the attribute judge reads the value asked for on the edit, else 0",
    judge="attribute-judge",
    recipe="one-vs-rest-log-odds",
    **_VERDICT,
)
def success_by_attributes(chunk: JudgedChunk) -> Tensor:
    """The attribute judge reads the value asked for: it is its first choice for the target attribute."""
    return chunk.attributes.success


@metric(
    heading="success by second judge",
    short="by second",
    formula="1 if the second attribute judge accepts the value asked for on the edit, else 0",
    judge="second-judge",
    recipe="logit-within-slack-of-largest,no-valid-value",
    **_VERDICT,
)
def success_by_second(chunk: JudgedChunk) -> Tensor:
    """The second attribute judge, which may also find no valid value, accepts the value asked for."""
    return _unknown(chunk) if chunk.second is None else chunk.second


@metric(
    heading="real",
    formula="1 if the distance from real pictures is at most 1, as that of nearly all unseen real pictures is, else 0",
    judge="realism",
    recipe="threshold-1",
    **_VERDICT,
)
def real(chunk: JudgedChunk) -> Tensor:
    """The edit looks like a picture of this domain, whatever it shows."""
    return _unknown(chunk) if chunk.realism is None else chunk.realism <= REAL


@metric(
    heading="success by counterfactual",
    short="by counterf.",
    formula="1 if, of the counterfactuals of all values of the factor, that of the value asked for is nearest, and the "
    f"SSIM to it is ≥ {INSIDE:g} where it differs from the original and ≥ {OUTSIDE:g} elsewhere, else 0",
    recipe=f"squared-pixel-distance,smallest-over-shifts-of-1-px,ssim-{INSIDE:g}-{OUTSIDE:g}",
    needs_counterfactual=True,
    **_VERDICT,
)
def success_by_counterfactual(chunk: JudgedChunk) -> Tensor:
    """The edit is like the right picture, and nearer to it than to that of any other value; no network."""
    return _unknown(chunk) if chunk.shown is None else chunk.shown


def _unknown(chunk: JudgedChunk) -> Tensor:
    return chunk.edits.new_full((len(chunk.edits),), nan)
