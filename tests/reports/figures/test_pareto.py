import pytest

from eval.runs.reader import Run
from reports.figures.pareto import pareto_figure
from reports.writers.style import TWO_COLUMNS_IN, house_style


@pytest.fixture(scope="module")
def figure(opened_matched):
    with house_style():
        return pareto_figure(opened_matched)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_one_panel_an_axis_with_one_line_an_editor(figure):
    assert len(figure.axes) == 3
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_linestyle() == "-"]
        assert [len(line.get_xdata()) for line in lines] == [3, 3, 3]
        assert "deltaedit" in texts(axes)[1] and "styleclip-global" in texts(axes)[2]
        assert texts(axes)[0] == "mean height, 0.5 to 2\nσ, 2 prompts:"
        assert any("identity (floor)" in text for text in texts(axes)) and "★ oracle (ceiling)" in texts(axes)


def test_it_fits_two_columns_and_nothing_leaves_it_or_is_too_small(figure):
    from matplotlib.text import Text

    with house_style():
        width, height = figure.get_size_inches()
        box = figure.get_tightbbox()
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert width <= TWO_COLUMNS_IN + 1e-9 and min(sizes) >= 7
    assert box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


def test_a_run_without_matched_strengths_has_none(finished_run):
    assert pareto_figure(Run(finished_run)) is None
