import numpy as np
import pytest

from reports.studies.alignment import COLOURS, MEASURES, alignment_figure, alignment_tables, prompts_table
from reports.writers.style import house_style


def _row(arm, **numbers):
    row = {"arm": arm, "pairs": 100}
    for name, *_ in MEASURES:
        value = numbers.get(name, 0.5)
        row |= {name: value, f"{name}_low": value - 0.02, f"{name}_high": value + 0.04}
    return row


NORMS = [
    {
        **{"arm": arm, "bin": place, "norm_low": place / 4, "norm_high": (place + 1) / 4, "norm": place / 4 + 0.1},
        **{"pairs": 50, "cosine": place / 10, "cosine_low": place / 10 - 0.01, "cosine_high": place / 10 + 0.03},
    }
    for arm in ("delta", "released")
    for place in range(3)
]


def test_arms_are_columns():
    main, by_norm = alignment_tables([_row("raw", gap=0.9643), _row("delta", modality_accuracy=0.762)], NORMS)
    assert main.blocks[0].header == ("", "raw", "delta")
    lines = {row[0]: row[1:] for row in main.blocks[0].rows}
    assert lines["modality gap ↓"] == ("0.964 ±0.030", "0.500 ±0.030")
    assert lines["modality classifier ↓ (%)"] == ("50.0 ±3.0", "76.2 ±3.0")
    assert by_norm.blocks[0].rows[1] == ("delta", "0.25 to 0.50", "50", "0.100 ±0.020")
    assert main.csv().splitlines()[1].startswith("raw,100,0.9643,")


def test_a_missing_number_is_blank():
    row = _row("raw", cka=float("nan"))
    main, _ = alignment_tables([row], [])
    assert {line[0]: line[1] for line in main.blocks[0].rows}["CKA ↑"] == ""


def test_prompts():
    numbers = {f"{arm}_{name}": 0.5 for arm in ("raw", "centred", "delta") for name in ("own", "others", "found")}
    bounds = {f"{name}{end}": 0.5 + shift for name in numbers for end, shift in (("_low", -0.1), ("_high", 0.1))}
    rows = [
        {"prompt": "smile", "norm": 0.31, "images": 12, **numbers, **bounds},
        {"prompt": "all", "norm": float("nan"), "images": 15, **numbers, **bounds},
    ]
    printed = prompts_table(rows).blocks[0].rows
    assert printed[0] == ("smile", "0.31", "12", *["0.50 ±0.10"] * 3, *["50 ±10"] * 3)
    assert printed[1][:3] == ("all", "", "15")


@pytest.mark.parametrize("methods", [("PCA",), ("PCA", "t-SNE")])
def test_figure_shows_every_point_of_every_arm(methods):
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(2, 30, 2))
    points = {arm: {method: (sides[0], sides[1]) for method in methods} for arm in ("raw", "delta", "released")}
    with house_style():
        figure = alignment_figure([_row(arm) for arm in points], NORMS, points)
        figure.canvas.draw()
    axes = figure.get_axes()
    assert len(axes) == 3 * len(methods) + 4
    for panel in axes[: 3 * len(methods)]:
        drawn = [np.asarray(collection.get_offsets()) for collection in panel.collections]
        assert [len(offsets) for offsets in drawn] == [30, 30]
        assert drawn[1] == pytest.approx(sides[1])
        assert panel.collections[1].get_facecolor()[0, :3] == pytest.approx(
            [int(COLOURS["texts"][k : k + 2], 16) / 255 for k in (1, 3, 5)], abs=1e-6
        )
    lines = [line for line in axes[-1].lines if len(line.get_xdata()) == 3]
    assert [list(line.get_ydata()) for line in lines] == [[0.0, 0.1, 0.2]] * 2


def test_texts_do_not_leave_the_figure():
    points = {arm: {"PCA": (np.eye(30)[:, :2], np.eye(30)[:, :2])} for arm in ("raw", "centred", "delta", "released")}
    with house_style():
        figure = alignment_figure([_row(arm) for arm in points], NORMS, points)
        figure.canvas.draw()
        box = figure.get_tightbbox()  # inches, of everything that is drawn
    width, height = figure.get_size_inches()
    assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height
