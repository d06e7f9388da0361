"""How the numbers of a paper were made: networks, recipes, versions, seeds."""

from __future__ import annotations

from eval.runs.reader import Run
from reports.paper.parts import Section, TablePart, counted
from reports.writers.layout import Block, Table, Value

SHORT_SHA = 12


def provenance_section(run: Run) -> Section:
    """One paragraph and the networks that made or judged the images."""
    manifest = run.manifest
    arguments = manifest.get("arguments", {})
    packages = ", ".join(f"{name} {version}" for name, version in manifest.get("packages", {}).items())
    failed = len(run.failures)
    failures = (
        f"{counted(failed, 'chunk')} failed and {'is' if failed == 1 else 'are'} left out."
        if failed
        else "No chunk failed."
    )
    paragraph = (
        f"Run folder `{run.folder.resolve().name}`, schema {manifest.get('schema')}, commit "
        f"`{manifest.get('commit')}`, "
        f"seed {arguments.get('seed')}, on {_one_line(manifest.get('hardware'))}. Packages: {packages}. {failures}"
    )
    parts = tuple(part for part in (_networks(run), _recipes(run)) if part is not None)
    return Section("How this was made", (paragraph,), parts)


def _one_line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return str(value)


def _networks(run: Run) -> TablePart | None:
    sums = {str(name): str(value) for name, value in run.manifest.get("fingerprints", {}).items()}
    if not sums:
        return None
    data: tuple[dict[str, Value], ...] = tuple({"network": name, "sha256": value} for name, value in sums.items())
    rows = tuple((name, f"`{value[:SHORT_SHA]}`") for name, value in sums.items())
    table = Table(
        "networks", "Which networks?", ("network", "sha256"), data, (Block("", ("network", "sha256"), rows, texts=2),)
    )
    return TablePart(
        table,
        f"The {len(rows)} networks that edited or judged, by the first {SHORT_SHA} digits of their weights' sha256.",
    )


def _recipes(run: Run) -> TablePart | None:
    recipes = {str(name): str(value) for name, value in run.manifest.get("recipes", {}).items()}
    if not recipes:
        return None
    data: tuple[dict[str, Value], ...] = tuple({"metric": name, "recipe": value} for name, value in recipes.items())
    rows = tuple((name, f"`{recipe}`") for name, recipe in recipes.items())
    block = Block("", ("number", "recipe"), rows, texts=2)
    table = Table("recipes", "By which recipes?", ("metric", "recipe"), data, (block,))
    return TablePart(
        table, "Recipes: network, filter and range behind each number; numbers of different recipes are not compared."
    )
