"""What the attribute judge saw change (``eval.metrics.attributes``): effect, success, preservation."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from eval.metrics.book import EFFECT_GROUP, ELIGIBLE, LESS, MATCHED, MORE, metric

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import JudgedChunk

_ATTRIBUTES: dict[str, Any] = {"section": "Attributes", "judge": "attribute-judge"}
_STORED = {**_ATTRIBUTES, "recipe": "one-vs-rest-log-odds"}
_SHOWN = {**_STORED, "population": ELIGIBLE, "group": EFFECT_GROUP}
_OF_A_FACTOR = {**_ATTRIBUTES, "population": ELIGIBLE}


@metric(
    heading="eligible",
    formula="the judge does not read the value on the reconstruction, and the target factor is visible",
    bounds=(0, 1),
    **_STORED,
)
def eligible(chunk: JudgedChunk) -> Tensor:
    """There was something to do: the picture does not show the value yet, and the attribute can be seen."""
    return chunk.attributes.eligible


@metric(
    heading="success",
    formula="1 if every judge that counts reads the value asked for, and the edit is right by its counterfactual, or, "
    "where none is known, real, else 0",
    direction=MORE,
    bounds=(0, 1),
    **_SHOWN,
)
def success(chunk: JudgedChunk) -> Tensor:
    """The edit shows the value asked for: every judge that counts reads it, in a picture that is not spoiled."""
    return chunk.success


@metric(
    heading="target effect",
    short="effect",
    formula="Δo_v / σ_v, change of the log-odds of the value asked for from reconstruction to edit",
    unit="σ",
    direction=MATCHED,
    **_SHOWN,
)
def target_effect(chunk: JudgedChunk) -> Tensor:
    """How far the target attribute moved towards the value asked for."""
    return chunk.attributes.target_effect


@metric(
    heading="AD mean",
    short="AD",
    formula="mean over the other visible factors of mean |Δo_v| / σ_v over their values",
    unit="σ",
    direction=LESS,
    bounds=(0, inf),
    **_SHOWN,
)
def ad_mean(chunk: JudgedChunk) -> Tensor:
    """How far the other visible attributes moved on average (Attribute Dependency)."""
    return chunk.attributes.ad_mean


@metric(
    heading="AD max",
    formula="largest over the other visible factors of mean |Δo_v| / σ_v over their values",
    unit="σ",
    direction=LESS,
    bounds=(0, inf),
    **_SHOWN,
)
def ad_max(chunk: JudgedChunk) -> Tensor:
    """How far the other visible attribute that moved most did."""
    return chunk.attributes.ad_max


@metric(
    heading="preservation",
    short="preserv.",
    formula="share of the other visible factors that the judge reads as before",
    direction=MORE,
    bounds=(0, 1),
    **_SHOWN,
)
def preservation(chunk: JudgedChunk) -> Tensor:
    """Share of the other visible attributes that the judge reads as before the edit."""
    return chunk.attributes.preservation


@metric(
    name="preservation.<factor>",
    heading="preservation of <factor>",
    formula="1 if the judge reads <factor> as before the edit, else 0",
    direction=MORE,
    bounds=(0, 1),
    **_OF_A_FACTOR,
)
def preservation_of_factor(chunk: JudgedChunk) -> Tensor:
    """The judge reads this attribute as before the edit (1) or otherwise (0)."""
    return chunk.attributes.preserved


@metric(
    name="effect.<factor>",
    heading="effect on <factor>",
    formula="mean |Δo_v| / σ_v over the values v of <factor>",
    unit="σ",
    bounds=(0, inf),
    **_OF_A_FACTOR,
)
def effect_factor(chunk: JudgedChunk) -> Tensor:
    """How far this attribute moved: wanted for the target, unwanted for any other."""
    return chunk.attributes.effects
