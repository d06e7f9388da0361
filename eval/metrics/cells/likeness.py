"""Is it the same person, and does a CLIP find the text in the picture?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval.metrics.book import LIKENESS_GROUP, MORE, metric

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import ClipView, JudgedChunk

_CLIP: dict[str, Any] = {
    "section": "CLIP score and direction",
    "recipe": "bicubic-antialias,79-templates",
    "direction": MORE,
    "group": LIKENESS_GROUP,
}
_EDITING, _JUDGE = {**_CLIP, "judge": "editing-clip"}, {**_CLIP, "judge": "judge-clip"}
_SCORE, _DIRECTION = "max(100·cos(E_I(x'), E_T(t')), 0)", "cos(E_I(x') - E_I(x), E_T(t') - E_T(t))"


@metric(
    heading="identity",
    short="ident.",
    formula="cosine of the identity embeddings of original and edit",
    section="Identity",
    direction=MORE,
    bounds=(-1, 1),
    judge="identity",
    recipe="cosine",
    group=LIKENESS_GROUP,
)
def identity(chunk: JudgedChunk) -> Tensor:
    """How much the edit looks like the same person as the original."""
    from eval.metrics.identity import identity_similarity

    return identity_similarity(chunk.identity_originals, chunk.identity_edits)


@metric(
    heading="CLIP score, editing CLIP",
    formula=f"{_SCORE} by the CLIP that editors use",
    digits=1,
    bounds=(0, 100),
    **_EDITING,
)
def clip_score_editing(chunk: JudgedChunk) -> Tensor:
    """How well the edit fits the target text, by the CLIP that editors look at: never compare editors by it."""
    return _score(chunk.editing_clip)


@metric(
    heading="CLIP score, judge CLIP",
    short="CLIP",
    formula=f"{_SCORE} by the judge CLIP",
    digits=1,
    bounds=(0, 100),
    **_JUDGE,
)
def clip_score_judge(chunk: JudgedChunk) -> Tensor:
    """How well the edit fits the target text, by a CLIP that no editor uses."""
    return _score(chunk.judge_clip)


@metric(
    heading="directional, editing CLIP",
    formula=f"{_DIRECTION} by the CLIP that editors use",
    digits=3,
    bounds=(-1, 1),
    **_EDITING,
)
def directional_editing(chunk: JudgedChunk) -> Tensor:
    """Whether the picture changed in the direction of the texts, by the CLIP that editors look at."""
    return _direction(chunk.editing_clip)


@metric(
    heading="directional, judge CLIP",
    formula=f"{_DIRECTION} by the judge CLIP",
    digits=3,
    bounds=(-1, 1),
    **_JUDGE,
)
def directional_judge(chunk: JudgedChunk) -> Tensor:
    """Whether the picture changed in the direction of the texts, by a CLIP that no editor uses."""
    return _direction(chunk.judge_clip)


def _score(view: ClipView) -> Tensor:
    from eval.metrics.clip_score import clip_score

    return clip_score(view.after, view.text.target)


def _direction(view: ClipView) -> Tensor:
    from eval.metrics.clip_score import directional_similarity

    return directional_similarity(view.before, view.after, view.text.delta)
