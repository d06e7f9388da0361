"""How well a CLIP's images and texts match: tables and the figure of `deltabench align`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.statistics import Interval
from reports.writers.layout import Block, Table, Value, interval_text, number
from reports.writers.style import FAINT, INK, SMALL_PT, TITLE_PT, TWO_COLUMNS_IN, axes_at, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Value]
Points = Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]  # arm -> "PCA" or "t-SNE" -> images, texts [n, 2]

MEASURES = (
    # csv column, heading, factor, decimals
    ("gap", "modality gap ↓", 1, 3),
    ("cosine_paired", "cosine, paired ↑", 1, 3),
    ("cosine_unpaired", "cosine, unpaired", 1, 3),
    ("r1_image_to_text", "R@1 image to text ↑", 1, 3),
    ("r5_image_to_text", "R@5 image to text ↑", 1, 3),
    ("r1_text_to_image", "R@1 text to image ↑", 1, 3),
    ("r5_text_to_image", "R@5 text to image ↑", 1, 3),
    ("modality_accuracy", "modality classifier ↓ (%)", 100, 1),
    ("modality_accuracy_squares", "the same on squares ↓ (%)", 100, 1),
    ("cka", "CKA ↑", 1, 3),
    ("procrustes", "Procrustes residual ↓", 1, 3),
)
BY_NORM = ("arm", "bin", "norm_low", "norm_high", "norm", "pairs", "cosine", "cosine_low", "cosine_high")
NOTES = (
    "raw: features as they are; centred: each modality without its mean; delta: differences of two pairs, mean over 20 "
    "permutations; released: the deltas that came with the features. All are scaled to unit length.",
    "±: half of the 95 % bootstrap interval over pairs. Modality classifier: linear, held-out accuracy, 50 % is "
    "chance; on fresh deltas it cannot beat chance, as Δ and -Δ are equally likely, hence the row on squares. CKA: "
    "unbiased, 0 is unrelated. Procrustes residual: held-out, 0 is a rotation, 1 is unrelated.",
)
PROMPT_ARMS = ("raw", "centred", "delta")
PROMPT_COLUMNS = (
    *("prompt", "norm", "images"),
    *(
        f"{arm}_{name}{end}"
        for arm in PROMPT_ARMS
        for name in ("own", "others", "found")
        for end in ("", "_low", "_high")
    ),
)
COLOURS = {"images": "#D55E00", "texts": "#0072B2"}
ARM_COLOURS = {"raw": "#000000", "centred": "#009E73", "delta": "#D55E00", "released": "#CC79A7"}
LEFT_IN, RIGHT_IN, TOP_IN, GAP_IN, ROW_GAP_IN = 0.3, 0.1, 0.42, 0.12, 0.12
PLOT_IN, HEAD_IN, FOOT_IN = 1.15, 0.4, 0.45  # height of the lower panels, room above and below
INDENT_IN, PLOT_GAP_IN = 0.1, 0.55  # room left of the lower panels, and between them
LINES = 25  # pairs that are joined, so that the eye sees whether partners are near
POINT_AREA = 2.0


def alignment_tables(rows: Sequence[Row], norms: Sequence[Row]) -> tuple[Table, Table]:
    """What was measured of each arm, and of the arms with deltas against ‖Δt‖.

    Args:
        rows: one an arm: ``arm``, ``pairs``, and for every measure ``<name>``, ``<name>_low``, ``<name>_high``.
        norms: one a bin: the columns ``BY_NORM``.
    """
    columns = ("arm", "pairs", *(name + end for name, *_ in MEASURES for end in ("", "_low", "_high")))
    lines = tuple(
        (heading, *(interval_text(_scaled(row, name, factor), digits) for row in rows))
        for name, heading, factor, digits in MEASURES
    )
    header = ("", *(str(row["arm"]) for row in rows))
    question = "How well do CLIP's images and texts match, and what does the delta space change?"
    main = Table("alignment", question, columns, tuple(rows), (Block("", header, lines),), NOTES)
    by_norm = tuple(
        (
            str(row["arm"]),
            f"{number(_float(row['norm_low']), 2)} to {number(_float(row['norm_high']), 2)}",
            str(row["pairs"]),
            interval_text(_scaled(row, "cosine", 1), 3),
        )
        for row in norms
    )
    header = ("arm", "length of Δt", "pairs", "cosine of image and text delta ↑")
    question = "Do long text deltas point where the image deltas point better than short ones?"
    return main, Table("alignment_by_norm", question, BY_NORM, tuple(norms), (Block("", header, by_norm, texts=2),))


def prompts_table(rows: Sequence[Row]) -> Table:
    """Whether the texts of prompts point where the counterfactuals go.

    Args:
        rows: one a prompt, and one for all: the columns ``PROMPT_COLUMNS``.
    """
    lines = tuple(
        (
            str(row["prompt"]),
            number(_float(row["norm"]), 2),
            str(row["images"]),
            *(interval_text(_scaled(row, f"{arm}_own", 1, "images"), 2) for arm in PROMPT_ARMS),
            *(interval_text(_scaled(row, f"{arm}_found", 100, "images"), 0) for arm in PROMPT_ARMS),
        )
        for row in rows
    )
    headings = ("cosine {} ↑", "found {} ↑ (%)")
    header = ("prompt", "length of Δt", "images", *(h.format(arm) for h in headings for arm in PROMPT_ARMS))
    question = "Do the texts of the prompts point where the counterfactuals go?"
    note = (
        "Δt: text delta. Cosine: of the counterfactual with the text of its prompt; found: images whose "
        "counterfactual is nearest to the text of its own prompt. ±: half of the 95 % interval over images."
    )
    return Table("alignment_prompts", question, PROMPT_COLUMNS, tuple(rows), (Block("", header, lines),), (note,))


def alignment_figure(rows: Sequence[Row], norms: Sequence[Row], points: Points) -> Figure:
    """Points of both modalities in every arm (the paper's Figure 2) above what the numbers say.

    Args:
        rows: as for ``alignment_tables``.
        norms: likewise.
        points: projections of each arm; every arm has the same ones.
    """
    arms = [str(row["arm"]) for row in rows]
    methods = list(points[arms[0]])
    side = (TWO_COLUMNS_IN - LEFT_IN - RIGHT_IN - GAP_IN * (len(arms) - 1)) / len(arms)
    height = TOP_IN + len(methods) * (side + ROW_GAP_IN) + HEAD_IN + PLOT_IN + FOOT_IN
    figure = new_figure(TWO_COLUMNS_IN, height)
    for line, method in enumerate(methods):
        for place, arm in enumerate(arms):
            corner = LEFT_IN + place * (side + GAP_IN), TOP_IN + line * (side + ROW_GAP_IN)
            axes = axes_at(figure, *corner, side, side)
            _draw_points(axes, *points[arm][method])
            if method == "PCA":  # distances mean something
                axes.set_aspect("equal", adjustable="datalim")
            if line == 0:
                axes.set_title(arm, fontsize=TITLE_PT, weight="bold", pad=4)
            if place == 0:
                axes.set_ylabel(method)
    _name_modalities(figure, height)
    _draw_numbers(figure, rows, norms, TOP_IN + len(methods) * (side + ROW_GAP_IN) + HEAD_IN)
    return figure


def _draw_points(axes: Axes, images: np.ndarray, texts: np.ndarray) -> None:
    for image, text in zip(images[:LINES], texts[:LINES], strict=True):
        axes.plot(*zip(image, text, strict=True), color=FAINT, linewidth=0.3, zorder=1)
    for side, name in ((images, "images"), (texts, "texts")):
        axes.scatter(
            side[:, 0], side[:, 1], s=POINT_AREA, color=COLOURS[name], alpha=0.5, linewidths=0, rasterized=True
        )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#CCCCCC")


def _name_modalities(figure: Figure, height: float) -> None:
    x = LEFT_IN / TWO_COLUMNS_IN
    for name, colour in COLOURS.items():
        figure.text(x, 1 - 0.13 / height, name, color=colour, fontsize=SMALL_PT, weight="bold", va="center")
        x += 0.5 / TWO_COLUMNS_IN
    figure.text(x, 1 - 0.13 / height, f"lines join {LINES} pairs", fontsize=SMALL_PT, va="center", color=INK)


def _draw_numbers(figure: Figure, rows: Sequence[Row], norms: Sequence[Row], top: float) -> None:
    width = (TWO_COLUMNS_IN - LEFT_IN - INDENT_IN - RIGHT_IN - 3 * PLOT_GAP_IN) / 4
    panels = [
        axes_at(figure, LEFT_IN + INDENT_IN + place * (width + PLOT_GAP_IN), top, width, PLOT_IN) for place in range(4)
    ]
    _draw_arms(panels[0], rows, "cosine", {"cosine_paired": ("o", "paired"), "cosine_unpaired": ("s", "unpaired")})
    pairs = {"r1_image_to_text": ("o", "of texts"), "r1_text_to_image": ("s", "of images")}
    _draw_arms(panels[1], rows, "R@1", pairs)
    both = {"modality_accuracy": ("o", "linear"), "modality_accuracy_squares": ("s", "on squares")}
    _draw_arms(panels[2], rows, "modality classifier (%)", both, 100)
    panels[2].set_ylim(top=106)
    panels[2].axhline(50, color=FAINT, linewidth=0.6, linestyle=":", zorder=0)
    _draw_norms(panels[3], norms)


def _draw_arms(
    axes: Axes, rows: Sequence[Row], title: str, measures: Mapping[str, tuple[str, str]], factor: int = 1
) -> None:
    """Numbers of every arm with their intervals; the first measure filled, the second hollow."""
    for order, (name, (marker, label)) in enumerate(measures.items()):
        for place, row in enumerate(rows):
            value = _scaled(row, name, factor)
            if value.mean is None or value.low is None or value.high is None:
                continue
            colour = ARM_COLOURS.get(str(row["arm"]), INK)
            axes.errorbar(
                place + 0.3 * order - 0.15,
                value.mean,
                [[max(value.mean - value.low, 0)], [max(value.high - value.mean, 0)]],
                fmt=marker,
                color=colour,
                markersize=3,
                markerfacecolor="white" if order else colour,
                markeredgewidth=0.7,
                elinewidth=0.8,
            )
        axes.plot([], [], marker, color=INK, markersize=3, markerfacecolor="white" if order else INK, label=label)
    axes.set_xticks(
        range(len(rows)), [str(row["arm"]) for row in rows], rotation=30, ha="right", rotation_mode="anchor"
    )
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.set_title(title, loc="left", pad=14)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.05, 1.0),
        ncols=2,
        frameon=False,
        handletextpad=0,
        columnspacing=0.6,
        borderaxespad=0,
        handlelength=1.4,
    )


def _draw_norms(axes: Axes, norms: Sequence[Row]) -> None:
    for arm in dict.fromkeys(str(row["arm"]) for row in norms):
        mine = [row for row in norms if row["arm"] == arm]
        x = [_float(row["norm"]) for row in mine]
        low, middle, high = ([_float(row[f"cosine{end}"]) for row in mine] for end in ("_low", "", "_high"))
        colour = ARM_COLOURS.get(arm, INK)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, middle, color=colour, linewidth=1)
        axes.annotate(
            arm, (x[-1], middle[-1]), (0, 4), textcoords="offset points", color=colour, ha="right", va="bottom"
        )
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(0, bottom), top + 0.1 * (top - min(0, bottom)))
    axes.set_xlabel("length of Δt")
    axes.set_title("cosine of deltas", loc="left", pad=14)


def _float(value: Value) -> float:
    return float("nan") if value is None or value == "" else float(value)


def _scaled(row: Row, name: str, factor: float, count: str = "pairs") -> Interval:
    """A measure of a row with its bounds, times a factor; None where a number is missing."""
    found = [_float(row.get(name + end)) * factor for end in ("", "_low", "_high")]
    mean, low, high = (None if np.isnan(number) else number for number in found)
    pairs = int(_float(row.get(count)))
    return Interval(mean, low, high, pairs, pairs)
