"""The pictures of a paper with their captions: qualitative grids, strength strips, failure gallery."""

from __future__ import annotations

from functools import partial

from eval.metrics.book import metric_of
from eval.runs.reader import Run, Setting
from reports.equal_effect.prompts import is_control
from reports.figures.labels import for_figures
from reports.figures.pictures.failures import ACROSS, Card, failure_cards, failures_figure, worst_cells
from reports.figures.pictures.grid import MARKED
from reports.figures.pictures.kept import COLLATERAL
from reports.figures.pictures.qualitative import Grid, pages, qualitative_figure, qualitative_grid
from reports.figures.pictures.strips import Strip, strips, strips_figure
from reports.paper.parts import FigurePart, Part, Section, TablePart, counted
from reports.writers.layout import Block, Table, number

GOAL = 0.8  # nearest to it: 0.75 of the right effect, or 1 σ in runs of earlier versions
NUMBERS = (COLLATERAL, "ad_max", "preservation", "target_effect", "identity")
WORST = 5  # cells of an editor in the table of failures
NO_PICTURES = "The run kept no picture that can be shown here; `deltabench run` keeps those of the first 16 images."


def pictures_section(run: Run) -> Section:
    """Qualitative grids, at the headline strength and at equal effect, and strips."""
    parts: list[Part] = []
    parts += _grid_parts("qualitative", run, run.headlines, _kinds(run.headlines))
    goal, settings = _nearest_goal(run)
    where = f"the strength whose mean effect is {goal:g} {run.effect_unit}, or as near as the editor gets"
    parts += _grid_parts("qualitative_matched", run, settings, where)
    found = strips(run)
    if found:
        parts.append(_strips_part(run, found))
    return Section("Pictures", () if parts else (NO_PICTURES,), tuple(parts))


def failures_section(run: Run) -> Section:
    """The worst cells as pictures and as a table."""
    shown = for_figures(run, ())[0]
    cards = failure_cards(shown)
    parts: list[Part] = []
    if cards:
        caption = _failures_caption(shown, cards)
        parts.append(FigurePart("failures", caption, lambda: failures_figure(shown, cards)))
    table = _failures_table(run)
    if table is not None:
        parts.append(table)
    return Section("Failures", () if cards else (NO_PICTURES,), tuple(parts))


def _kinds(settings: tuple[Setting, ...]) -> str:
    kinds = list(dict.fromkeys(setting.kind for setting in settings))
    return " or ".join(f"{kind} strength" for kind in kinds)


def _nearest_goal(run: Run) -> tuple[float, tuple[Setting, ...]]:
    goals = sorted(
        {setting.goal for setting in run.matched if setting.goal is not None}, key=lambda g: (abs(g - GOAL), g)
    )
    if not goals:
        return GOAL, ()
    return goals[0], tuple(setting for setting in run.matched if setting.goal == goals[0])


def _grid_parts(name: str, run: Run, settings: tuple[Setting, ...], where: str) -> list[Part]:
    """One figure a page; controls are left out unless there is nothing else."""
    shown = tuple(setting for setting in settings if not is_control(setting.editor)) or settings
    grid = qualitative_grid(run, shown) if shown else None
    if grid is None:
        return []
    captions = [_grid_caption(run, grid, where)]
    sheets = pages(grid)
    captions += [f"Continued: {', '.join(row.title for row in sheet.rows)}." for sheet in sheets[1:]]
    names = [name, *(f"{name}_{number + 2}" for number in range(len(sheets) - 1))]
    return [
        FigurePart(title, caption, partial(qualitative_figure, sheet))
        for title, caption, sheet in zip(names, captions, sheets, strict=True)
    ]


def _grid_caption(run: Run, grid: Grid, where: str) -> str:
    choices = [row.choice for row in grid.rows]
    spread = f"{min(choices)}" if min(choices) == max(choices) else f"{min(choices)} to {max(choices)}"
    total = len(run.prompts)
    shown = "every prompt" if len(grid.rows) == total else f"{len(grid.rows)} of {counted(total, 'prompt')}"
    caption = (
        f"Edits on {run.manifest.get('domain')}, {shown}, each editor at {where}. Not picked: the image of a prompt is "
        "that of median collateral (mean AD over the editors, controls apart) among the "
        f"{spread} kept images that the prompt is for. {MARKED}"
    )
    if grid.without:
        caption += f" Without a kept image that every editor was to edit: {', '.join(grid.without)}."
    marks = [sum(row.successes[place] for row in grid.rows) for place in range(len(grid.headings))]
    counts = [f"{text} {count}" for (text, _), count in zip(grid.headings, marks, strict=True) if text in run.editors]
    return f"{caption} Marked, of {len(grid.rows)}: {', '.join(counts)}."


def _strips_part(run: Run, found: list[Strip]) -> FigurePart:
    names = ", ".join(f"“{strip.title}” (image {run.names[strip.source]})" for strip in found)
    caption = (
        f"Growing strength on one image each: {names}. The prompts are the first of different attributes in the "
        "order of the "
        "set, the image is that of median collateral at the editors' headline strength. Below each picture: the "
        "strength, and "
        f"its effect on this image in σ. {MARKED}"
    )
    return FigurePart("strips", caption, lambda: strips_figure(run, found))


def _failures_caption(run: Run, cards: dict[str, list[Card]]) -> str:
    eligible = {
        setting.editor: int(run.rows.loc[setting.rows, "eligible"].astype(bool).sum())
        for setting in run.headlines
        if setting.editor in cards
    }
    worst = {editor: max(card.collateral for card in found) for editor, found in cards.items()}
    means = {
        setting.editor: float(cells[cells["eligible"].astype(bool)][COLLATERAL].mean())
        for setting in run.headlines
        if setting.editor in cards
        for cells in [run.rows.loc[setting.rows]]
    }
    said = "; ".join(
        f"{e} {number(worst[e], 2)} σ (its mean {number(means[e], 2)} σ, {eligible[e]:,} cells)" for e in cards
    )
    return (
        f"Failures: the {ACROSS} eligible cells of each editor with the largest collateral (mean AD) among those "
        "with a kept "
        f"picture, at most one a prompt, at {_kinds(run.headlines)}. From left to right: inversion, edit, exact "
        "counterfactual where it is "
        f"known. Worst here: {said}. {MARKED}"
    )


def _failures_table(run: Run) -> TablePart | None:
    settings = [setting for setting in run.headlines if not is_control(setting.editor)]
    cells = [run.rows.loc[row] for setting in settings for row in worst_cells(run, setting)[:WORST]]
    if not cells:
        return None
    data = tuple(
        {name: str(cell[name]) for name in ("editor", "kind", "prompt", "image")}
        | {name: float(cell[name]) for name in ("strength", *NUMBERS, "success")}
        for cell in cells
    )
    rows = tuple(
        (
            *(str(cell[name]) for name in ("editor", "prompt", "image")),
            *(number(float(cell[name]), metric_of(name).digits) for name in NUMBERS),
            "✓" if cell["success"] else "",
        )
        for cell in cells
    )
    columns = ("editor", "kind", "prompt", "image", "strength", *NUMBERS, "success")
    block = Block(
        "", ("editor", "prompt", "image", *(metric_of(name).title for name in NUMBERS), "success"), rows, texts=3
    )
    caption = (
        f"The {WORST} worst eligible cells of each editor by collateral (mean AD), over all images, at most one a "
        f"prompt, at {_kinds(run.headlines)}. The pictures show those of the kept images only."
    )
    question = "Where does an editor change most besides its target?"
    return TablePart(Table("failures", question, columns, data, (block,)), caption)
