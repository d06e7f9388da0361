"""The columns of every table: what each number is, over which cells, with which interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reports.why.measures import measure_of

LABEL, COUNT, MEAN, FRECHET, COST, VERDICT = "label", "count", "mean", "frechet", "cost", "verdict"
ELIGIBLE, ALL = "eligible cells", "all cells"
BY_IMAGE = "95 %, percentiles of a bootstrap by source image"
BY_POPULATION = "95 %, studentised bootstrap for the population of the row (docs/statistics.md)"
DRAWS = {BY_IMAGE: 1000, BY_POPULATION: 2000}  # of those that a table draws with SEED
SEED = 0
TABLES_DOC, RUN_TIME = "docs/tables.md", "docs/metrics.md, Run time"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        kind: ``label``, ``count``, ``mean``, ``frechet``, ``cost`` or ``verdict``.
        formula: in one line.
        source: document and heading that explain it.
        measure: the number of a cell that is averaged; '' if none is.
        over: which cells.
        recipes: metrics whose recipes it has, as the manifest names them.
        interval: how its bounds are found; '' if it has none.
        bound: ``low`` or ``high`` if it is a bound itself.
    """

    kind: str
    formula: str
    source: str
    measure: str = ""
    over: str = ""
    recipes: tuple[str, ...] = ()
    interval: str = ""
    bound: str = ""


def _label(formula: str, source: str = TABLES_DOC) -> Column:
    return Column(LABEL, formula, source)


def _count(formula: str, over: str = "", recipes: tuple[str, ...] = ()) -> Column:
    return Column(COUNT, formula, TABLES_DOC, over=over, recipes=recipes)


def _cost(formula: str) -> Column:
    return Column(COST, formula, RUN_TIME)


def _mean(column: str, over: str, interval: str = BY_IMAGE) -> Column:
    found = measure_of(column)
    if found is None:
        raise KeyError(column)
    formula = f"mean over {over} of: {found.formula}"
    return Column(MEAN, formula, found.source, column, over, (found.recipe,) if found.recipe else (), interval)


_EDITOR, _KIND = _label("label of the editor"), _label("how the strength was chosen")
_STRENGTH = _label("the strength used; 'per prompt' where every prompt has its own")
_AT_BAR = "success at least 0.80 and kept at least 0.90 over eligible cells"
_ASKED = ("success", "kept", "target_effect", "ad_mean", "ad_max")
_LIKENESS = (
    *("identity", "clip_score_editing", "clip_score_judge", "directional_editing", "directional_judge"),
    *("counterfactual_psnr_db", "counterfactual_ssim", "counterfactual_identity", "outside_psnr_db"),
)
_GROUPED = ("identity", "ad_mean", "kept", "counterfactual_psnr_db", "counterfactual_identity")
_POOLED = "cells that all editors and kinds of strength have, pooled over prompts"
_FRECHET_SOURCE = "docs/metrics.md, Fréchet distance"
BY_PERSON = "95 %, linear bootstrap by source image, centred on the distance"
_SETS = "docs/metrics.md, KID and CMMD"
_COMPARED = "eligible cells of the prompts that all compared editors meet"


_PSNRS = {
    "error": ("counterfactual_psnr_db",),
    "inversion_error": ("inversion_psnr_db",),
    "edit_error": ("counterfactual_psnr_db", "inversion_psnr_db"),
}


def _error(column: str, formula: str) -> Column:
    source = f"{TABLES_DOC}, counterfactual"
    return Column(MEAN, f"mean over {ALL} of: {formula}", source, column, ALL, _PSNRS[column], BY_IMAGE)


_TABLES: dict[str, dict[str, Column]] = {
    "main": {
        "editor": _EDITOR,
        "kind": _KIND,
        "strength": _STRENGTH,
        "cells": _count("number of finished cells", ALL),
        "eligible": _count("number of eligible cells", ELIGIBLE, ("eligible",)),
        "prompts_at_bar": _count(f"number of prompts with {_AT_BAR}", ELIGIBLE, ("success", "kept")),
        "prompts": _count("number of prompts of the run"),
        **{name: _mean(name, ELIGIBLE) for name in _ASKED},
        **{name: _mean(name, ALL) for name in _LIKENESS},
        "identity_floor": Column(
            MEAN, "mean cosine of two different persons (manifest)", "docs/metrics.md, Identity", recipes=("identity",)
        ),
        "identity_ceiling": Column(
            MEAN,
            "mean cosine of two pictures of one person (manifest)",
            "docs/metrics.md, Identity",
            "",
            "",
            ("identity",),
        ),
    },
    "prompts": {
        "editor": _EDITOR,
        "kind": _KIND,
        "prompt": _label("name of the prompt"),
        "target": _label("its target text"),
        "attribute": _label("the factor that it asks to change"),
        "value": _label("the value that it asks for"),
        "strength": _label("the strength used for this prompt"),
        "eligible": _count("number of eligible cells", ELIGIBLE, ("eligible",)),
        "success": _mean("success", ELIGIBLE),
        "kept": _mean("kept", ELIGIBLE),
        "at_bar": Column(VERDICT, _AT_BAR, f"{TABLES_DOC}, prompts", "", ELIGIBLE, ("success", "kept")),
    },
    "attributes": {
        "editor": _EDITOR,
        "kind": _KIND,
        "strength": _STRENGTH,
        "target": _label("the factor that the prompts ask to change"),
        "attribute": _label("the factor looked at"),
        "eligible": _count("number of eligible cells of the prompts of this target", ELIGIBLE, ("eligible",)),
        "flip_rate": Column(
            MEAN,
            "mean over eligible cells of: 0 if the judge reads the attribute as before the edit, else 1",
            "docs/metrics.md, Attributes",
            "kept.",
            ELIGIBLE,
            ("kept",),
            BY_IMAGE,
        ),
        "effect": Column(
            MEAN,
            "mean over eligible cells of: mean |Δo_v| / σ_v over the values v of the attribute",
            "docs/metrics.md, Attributes",
            "effect.",
            ELIGIBLE,
            ("target_effect",),
            BY_IMAGE,
        ),
    },
    "counterfactual": {
        "editor": _EDITOR,
        "kind": _KIND,
        "strength": _STRENGTH,
        "cells": _count("number of finished cells", ALL),
        **{
            name: _mean(name, ALL)
            for name in (
                *("counterfactual_psnr_db", "inversion_psnr_db", "counterfactual_ssim", "inversion_ssim"),
                "counterfactual_identity",
            )
        },
        "error": _error("error", "1000·10^(-PSNR/10) of edit and exact answer"),
        "inversion_error": _error("inversion_error", "1000·10^(-PSNR/10) of reconstruction and original"),
        "edit_error": _error("edit_error", "error - inversion_error"),
        "at_ceiling": Column(
            VERDICT,
            "mean PSNR and mean identity to the answer are not below the oracle's on the same cells",
            f"{TABLES_DOC}, counterfactual",
            "",
            ALL,
            ("counterfactual_psnr_db", "counterfactual_identity"),
        ),
    },
    "runtime": {
        "editor": _EDITOR,
        "set_up_s": _cost("seconds of preparing, where it was computed"),
        "set_up_here_s": _cost("seconds of preparing that this run waited"),
        "per_prompt_s": _cost("mean over prompts of the seconds of fitting, where it was computed"),
        "per_prompt_here_s": _cost("mean over prompts of the seconds of fitting that this run waited"),
        "per_edit_s": _cost("median over chunks of the editing seconds an image"),
        "synthesis_s": _cost("median over chunks of the synthesis seconds an image"),
        "judge_s": _cost("median over chunks of the judging seconds an image"),
        "peak_memory_mib": _cost("largest over chunks of the process's peak memory"),
        "amortised_s": _cost("(set-up + sum over prompts of fitting) / (prompts · images) + per edit"),
        "break_even_edits": _cost(
            "smallest number of edits of one prompt from which set-up + per prompt + edits · per edit is below that of "
            "the editor with the quickest first edit"
        ),
        "break_even_against": _label("the editor, apart from controls, with the quickest first edit"),
        "hardware": _label("what set-up and fitting were computed on"),
        "hardware_here": _label("what this run was made on"),
    },
    "strengths": {
        "editor": _EDITOR,
        "prompt": _label("name of the prompt"),
        "strength": _label("a strength of the sweep"),
        "success": replace(_mean("success", "eligible calibration images", ""), kind=MEAN),
        "kept": replace(_mean("kept", "eligible calibration images", ""), kind=MEAN),
        "effect": replace(_mean("target_effect", "eligible calibration images", ""), kind=MEAN),
        "harmonic_mean": Column(
            MEAN,
            "2·success·kept / (success + kept)",
            f"{TABLES_DOC}, strengths",
            "",
            "eligible calibration images",
            ("success", "kept"),
        ),
        "chosen": Column(
            VERDICT,
            "largest harmonic mean of success and kept, the smaller strength of equals",
            f"{TABLES_DOC}, strengths",
            "",
            "eligible calibration images",
            ("success", "kept"),
        ),
    },
    "matched": {
        "goal": _label("target effect in σ"),
        "editor": _EDITOR,
        "role": Column(
            VERDICT,
            "compared (meets at least a quarter of the prompts), floor, overshoots, out of reach or oracle",
            f"{TABLES_DOC}, matched",
            recipes=("target_effect",),
        ),
        "prompts": _count("number of prompts of the run"),
        "prompts_reached": _count(
            "number of prompts for which some strength has this mean effect on the calibration images",
            "",
            ("target_effect",),
        ),
        "prompts_met": _count(
            "number of those whose strength was found within 0.05 σ of the goal", "", ("target_effect",)
        ),
        "reach_prompts": Column(
            MEAN, "prompts_reached / prompts", f"{TABLES_DOC}, matched", recipes=("target_effect",)
        ),
        "reach_edits": Column(
            MEAN,
            "share of eligible cells of all prompts whose target effect is at least half the goal",
            f"{TABLES_DOC}, matched",
            "target_effect",
            "eligible cells of all prompts",
            ("target_effect",),
            BY_IMAGE,
        ),
        "prompts_compared": _count("number of prompts that all compared editors meet", "", ("target_effect",)),
        "cells": _count("number of eligible cells of the compared prompts", _COMPARED, ("eligible",)),
        "population": _label("what the row's intervals and groups hold for: docs/statistics.md"),
        **{name: _mean(name, _COMPARED, BY_POPULATION) for name in ("target_effect", *_GROUPED)},
        **{
            f"{name}_group": Column(
                VERDICT,
                f"letters of the groups in {name} whose editors do not differ significantly: paired sign flips, Holm",
                "docs/statistics.md, Comparing two editors",
                name,
                _COMPARED,
                (name,),
            )
            for name in _GROUPED
        },
        "at_ceiling": Column(
            VERDICT,
            "mean PSNR and mean identity to the answer are not below the oracle's on the same cells",
            f"{TABLES_DOC}, counterfactual",
            "",
            _COMPARED,
            ("counterfactual_psnr_db", "counterfactual_identity"),
        ),
    },
    "pareto": {
        "axis": _label("the column that the curve is drawn against"),
        "editor": _EDITOR,
        "goal": _label("target effect in σ; blank for a single point"),
        "effect": _mean("target_effect", "eligible cells of the prompts of the curves"),
        "value": Column(
            MEAN,
            "mean over eligible cells of the prompts of the curves of the column named by axis",
            f"{TABLES_DOC}, pareto",
            "axis",
            "eligible cells of the prompts of the curves",
            ("identity", "ad_mean", "counterfactual_psnr_db"),
            BY_IMAGE,
        ),
        "area": Column(
            MEAN,
            "area under the curve over the goals by the trapezoid rule, divided by its width",
            f"{TABLES_DOC}, pareto",
            "axis",
            "eligible cells of the prompts of the curves",
            ("identity", "ad_mean", "counterfactual_psnr_db"),
            BY_IMAGE,
        ),
        "prompts": _count("number of prompts of the curves"),
    },
    "frechet": {
        "editor": _EDITOR,
        "kind": _KIND,
        "strength": _STRENGTH,
        "n": _count("number of edits in the distance", _POOLED),
        "persons": _count("number of persons among them", _POOLED),
        "different": _count("number of different features among them", _POOLED),
        "kid": Column(
            FRECHET,
            "squared maximum mean discrepancy with the kernel (x·y / D + 1)³, different persons, unbiased",
            _SETS,
            "frechet",
            _POOLED,
            ("kid",),
        ),
        "cmmd": Column(
            FRECHET,
            "1000 times that with exp(-|x - y|² / 200) on unit features of the judge CLIP",
            _SETS,
            "clip",
            _POOLED,
            ("cmmd",),
        ),
    },
    "originals": {
        "editor": _EDITOR,
        "kind": _KIND,
        "strength": _STRENGTH,
        "n": _count("number of edits in the distance to the same persons", _POOLED),
        "others_n": _count("number of edits in each half", _POOLED),
        **{
            name: Column(
                FRECHET, f"Fréchet distance of {sets}", _FRECHET_SOURCE, "frechet", f"{sets}: {_POOLED}", ("frechet",)
            )
            for name, sets in (
                ("same", "edits and originals of the same persons"),
                ("others", "the edits of one half of the persons and the originals of the other, both ways"),
                ("floor", "the originals of one half of the persons and those of the other"),
            )
        },
    },
    "frechet_sizes": {
        "editor": _EDITOR,
        "kind": _KIND,
        "strength": _STRENGTH,
        "n": _label("number of edits in the distance"),
        "distance": Column(
            FRECHET,
            "Fréchet distance of edits and exact answers of this many cells",
            _FRECHET_SOURCE,
            "frechet",
            _POOLED,
            ("frechet",),
        ),
    },
    "determinism": {
        "editor": _EDITOR,
        "verdict": _label("docs/run_folder.md, determinism.json"),
        **{
            f"{which}_{part}": _cost(f"largest |difference| of {part}: {words}")
            for which, words in (
                ("repeat", "the same chunk twice"),
                ("batch", "the same chunk in smaller batches"),
                ("stored", "the same chunk and that of the folder"),
            )
            for part in ("latents", "images", "metrics")
        },
        **{name: _count(f"of the check: {name}") for name in ("images", "smaller_batch", "threads")},
    },
}


_EARLIER = {"kid": "frechet", "cmmd": "clip_score_judge"}  # whose recipe stands in manifests that lack theirs


def manifest_names(column: Column, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics whose recipes a column has, by the manifest's names: ``frechet`` is ``fid`` or ``fd_<domain>``."""
    known = manifest.get("recipes", {})
    names = (name if name in known else _EARLIER.get(name, name) for name in column.recipes)
    return tuple(str(manifest.get("frechet_name", name)) if name == "frechet" else name for name in names)


def known_tables() -> tuple[str, ...]:
    """Names of the tables whose columns are described."""
    return tuple(_TABLES)


def column_of(table: str, column: str, frechet_name: str = "") -> Column | None:
    """What a column of a table is; None if it is not described.

    Args:
        table: name.
        column: of its csv.
        frechet_name: of the run, for the main table.

    >>> column_of("main", "success_low").bound
    'low'
    """
    for bound in ("", "low", "high"):
        stem = column.removesuffix(f"_{bound}") if bound else column
        found = _TABLES.get(table, {}).get(stem) or _frechet(table, stem, frechet_name)
        if found is not None and (not bound or (stem != column and found.interval)):
            return replace(found, bound=bound)
    return None


def _frechet(table: str, column: str, name: str) -> Column | None:
    """The columns that are named after the Fréchet distance of the domain."""
    if table not in ("main", "frechet") or not name or not column.startswith(name):
        return None
    formulas = {
        "": "Fréchet distance of edits and exact answers of the same cells",
        "_split": "Fréchet distance of the edits of one half of the persons and the answers of the other, both ways",
        "_split_floor": "Fréchet distance of the exact answers of one half of the persons and those of the other",
        "_floor": "Fréchet distance of exact answers of different persons at this N",
        "_extrapolated": "limit of a line through the distances of smaller sets against 1/N",
    }
    counts = {"_n": "number of edits in the distance", "_split_n": "number of edits in each half"}
    ending = column.removeprefix(name)
    if ending in counts:
        return _count(counts[ending], _POOLED)
    if ending not in formulas:
        return None
    interval = BY_PERSON if table == "frechet" and not ending else ""
    return Column(FRECHET, formulas[ending], _FRECHET_SOURCE, "frechet", _POOLED, (name,), interval)
