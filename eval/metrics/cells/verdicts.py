"""Who says that an edit shows the value asked for: one column a judge, beside the ``success`` that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval.metrics.book import EFFECT_GROUP, ELIGIBLE, MORE, metric

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import JudgedChunk

_VERDICT: dict[str, Any] = {
    "section": "Verdicts",
    "direction": MORE,
    "bounds": (0, 1),
    "population": ELIGIBLE,
    "group": EFFECT_GROUP,
}


@metric(
    heading="success by counterfactual",
    short="by counterf.",
    formula="1 if, of the counterfactuals of all values of the factor, that of the value asked for is nearest, else 0",
    recipe="squared-pixel-distance,smallest-over-shifts-of-1-px",
    needs_counterfactual=True,
    **_VERDICT,
)
def success_by_counterfactual(chunk: JudgedChunk) -> Tensor:
    """Of the right pictures for every value of the attribute, the one asked for is nearest to the edit; no network."""
    from eval.metrics.nearest import shows_value

    assert chunk.alternatives is not None
    return shows_value(chunk.edits, chunk.alternatives, chunk.asked)
