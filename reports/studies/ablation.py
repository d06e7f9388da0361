"""What an ablation found: means of every arm, and its paired differences from the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.prompts import Prompt
from eval.runs.names import with_current_names
from eval.runs.store import Store
from eval.statistics import holm
from eval.statistics.cells import LIKE_THESE, SHARES
from eval.statistics.crossed import EVERYTHING, THESE_PROMPTS, crossed_estimate
from eval.studies.ablation.plan import Ablation
from eval.studies.ablation.run import COLUMNS, jobs
from reports.studies.ablation_table import COMPARED, MEASURES, ArmResult, Curve, Difference, Mean

SWEEP_NUMBERS = ("strength", "success", "preservation", "effect")


def read_results(
    store: Store, ablation: Ablation, prompts: Sequence[Prompt], population: str = LIKE_THESE
) -> list[ArmResult]:
    """One result an arm, in the order of the ablation; an arm without a stored prompt is left out.

    Args:
        store: the ablation's folder.
        ablation: what it holds.
        prompts: those of the ablation.
        population: of the intervals: ``prompts-like-these``, or ``these-prompts``.
    """
    random: tuple[int, ...] = EVERYTHING if population == LIKE_THESE else THESE_PROMPTS
    if len(ablation.seeds) == 1:  # how much trainings differ cannot be told from one
        random = random[1:]
    stored = _stored(store, ablation, prompts)
    cells = {arm: _cells(ablation, prompts, results) for arm, results in stored.items() if results}
    baseline = cells.get(ablation.baseline)
    found = [_arm(arm, ablation, stored[arm], cells[arm], baseline, random) for arm in cells]
    return _with_holm(found)


def _stored(store: Store, ablation: Ablation, prompts: Sequence[Prompt]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {arm.label: [] for arm in ablation.arms}
    for job in jobs(ablation, prompts):
        if store.has(job.file):
            found[job.arm.label].append(with_current_names(store.read_json(job.file)))
    return found


def _cells(ablation: Ablation, prompts: Sequence[Prompt], results: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Every column as float64 [seeds, images, prompts]; success, preservation and effect of eligible cells only."""
    names = [prompt.name for prompt in prompts]
    shape = len(ablation.seeds), ablation.images, len(names)
    columns = {name: np.full(shape, np.nan) for name in COLUMNS}
    for result in results:
        if not result["cells"]:
            continue
        at = ablation.seeds.index(result["seed"]), slice(None), names.index(result["prompt"])
        eligible = np.array(result["cells"]["eligible"], dtype=bool)
        for name in columns.keys() & result["cells"].keys():  # older folders have no verdicts
            values = np.array([np.nan if value is None else value for value in result["cells"][name]], dtype=float)
            columns[name][at] = np.where(eligible, values, np.nan) if name in (*SHARES, "target_effect") else values
    return columns


def _arm(
    label: str,
    ablation: Ablation,
    results: list[dict[str, Any]],
    cells: dict[str, np.ndarray],
    baseline: dict[str, np.ndarray] | None,
    random: tuple[int, ...],
) -> ArmResult:
    matched = [result for result in results if result["match"]["met"]]
    at_one = [_number(point["effect"]) for result in results for point in result["sweep"] if point["strength"] == 1]
    means, differences = {}, {}
    for name in MEASURES:
        estimate = crossed_estimate(cells[name], random)
        means[name] = Mean(estimate.mean, estimate.low, estimate.high)
        if name in COMPARED and baseline is not None and label != ablation.baseline:
            paired = crossed_estimate(cells[name] - baseline[name], random)
            differences[name] = Difference(paired.mean, paired.low, paired.high, paired.p, float("nan"), paired.cells)
    return ArmResult(
        label=label,
        jobs=len(results),
        matched=len(matched),
        strength=float(np.median([result["match"]["strength"] for result in matched])) if matched else float("nan"),
        effect_at_one=float(np.nanmean(at_one)) if np.isfinite(at_one).any() else float("nan"),
        means=means,
        differences=differences,
        curve=_curve(results),
    )


def _curve(results: list[dict[str, Any]]) -> Curve:
    """The sweep averaged over seeds and prompts, at the strengths that all have: float64 [K] of each number."""
    sweeps = [{point["strength"]: point for point in result["sweep"]} for result in results]
    shared = [strength for strength in sweeps[0] if all(strength in sweep for sweep in sweeps)]
    points = np.array(
        [[[_number(sweep[strength][name]) for name in SWEEP_NUMBERS] for strength in shared] for sweep in sweeps]
    )
    known = points[~np.isnan(points).any((1, 2))]  # a prompt that nobody is eligible for has no rates
    means = known.mean(0).T if len(known) else np.empty((len(SWEEP_NUMBERS), 0))
    return Curve(**{name: tuple(map(float, column)) for name, column in zip(SWEEP_NUMBERS, means, strict=True)})


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _with_holm(found: list[ArmResult]) -> list[ArmResult]:
    """Correct the p-values over all arms and measures of the ablation."""
    from dataclasses import replace

    keys = [(row, name) for row, arm in enumerate(found) for name in arm.differences]
    adjusted = holm(np.array([found[row].differences[name].p for row, name in keys]))
    changed = [dict(arm.differences) for arm in found]
    for (row, name), p_holm in zip(keys, adjusted, strict=True):
        changed[row][name] = replace(changed[row][name], p_holm=float(p_holm))
    return [replace(arm, differences=differences) for arm, differences in zip(found, changed, strict=True)]
