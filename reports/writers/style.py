"""One look for all figures: sizes, fonts, colours, and files that are the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.letters import FAMILY, draw_letters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_COLUMN_IN = 3.3  # width of a figure in one column of a two-column paper
TWO_COLUMNS_IN = 6.9  # width across both
DPI = 200
SMALL_PT, TEXT_PT, TITLE_PT = 7.0, 7.5, 8.0  # nothing is smaller than 7 pt
NOTE_IN = 0.2  # height of a line below a figure
INK, FAINT = "#222222", "#888888"

# Okabe and Ito's eight colours, told apart with every common colour blindness; yellow is left out, too pale for text.
EDITOR_COLOURS = {
    "deltaedit": "#D55E00",
    "styleclip-global": "#0072B2",
    "styleclip-mapper": "#009E73",
    "styleclip-optimization": "#56B4E9",
    "tedigan": "#CC79A7",
    "stylemc": "#E69F00",
    "interfacegan": "#882255",  # of Tol's, for a ninth
    "identity": "#000000",
    "random-direction": "#888888",
}
SPARE_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#0072B2", "#D55E00")  # other editors and variants
KIND_MARKERS = {"default": "s", "calibrated": "o", "matched": "D", "given": "^"}
RATE_MAP = "Blues"  # from white for nothing to dark evenly, also in grey

_SETTINGS: Any = {  # matplotlib names every key in its type
    "font.family": FAMILY,
    "font.size": TEXT_PT,
    "axes.titlesize": TITLE_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "image.composite_image": False,  # images stay apart in a pdf, each at its own resolution
    "text.parse_math": False,  # texts come from users: "$5" is five dollars
    "pdf.fonttype": 42,  # text stays text
    "savefig.facecolor": "white",
}


def house_style() -> AbstractContextManager[None]:
    """Matplotlib's settings while a figure is made and saved; before and after they are the user's."""
    import matplotlib

    context: AbstractContextManager[None] = matplotlib.rc_context(_SETTINGS)
    return context


def new_figure(width_in: float, height_in: float) -> Figure:
    """A figure without pyplot, so that nothing stays behind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def axes_at(figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
    """Axes placed in inches from the figure's upper left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left_in / width, 1 - (top_in + height_in) / height, width_in / width, height_in / height))


def note_below(figure: Figure, text: str) -> None:
    """Add a line below everything in a figure, which grows by it; nothing for an empty text."""
    if not text:
        return
    width, height = figure.get_size_inches()
    taller = height + NOTE_IN
    figure.set_size_inches(width, taller)
    for axes in figure.axes:
        x, y, wide, high = axes.get_position(original=True).bounds
        axes.set_position((x, (y * height + NOTE_IN) / taller, wide, high * height / taller))
    for old in figure.texts:
        old.set_y((old.get_position()[1] * height + NOTE_IN) / taller)
    figure.text(0.02, 0.05 / taller, text, fontsize=SMALL_PT, color=FAINT, va="bottom")


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write ``<name>.pdf`` (vectors) and ``<name>.png`` (200 dpi) without dates or versions inside."""
    draw_letters(figure)
    pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
    figure.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    figure.savefig(png, dpi=DPI, metadata={"Software": None})
    return [pdf, png]


def colours(editors: Iterable[str]) -> dict[str, str]:
    """A colour for each editor: its own for the known ones, otherwise one that no editor before it has.

    >>> colours(["deltaedit", "deltaedit[threshold=0.05]"])
    {'deltaedit': '#D55E00', 'deltaedit[threshold=0.05]': '#009E73'}
    """
    labels = list(editors)
    chosen = {label: EDITOR_COLOURS[label] for label in labels if label in EDITOR_COLOURS}
    for label in labels:
        if label in chosen:
            continue
        own = EDITOR_COLOURS.get(label.split("[")[0])
        free = [colour for colour in (own, *SPARE_COLOURS) if colour and colour not in chosen.values()]
        chosen[label] = free[0] if free else FAINT
    return {label: chosen[label] for label in labels}


def spread_labels(wanted: Mapping[str, float], heights: Mapping[str, float], top: float = 1.08) -> dict[str, float]:
    """Middles of labels beside a plot, pushed apart so that none covers another, near to where they are wanted.

    Args:
        wanted: where each label would stand, as a share of the plot's height.
        heights: of the labels, likewise.
        top: no label ends above; the lowest may begin at 0.

    >>> spread_labels({"a": 0.5, "b": 0.5}, {"a": 0.25, "b": 0.25})
    {'a': 0.5, 'b': 0.75}
    """
    order = sorted(wanted, key=lambda name: wanted[name])
    places: dict[str, float] = {}
    floor = 0.0
    for name in order:
        places[name] = max(wanted[name], floor + heights[name] / 2)
        floor = places[name] + heights[name] / 2
    ceiling = top
    for name in reversed(order):
        places[name] = min(places[name], ceiling - heights[name] / 2)
        ceiling = places[name] - heights[name] / 2
    return places


def wrapped(text: str, width: int) -> str:
    """A label broken at brackets and after hyphens, underscores, commas, equals signs and spaces.

    Lines have at most ``width`` letters where that is possible.

    >>> wrapped("styleclip-global", 10).splitlines()
    ['styleclip-', 'global']
    """
    pieces, piece = [], ""
    for letter in text:
        piece += "" if letter == "[" else letter
        if letter in "-_,= [":
            pieces.append(piece)
            piece = "[" if letter == "[" else ""
    lines = [""]
    for part in [*pieces, piece]:
        if lines[-1] and len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def readable_on(red: float, green: float, blue: float) -> str:
    """Black or white, whichever stands out on a colour of components in [0, 1] (WCAG 2 relative luminance).

    >>> readable_on(1.0, 1.0, 0.8), readable_on(0.0, 0.1, 0.3)
    ('black', 'white')
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"
