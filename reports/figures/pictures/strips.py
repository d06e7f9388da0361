"""One image under growing strength: a row an editor, a column a strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eval.runs.reader import OF_THE_RIGHT, Run, Setting
from reports.equal_effect.prompts import is_control
from reports.figures.pictures.grid import MARK, chosen_prompts
from reports.figures.pictures.kept import COUNTERFACTUAL, Kept, canvas, draw_image, median_person
from reports.writers.style import INK, SMALL_PT, TITLE_PT, TWO_COLUMNS_IN, colours, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROMPTS = 3
NAMES_IN, GAP_IN, TITLE_IN, NUMBERS_IN, LARGEST_IN = 0.95, 0.04, 0.2, 0.14, 0.72
HEAD_IN, LETTER_IN = 0.26, 0.062
HIGHEST_IN = 8.0
NO_BREAK = "\u00a0"
COLUMN_ORDER = ("given", "matched", "calibrated", "default")


class Step(NamedTuple):
    """One picture: strength, effect in σ, whether it is a success, the picture."""

    strength: float
    effect: float
    success: bool
    picture: np.ndarray | None


class Strip(NamedTuple):
    """One prompt: its text, the image's row, from how many it was chosen, editor -> column -> step."""

    title: str
    source: int
    choice: int
    before: np.ndarray
    answer: np.ndarray | None
    steps: dict[str, dict[str, Step]]


def strips(run: Run) -> list[Strip]:
    """Strips of the first prompts of different attributes, each with its image of median collateral."""
    kept = Kept(run)
    found = [_strip(run, kept, prompt) for prompt in chosen_prompts(run, len(run.prompts))]
    return [strip for strip in found if strip is not None][:PROMPTS]


def columns(run: Run) -> list[str]:
    """Headings of the strengths of a run, weakest way of choosing first: given ones, goals, calibrated, default."""
    settings = [*run.settings, *run.matched]
    settings.sort(
        key=lambda s: (COLUMN_ORDER.index(s.kind), s.goal or 0.0, float(s.strength) if s.kind == "given" else 0.0)
    )
    return list(dict.fromkeys(_column(setting) for setting in settings))


def _column(setting: Setting) -> str:
    if setting.goal is not None:
        return f"goal {setting.goal:g}{'' if setting.unit == OF_THE_RIGHT else NO_BREAK + setting.unit}"
    return f"strength {setting.strength}" if setting.kind == "given" else setting.kind


def _strip(run: Run, kept: Kept, prompt: dict[str, str]) -> Strip | None:
    import pandas

    name = prompt["name"]
    editors = [setting for setting in run.headlines if not is_control(setting.editor)] or list(run.headlines)
    cells = run.rows.loc[np.concatenate([setting.rows for setting in editors])] if editors else pandas.DataFrame()
    chosen = median_person(kept, cells[cells["prompt"] == name]) if len(cells) else None
    if chosen is None:
        return None
    source, choice = chosen
    steps: dict[str, dict[str, Step]] = {setting.editor: {} for setting in editors}
    for setting in (*run.settings, *run.matched):
        if setting.editor not in steps:
            continue
        own = run.rows.loc[setting.rows]
        own = own[(own["prompt"] == name) & (own["source"] == source)]
        for cell in own.itertuples():
            picture = kept.image(str(cell.chunk), source)
            step = Step(float(cell.strength), float(cell.target_effect), bool(cell.success), picture)
            steps[setting.editor][_column(setting)] = step
    counterfactuals = run.counterfactual(name, "images")
    answer = None if counterfactuals is None else counterfactuals[source]
    return Strip(prompt["target"], source, choice, run.sources("reconstructions")[source], answer, steps)


def strips_figure(run: Run, found: list[Strip]) -> Figure:
    """All strips below each other, the strength and the effect under every picture."""
    names = columns(run)
    answered = any(strip.answer is not None for strip in found)
    across = 1 + len(names) + answered
    rows = sum(len(strip.steps) for strip in found)
    room = (HIGHEST_IN - HEAD_IN - TITLE_IN * len(found)) / rows - NUMBERS_IN - GAP_IN
    size = min((TWO_COLUMNS_IN - NAMES_IN) / across - GAP_IN, room, LARGEST_IN)
    pitch = size + NUMBERS_IN + GAP_IN
    axes = canvas(NAMES_IN + across * (size + GAP_IN), HEAD_IN + TITLE_IN * len(found) + rows * pitch)
    headings = ["inversion", *names, *([COUNTERFACTUAL] if answered else [])]
    for place, text in enumerate(headings):
        x = NAMES_IN + place * (size + GAP_IN) + size / 2
        style: dict[str, Any] = {"fontsize": SMALL_PT, "ha": "center", "va": "bottom", "linespacing": 1.0}
        axes.text(x, HEAD_IN - 0.02, wrapped(text, int(size / LETTER_IN) + 1), **style)
    top, palette = HEAD_IN, colours(run.editors)
    for strip in found:
        axes.text(0.01, top + TITLE_IN - 0.04, f"“{strip.title}”", fontsize=TITLE_PT, weight="bold", va="bottom")
        top += TITLE_IN
        for number, (editor, steps) in enumerate(strip.steps.items()):
            _draw_row(
                axes, top, size, (editor, palette[editor]), strip, [steps.get(name) for name in names], number == 0
            )
            top += pitch
    figure = axes.figure.get_figure(root=True)
    return figure


def _draw_row(
    axes: Axes, top: float, size: float, editor: tuple[str, str], strip: Strip, steps: list[Step | None], first: bool
) -> None:
    name, colour = editor
    style: dict[str, Any] = {"fontsize": SMALL_PT, "color": colour, "va": "center", "linespacing": 1.0}
    axes.text(0.01, top + size / 2, wrapped(name, 15), **style)
    draw_image(axes, (NAMES_IN, top, size), strip.before)
    for place, step in enumerate(steps, start=1):
        left = NAMES_IN + place * (size + GAP_IN)
        if step is None:
            continue
        draw_image(axes, (left, top, size), step.picture, MARK if step.success else "")
        text = f"{step.strength:.2f}: {step.effect:.1f} σ"
        axes.text(left + size / 2, top + size + 0.015, text, fontsize=SMALL_PT, color=INK, ha="center", va="top")
    if strip.answer is not None and first:
        draw_image(axes, (NAMES_IN + (1 + len(steps)) * (size + GAP_IN), top, size), strip.answer)
