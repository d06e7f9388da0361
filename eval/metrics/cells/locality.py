"""What an edit changed outside the region that its prompt may change, and at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval.metrics.book import COUNTERFACTUAL_GROUP, LESS, MORE, metric
from eval.metrics.cells.counterfactual import PICTURES, PSNR

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import JudgedChunk

_LOCALITY: dict[str, Any] = {"section": "Locality", "recipe": PICTURES}


@metric(
    heading="outside PSNR",
    short="outside",
    formula=f"{PSNR} of reconstruction and edit over the pixels outside the region",
    unit="dB",
    direction=MORE,
    digits=1,
    bounds=(0, 58.92),
    group=COUNTERFACTUAL_GROUP,
    **_LOCALITY,
)
def outside_psnr_db(chunk: JudgedChunk) -> Tensor:
    """How little changed outside the region that the prompt may change."""
    from eval.metrics.locality import outside_psnr

    return outside_psnr(chunk.reconstructions, chunk.edits, chunk.region)


@metric(
    heading="outside L1",
    formula="mean |difference| of reconstruction and edit over the pixels outside the region",
    direction=LESS,
    digits=3,
    bounds=(0, 2),
    **_LOCALITY,
)
def outside_l1(chunk: JudgedChunk) -> Tensor:
    """How much changed outside the region that the prompt may change."""
    from eval.metrics.locality import outside_l1

    return outside_l1(chunk.reconstructions, chunk.edits, chunk.region)


@metric(
    heading="edit L1",
    formula="mean |difference| of reconstruction and edit, all pixels",
    digits=3,
    bounds=(0, 2),
    **_LOCALITY,
)
def edit_l1(chunk: JudgedChunk) -> Tensor:
    """How much changed at all: a control that says whether there was an edit."""
    return (chunk.edits - chunk.reconstructions).abs().mean((1, 2, 3))
