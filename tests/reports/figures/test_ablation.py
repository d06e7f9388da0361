from __future__ import annotations

from itertools import pairwise

import pytest

from reports.figures.ablation import ablation_figure, arm_colours
from reports.studies.ablation_table import MEASURES, ArmResult, Curve, Difference, Mean
from reports.writers.style import TWO_COLUMNS_IN, house_style, save


def arm(label, difference=None, p_holm=1.0, effects=(0.5, 1.1)):
    means = {name: Mean(0.5, 0.4, 0.6) for name in MEASURES}
    curve = Curve((0.5, 1.0), (0.1, 0.6), (0.9, 0.7), effects)
    found = {}
    if difference is not None:
        found = {
            name: Difference(difference, difference - 0.05, difference + 0.05, 0.01, p_holm, 90) for name in MEASURES
        }
    return ArmResult(label, 6, 6, 0.5, 1.1, means, found, curve)


ARMS = [arm("delta"), arm("raw", -0.2, 0.01, (-0.3, 0.4)), arm("centred, and a long name", 0.02)]


@pytest.fixture(scope="module")
def figure():
    with house_style():
        return ablation_figure(1.0, "delta", ARMS)


def test_every_strength_is_drawn_from_strength_zero_on(figure):
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in curves] == [[0, 0.5, 1.1], [0, -0.3, 0.4], [0, 0.5, 1.1]]
    assert all(list(line.get_ydata()) == [1, 0.9, 0.7] for line in curves)
    low, high = figure.axes[0].get_xlim()
    assert low <= -0.3 and high >= 1.1


def test_differences_stand_beside_their_arm_with_intervals(figure):
    axes = figure.axes[1]
    assert [label.get_text() for label in axes.get_yticklabels()] == [arm.label for arm in ARMS]
    points = {line.get_ydata()[0]: line for line in axes.lines if line.get_marker() == "o"}
    assert [points[row].get_xdata()[0] for row in (1, 2)] == [-0.2, 0.02] and 0 not in points
    bars = [
        list(line.get_xdata()) for line in axes.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2
    ]
    assert pytest.approx([-0.25, -0.15]) in bars and pytest.approx([-0.03, 0.07]) in bars
    assert points[1].get_markerfacecolor() != "white" and points[2].get_markerfacecolor() == "white"


def test_nothing_is_cut_off_and_names_do_not_meet_the_curve(figure, tmp_path):
    assert figure.get_size_inches()[0] == pytest.approx(TWO_COLUMNS_IN)
    renderer = figure.canvas.get_renderer()
    frame = figure.bbox
    curve = figure.axes[0].get_window_extent(renderer)
    for label in figure.axes[1].get_yticklabels():
        assert label.get_window_extent(renderer).x0 > curve.x1
    for axes in figure.axes:
        box = axes.get_tightbbox(renderer)
        assert box.x0 >= 0 and box.x1 <= frame.x1 and box.y0 >= 0 and box.y1 <= frame.y1


def test_numbers_of_the_axes_stay_apart(figure):
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes[1:]:
        low, high = axes.get_xlim()
        labels = [
            label for at, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True) if low <= at <= high
        ]
        boxes = [label.get_window_extent(renderer) for label in labels]
        assert all(right.x0 > left.x1 for left, right in pairwise(boxes))


def test_the_same_results_give_the_same_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with house_style():
            save(ablation_figure(1.0, "delta", ARMS), tmp_path / name, "ablation")
    assert all((tmp_path / "a" / path.name).read_bytes() == path.read_bytes() for path in (tmp_path / "b").iterdir())


def test_arms_have_different_colours():
    colours = arm_colours("delta", [*ARMS, *(arm(str(number)) for number in range(4))])
    assert len(set(colours.values())) == 7 == len(colours)
