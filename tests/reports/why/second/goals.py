"""Who meets which target effect on which prompts, from ``strengths/*.json`` alone."""

from __future__ import annotations

from typing import Any

from tests.reports.why.second.files import Files

CONTROLS = ("identity", "random-direction")
SHARE = 0.25  # of the prompts that a compared editor meets at least


def goals(files: Files) -> list[float]:
    """Target effects that have cells, ascending."""
    return sorted({info["effect_goal"] for info in files.infos if info.get("effect_goal") is not None})


def editors_at(files: Files, goal: float) -> list[str]:
    """Editors with cells at a goal, in the order of the tables."""
    here = {info["editor"] for info in files.infos if info.get("effect_goal") == goal}
    asked = list(files.manifest.get("arguments", {}).get("methods", []))
    return sorted(here, key=lambda name: (asked.index(name) if name in asked else len(asked), name))


def matches(files: Files, editor: str, goal: float) -> dict[str, dict[str, Any]]:
    """Prompt -> what the calibration found for the goal."""
    names = [prompt["name"] for prompt in files.prompts]
    found = [record for record in files.calibrations if record["editor"] == editor]
    return {
        record["prompt"]: match
        for record in found
        for match in record.get("matched", ())
        if match["goal"] == goal and record["prompt"] in names
    }


def reached(files: Files, editor: str, goal: float) -> list[str]:
    """Prompts for which some strength has the effect."""
    return [name for name, match in matches(files, editor, goal).items() if match["reached"]]


def met(files: Files, editor: str, goal: float) -> list[str]:
    """Those of them whose strength was found."""
    found = matches(files, editor, goal)
    return [name for name in reached(files, editor, goal) if found[name]["met"]]


def compared_editors(files: Files, goal: float) -> list[str]:
    """Editors that meet at least a quarter of the prompts, controls apart."""
    fewest = max(SHARE * len(files.prompts), 1)
    candidates = [name for name in editors_at(files, goal) if name.split("[")[0] not in CONTROLS]
    return [name for name in candidates if len(met(files, name, goal)) >= fewest]


def own_prompts(files: Files, editor: str, goal: float) -> list[str]:
    """Prompts that an editor's numbers are over: those that it meets; all for who is not compared."""
    if editor in compared_editors(files, goal):
        return met(files, editor, goal)
    return [prompt["name"] for prompt in files.prompts]


def role(files: Files, editor: str, goal: float) -> str:
    """What an editor is at a goal."""
    if editor in compared_editors(files, goal):
        return "compared"
    if editor.split("[")[0] in CONTROLS:
        return "floor"
    return "overshoots" if reached(files, editor, goal) != met(files, editor, goal) else "out of reach"


def _curves(files: Files) -> tuple[list[float], list[str]]:
    """Goals and prompts of the curves: as many goals, from the first, as leave a quarter of the prompts."""
    every = goals(files)
    editors = compared_editors(files, every[0]) if every else []
    kept: list[float] = []
    left = [prompt["name"] for prompt in files.prompts]
    for goal in every:
        own = [set(met(files, name, goal)) for name in editors]
        narrower = [name for name in left if all(name in mine for mine in own)]
        if len(narrower) < max(1.0, SHARE * len(files.prompts)):
            break
        kept, left = [*kept, goal], narrower
    return kept, left


def curve_goals(files: Files) -> list[float]:
    """Goals of the curves of the table ``pareto``."""
    return _curves(files)[0]


def curve_prompts(files: Files) -> list[str]:
    """Prompts of the curves of the table ``pareto``."""
    return _curves(files)[1]
