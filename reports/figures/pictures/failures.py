"""The worst cells of every editor by collateral, with what went wrong in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eval.runs.reader import Run, Setting
from reports.equal_effect.prompts import is_control
from reports.figures.pictures.grid import MARK
from reports.figures.pictures.kept import COLLATERAL, Kept, canvas, draw_image
from reports.writers.style import INK, SMALL_PT, TITLE_PT, TWO_COLUMNS_IN, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3  # worst cells of an editor
GAP_IN, CARD_GAP_IN, TITLE_IN, TEXT_IN, HEAD_IN = 0.03, 0.16, 0.2, 0.29, 0.0
LARGEST_IN = 0.72
HIGHEST_IN = 8.0


class Card(NamedTuple):
    """One bad cell: prompt's text, numbers, pictures before and after and, where known, as it should be."""

    title: str
    collateral: float
    preservation: float
    effect: float
    success: bool
    pictures: list[np.ndarray]


def worst_cells(run: Run, setting: Setting, kept: Kept | None = None) -> list[int]:
    """Positions in ``Run.rows`` of a setting's eligible cells with the largest mean AD, one a prompt, worst first.

    Args:
        run: opened.
        setting: whose cells.
        kept: only cells whose picture was kept; None for all cells.
    """
    cells = run.rows.loc[setting.rows]
    cells = cells[cells["eligible"].astype(bool) & cells[COLLATERAL].notna()]
    cells = cells if kept is None or not len(cells) else kept.cells(cells)
    ordered = cells.sort_values([COLLATERAL, "prompt", "source"], ascending=[False, True, True], kind="stable")
    return [int(row) for row in ordered.drop_duplicates("prompt").index]


def failure_cards(run: Run) -> dict[str, list[Card]]:
    """Editor -> its worst cells with a picture at its headline setting; controls are left out."""
    kept, titles = Kept(run), {prompt["name"]: prompt["target"] for prompt in run.prompts}
    cards = {}
    for setting in run.headlines:
        if is_control(setting.editor):
            continue
        rows = worst_cells(run, setting, kept)[:ACROSS]
        cards[setting.editor] = [_card(run, kept, titles, row) for row in rows]
    return {editor: found for editor, found in cards.items() if found}


def _card(run: Run, kept: Kept, titles: dict[str, str], row: int) -> Card:
    cell = run.rows.loc[row]
    source = int(cell["source"])
    edit = kept.image(str(cell["chunk"]), source)
    counterfactuals = run.counterfactual(str(cell["prompt"]), "images")
    pictures = [
        run.sources("reconstructions")[source],
        edit,
        None if counterfactuals is None else counterfactuals[source],
    ]
    return Card(
        titles[str(cell["prompt"])],
        float(cell[COLLATERAL]),
        float(cell["preservation"]),
        float(cell["target_effect"]),
        bool(cell["success"]),
        [picture for picture in pictures if picture is not None],
    )


def failures_figure(run: Run, cards: dict[str, list[Card]]) -> Figure:
    """A row an editor, three cards a row: inversion, edit, counterfactual, and the numbers of the edit."""
    across, most = max(map(len, cards.values())), max(len(card.pictures) for found in cards.values() for card in found)
    room = (TWO_COLUMNS_IN - (ACROSS - 1) * CARD_GAP_IN) / ACROSS
    row_room = HIGHEST_IN / len(cards) - TITLE_IN - TEXT_IN
    size = min(room / most - GAP_IN, row_room, LARGEST_IN)
    card_width, pitch = room, TITLE_IN + size + TEXT_IN
    axes = canvas(across * card_width + (across - 1) * CARD_GAP_IN, HEAD_IN + len(cards) * pitch)
    palette = colours(run.editors)
    for number, (editor, found) in enumerate(cards.items()):
        top = HEAD_IN + number * pitch
        axes.text(
            0.01, top + TITLE_IN - 0.04, editor, fontsize=TITLE_PT, weight="bold", color=palette[editor], va="bottom"
        )
        for place, card in enumerate(found):
            _draw_card(axes, 0.01 + place * (card_width + CARD_GAP_IN), top + TITLE_IN, size, card)
    figure = axes.figure.get_figure(root=True)
    return figure


def _draw_card(axes: Axes, left: float, top: float, size: float, card: Card) -> None:
    for place, picture in enumerate(card.pictures):
        mark = MARK if place == 1 and card.success else ""
        draw_image(axes, (left + place * (size + GAP_IN), top, size), picture, mark)
    lines = (
        f"“{card.title}”\nAD {card.collateral:.2f} σ, preserved {card.preservation:.2f}, effect {card.effect:+.1f} σ"
    )
    axes.text(left, top + size + 0.03, lines, fontsize=SMALL_PT, color=INK, va="top", linespacing=1.15)
