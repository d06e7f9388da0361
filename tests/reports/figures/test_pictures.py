import pytest

from eval.runs.reader import Run
from reports.figures.amortised import amortised_figure
from reports.figures.pictures.failures import failure_cards, failures_figure
from reports.figures.pictures.qualitative import pages, qualitative_figure, qualitative_grid
from reports.figures.pictures.strips import columns, strips, strips_figure
from reports.tables.runtime import Cost, middle_half
from reports.writers.style import TWO_COLUMNS_IN, house_style, spread_labels

HIGHEST_IN = 9.0  # of a page, with room for a caption


def drawings(run):
    yield qualitative_figure(pages(qualitative_grid(run, run.headlines))[0])
    yield strips_figure(run, strips(run))
    yield failures_figure(run, failure_cards(run))
    yield amortised_figure({"deltaedit": Cost(10.0, 2.0, 0.1), "x[y=1]": Cost(0.0, 9.0, 0.2)}, (1, 16))


@pytest.mark.parametrize("name", ["finished_run", "matched_run", "stored_run"])
def test_figures_fit_a_page_and_nothing_leaves_them(name, request):
    from matplotlib.text import Text

    run = Run(request.getfixturevalue(name))
    with house_style():
        for figure in drawings(run):
            box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
            assert width <= TWO_COLUMNS_IN + 0.03 and height <= HIGHEST_IN
            assert min(box.x0, box.y0) >= -0.02 and box.x1 <= width + 0.02 and box.y1 <= height + 0.02
            assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 7


def test_strips_have_a_column_for_every_way_of_choosing(opened_matched):
    assert columns(opened_matched) == [f"goal {g}\u00a0σ" for g in ("0.5", "1", "2")] + ["calibrated", "default"]
    found = strips(opened_matched)
    assert [strip.title for strip in found] == ["face with glasses", "face with smile", "face with blond hair"]
    step = found[0].steps["deltaedit"]["goal 1\u00a0σ"]
    cells = opened_matched.rows
    own = cells[(cells["editor"] == "deltaedit") & (cells["prompt"] == "glasses") & (cells["effect_goal"] == 1)]
    assert step.effect == own.loc[own["source"] == found[0].source, "target_effect"].item()


def test_editors_without_times_and_controls_have_no_line():
    assert amortised_figure({"identity": Cost(0.0, 0.0, 0.1), "deltaedit": Cost(None, 1.0, 1.0)}, (1,)) is None


def test_labels_are_apart_and_inside():
    places = spread_labels({"a": 0.9, "b": 0.91, "c": 1.0, "d": 0.0}, dict.fromkeys("abcd", 0.1), top=1.0)
    ordered = sorted(places.values())
    assert all(high - low >= 0.1 - 1e-9 for low, high in zip(ordered, ordered[1:], strict=False))
    assert ordered[0] >= 0.05 and ordered[-1] <= 0.95 + 1e-9
    assert places["a"] < places["b"] < places["c"]


def test_the_middle_half_needs_four():
    assert middle_half([1.0, 2.0, 3.0]) is None
    assert middle_half([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
