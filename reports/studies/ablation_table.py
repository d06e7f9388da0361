"""What does one part of DeltaEdit contribute? Means at equal effect, and differences from the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eval.metrics.book import metric_of
from eval.statistics import Interval
from reports.writers.layout import NOT_AVAILABLE, Block, Table, Value, interval_text, number

LIKE_THESE = "prompts-like-these"
SIGNIFICANT = 0.05  # level of the corrected test
MEASURES = ("clean_success", "success", "preservation", "ad_mean", "identity", "counterfactual_ssim", "target_effect")
FINE = 3  # decimals: arms of one method differ little
COMPARED = tuple(name for name in MEASURES if name != "target_effect")  # the effect is what was made equal


@dataclass(frozen=True)
class Mean:
    """A mean and its 95 % interval; NaN where it cannot be had."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Mean):
    """Mean of arm - baseline over the cells that both have.

    Attributes:
        p: uncorrected.
        p_holm: corrected over all arms and measures of the ablation.
        cells: shared ones.
    """

    p: float
    p_holm: float
    cells: int


@dataclass(frozen=True)
class Curve:
    """What every strength of the calibration's sweep does, averaged over seeds and prompts."""

    strength: tuple[float, ...] = ()
    success: tuple[float, ...] = ()
    preservation: tuple[float, ...] = ()
    effect: tuple[float, ...] = ()


@dataclass(frozen=True)
class ArmResult:
    """What one arm does.

    Attributes:
        label: of the arm.
        jobs: prompts times seeds.
        matched: how many of them have a strength with the wanted effect; only these are compared.
        strength: median of those strengths.
        effect_at_one: mean effect at strength 1 on the calibration images, in σ.
        means: measure -> mean.
        differences: measure -> arm - baseline; empty for the baseline.
        curve: the sweep.
    """

    label: str
    jobs: int
    matched: int
    strength: float
    effect_at_one: float
    means: Mapping[str, Mean]
    differences: Mapping[str, Difference] = field(default_factory=dict)
    curve: Curve = field(default_factory=Curve)


COLUMNS = (
    *("arm", "baseline", "jobs", "matched", "strength", "effect_at_strength_1"),
    *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
    *(f"{name}_difference{end}" for name in COMPARED for end in ("", "_low", "_high", "_p", "_p_holm", "_cells")),
)


def ablation_table(
    name: str,
    question: str,
    effect: float,
    baseline: str,
    arms: Sequence[ArmResult],
    population: str = LIKE_THESE,
    trainings: int = 3,
) -> Table:
    """Means of every arm and its differences from the baseline.

    Args:
        name: of the ablation.
        question: that it answers.
        effect: in σ, at which the arms are compared.
        baseline: label of the arm that the others are compared with.
        arms: in the order of the ablation.
        population: of the intervals: ``prompts-like-these`` or ``these-prompts``.
        trainings: of each arm; the intervals of one are for other images and prompts, and for these trainings.
    """
    measures = [name for name in MEASURES if any(_known(arm.means[name].mean) for arm in arms)]
    header = ("arm", "matched", "strength", "effect at strength 1 (σ)", *(metric_of(name).title for name in measures))
    rows = tuple(
        (
            f"{arm.label} (baseline)" if arm.label == baseline else arm.label,
            f"{arm.matched} of {arm.jobs}",
            number(arm.strength, 2),
            number(arm.effect_at_one, 2),
            *(_text(arm.means[name], name, arm.matched) for name in measures),
        )
        for arm in arms
    )
    blocks = [Block(f"Means at an effect of {effect:g} σ", header, rows)]
    compared = [name for name in measures if name in COMPARED]
    others = [arm for arm in arms if arm.differences]
    if others:
        header = ("arm", "shared cells", *(metric_of(name).title for name in compared))
        rows = tuple((arm.label, _cells(arm), *(_difference(arm, name) for name in compared)) for arm in others)
        blocks.append(Block(f"Differences from {baseline}, on the cells that both have", header, rows))
    data = tuple(_data(arm, baseline) for arm in arms)
    return Table(f"ablation_{name}", question, COLUMNS, data, tuple(blocks), _notes(effect, population, trainings))


def _notes(effect: float, population: str, trainings: int) -> tuple[str, ...]:
    others = ["trainings"] * (trainings > 1) + ["images"] + ["prompts"] * (population == LIKE_THESE)
    chance = f"other {' and '.join([*([', '.join(others[:-1])] if others[1:] else []), others[-1]])} like these"
    chance += "" if population == LIKE_THESE else " and exactly these prompts"
    chance += "" if trainings > 1 else "; each arm was trained once, and how much trainings differ is not in it"
    return (
        f"Every arm edits each prompt with the strength whose mean effect on the calibration images is {effect:g} σ "
        "(within 0.05 σ); matched: prompts times seeds that have such a strength, others have no cells. Success, "
        "preservation and effect are over eligible cells; AD mean: Attribute Dependency, how far the other "
        "attributes moved.",
        f"±: half of the 95 % interval for {chance}. Bold: p < 0.05 after Holm's "
        "correction over all arms and measures of this table.",
    )


def _data(arm: ArmResult, baseline: str) -> dict[str, Value]:
    row: dict[str, Value] = {
        "arm": arm.label,
        "baseline": arm.label == baseline,
        "jobs": arm.jobs,
        "matched": arm.matched,
        "strength": arm.strength,
        "effect_at_strength_1": arm.effect_at_one,
    }
    for name, mean in arm.means.items():
        row |= _columns(name, mean)
    for name, difference in arm.differences.items():
        if name in COMPARED:
            stem = f"{name}_difference"
            row |= _columns(stem, difference)
            row |= {f"{stem}_p": difference.p, f"{stem}_p_holm": difference.p_holm, f"{stem}_cells": difference.cells}
    return row


def _columns(name: str, value: Mean) -> dict[str, Value]:
    few = _known(value.mean) and not _known(value.low)
    bounds = (NOT_AVAILABLE, NOT_AVAILABLE) if few else (value.low, value.high)
    return {name: value.mean, f"{name}_low": bounds[0], f"{name}_high": bounds[1]}


def _cells(arm: ArmResult) -> str:
    return f"{max(arm.differences[name].cells for name in COMPARED):,}"


def _difference(arm: ArmResult, name: str) -> str:
    value = arm.differences[name]
    text = _text(value, name, arm.matched)
    text = f"+{text}" if text and value.mean > 0 and not text.startswith("0.000") else text
    return f"**{text}**" if value.p_holm < SIGNIFICANT else text


def _text(value: Mean, name: str, jobs: int) -> str:
    mean, low, high = (part if _known(part) else None for part in (value.mean, value.low, value.high))
    return interval_text(Interval(mean, low, high, jobs, jobs), _digits(name))


def _digits(name: str) -> int:
    return metric_of(name).digits if name in ("clean_success", "success", "target_effect") else FINE


def _known(value: float) -> bool:
    return value == value
