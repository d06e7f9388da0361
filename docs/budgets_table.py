"""Writes the table of budgets of docs/protocol.md from the editors' own settings: ``python docs/budgets_table.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from generated import write

from baselines import styleclip_mapper, styleclip_optimization, stylemc, tedigan
from baselines.styleclip_global import StyleClipGlobal
from deltaedit.settings import Settings
from eval.domains.avatars.domain import TRAINING_IMAGES
from eval.runs.plan import shipped_costs
from eval.studies.tuning import GRIDS

HEADER = ("editor", "learns", "looks at", "set-up s", "per prompt s", "per edit s", "ours, not the published", "tuned")


def table() -> str:
    """One line an editor, with the presets that it takes on `avatars`."""
    delta, relevance = Settings(), StyleClipGlobal()
    mapper, optimizer = styleclip_mapper.PRESETS["small"], styleclip_optimization.PRESETS["colab"]
    direction, instance = stylemc.StyleMC(), tedigan.PRESETS["instance"]
    rows = {
        "deltaedit": (
            f"a mapper for the generator: {delta.steps:,} x {delta.batch} pairs",
            f"{2 * TRAINING_IMAGES:,} images; R_s: {delta.relevance_images} an offset",
            "",
        ),
        "styleclip-global": (
            "nothing; R_s of the generator",
            f"R_s: {relevance.relevance_images} images an offset",
            "",
        ),
        "styleclip-mapper": (
            f"a mapper for each prompt: {mapper.steps:,} x {mapper.batch} images",
            f"{mapper.images:,} codes",
            _differences(styleclip_mapper.PRESETS, "small"),
        ),
        "stylemc": (
            f"a direction for each prompt: {direction.images // direction.batch} x {direction.batch} images",
            f"{direction.images} codes",
            _differences(stylemc.PRESETS, "small"),
        ),
        "styleclip-optimization": (f"each edit: {optimizer.steps} steps", "the image", ""),
        "tedigan": (f"each edit: {instance.steps} steps", "the image", ""),
    }
    lines = [HEADER, ("---",) * 2 + ("---",) + ("---:",) * 3 + ("---",) * 2]
    lines += [(name, learns, seen, *_seconds(name), ours, _tuned(name)) for name, (learns, seen, ours) in rows.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _differences(presets: Mapping[str, Any], ours: str) -> str:
    """The fields in which our preset differs from the published one, with both values."""
    mine, theirs = asdict(presets[ours]), asdict(presets["published"])
    return ", ".join(f"{name} {mine[name]} ({theirs[name]})" for name in mine if mine[name] != theirs[name])


def _seconds(name: str) -> tuple[str, str, str]:
    cost = shipped_costs()[name]
    edit = float(cost["edit_s"]) + float(cost["offset_s"])
    return tuple(
        "0" if value < 0.0005 else f"{value:.3g}"
        for value in (cost["prepare_computed_s"], cost["fit_computed_s"], edit)
    )  # type: ignore[return-value]


def _tuned(name: str) -> str:
    grid = GRIDS.get(name)
    return (
        "" if grid is None else f"{grid.parameter} of {', '.join(map(str, grid.values))} (published: {grid.published})"
    )


if __name__ == "__main__":
    write("protocol.md", "budgets_table.py", table())
