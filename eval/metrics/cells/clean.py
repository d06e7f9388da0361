"""The headline: did the edit do what was asked, and nothing else, to the same person?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.metrics.book import EFFECT_GROUP, ELIGIBLE, MORE, metric

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import JudgedChunk

PRESERVED = 0.9  # share of the other visible attributes that must stay
ROUNDING = 1e-6  # 9 of 10 in float32 may come out a digit below 0.9


def is_clean(success: Tensor, preservation: Tensor, identity: Tensor, same_person: float | None) -> Tensor:
    """The verdict on edits, wherever one is given: in the tables and in calibration.

    Args:
        success: bool [n], the value asked for is shown.
        preservation: float [n], share of the other visible attributes that stayed; NaN where none can be seen.
        identity: float [n], cosine of the identity embeddings of original and edit.
        same_person: cosine from which both show one person; None: not known, then any person will do.

    Returns:
        bool [n]; False where the preservation is NaN.
    """
    clean = success & (preservation >= PRESERVED - ROUNDING)
    return clean if same_person is None else clean & (identity >= same_person)


@metric(
    heading="clean success",
    short="clean",
    formula=f"1 if success, preservation ≥ {PRESERVED:g} and identity ≥ the domain's threshold of one person, else 0",
    section="Clean success",
    direction=MORE,
    bounds=(0, 1),
    population=ELIGIBLE,
    judge="attribute-judge",
    recipe=f"preserved-{PRESERVED:g}",
    group=EFFECT_GROUP,
)
def clean_success(chunk: JudgedChunk) -> Tensor:
    """The edit shows the value asked for, preserves the other visible attributes, and shows the same person."""
    from eval.metrics.identity import identity_similarity

    change, identity = chunk.attributes, identity_similarity(chunk.identity_originals, chunk.identity_edits)
    preservation = change.preservation
    if chunk.same_person is None:
        return preservation.new_full(preservation.shape, float("nan"))
    clean = is_clean(chunk.success, preservation, identity, chunk.same_person)
    return clean.to(preservation.dtype).masked_fill(preservation.isnan(), float("nan"))
