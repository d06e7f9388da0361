import json
import shutil

import numpy as np
import pytest

from eval.runs.reader import Run
from reports.figures import write_figures
from reports.figures.attributes import attributes_figure
from reports.figures.pictures.grid import chosen_prompts, grid_figure
from reports.figures.prompts import prompts_figure
from reports.figures.runtime import runtime_figure
from reports.figures.scatter import scatter_figure
from reports.writers.style import EDITOR_COLOURS, ONE_COLUMN_IN, TWO_COLUMNS_IN, house_style

pytestmark = pytest.mark.slow

NAMES = ("grid", "success_preservation", "prompts", "attributes", "runtime")


@pytest.fixture(scope="module")
def drawn(small_run, tmp_path_factory):
    folder = shutil.copytree(small_run, tmp_path_factory.mktemp("figures") / "run")
    return folder, write_figures(folder, ())


def texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def test_every_figure_is_there_as_pdf_and_png(drawn):
    folder, paths = drawn
    assert paths == [folder / "figures" / f"{name}.{ending}" for name in NAMES for ending in ("pdf", "png")]
    assert all(path.stat().st_size > 5000 for path in paths)


def test_the_same_run_gives_the_same_bytes(drawn):
    folder, paths = drawn
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_figures(folder, ())] == before


def test_nothing_is_wider_than_two_columns_or_smaller_than_seven_points(finished_run):
    from matplotlib.text import Text

    run = Run(finished_run)
    with house_style():
        for draw in (grid_figure, scatter_figure, prompts_figure, attributes_figure, runtime_figure):
            figure = draw(run)
            assert figure.get_size_inches()[0] <= (ONE_COLUMN_IN if draw is scatter_figure else TWO_COLUMNS_IN) + 1e-9
            sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
            assert min(sizes) >= 7


def test_nothing_leaves_the_figure(finished_run):
    run = Run(finished_run)
    with house_style():
        for draw in (grid_figure, scatter_figure, prompts_figure, attributes_figure, runtime_figure):
            figure = draw(run)
            box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
            assert min(box.x0, box.y0) >= -0.01, draw.__name__
            assert box.x1 <= width + 0.01 and box.y1 <= height + 0.01, draw.__name__


def test_the_grid_shows_the_kept_images_of_eligible_cells(finished_run):
    """First panel: prompt "glasses", persons 1 to 4 (0, 5 and 10 are not eligible)."""
    run = Run(finished_run)
    with house_style():
        figure = grid_figure(run)
    images = [image.get_array() for image in figure.axes[0].get_images()]
    assert len(images) == 3 * (3 + 3) * 4  # prompts x (original, inversion, 3 editors, answer) x persons
    with np.load(finished_run / "sources.npz") as sources:
        np.testing.assert_array_equal(images[0], sources["images"][1])
        np.testing.assert_array_equal(images[7], sources["reconstructions"][4])
    with np.load(finished_run / "chunks" / "deltaedit--glasses--calibrated-0.5--00000.npz") as chunk:
        np.testing.assert_array_equal(images[8], chunk["images"][1])
    with np.load(finished_run / "counterfactuals" / "glasses.npz") as counterfactuals:
        np.testing.assert_array_equal(images[20], counterfactuals["images"][1])
    marks = texts(figure).count("✓")
    rows = run.rows[(run.rows["kind"] == "calibrated") & run.rows["eligible"]]
    expected = 0
    for _, cells in rows.groupby(["editor", "prompt"]):
        expected += int(cells.sort_values("source")["success"].iloc[:4].sum())
    assert marks == expected > 0


def test_a_run_without_kept_images_has_no_grid(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    for path in (folder / "chunks").glob("*.npz"):
        with np.load(path) as arrays:
            parts = dict(arrays)
        np.savez(path, **{**parts, "images": parts["images"][:0], "kept": parts["kept"][:0]})
    with house_style():
        assert grid_figure(Run(folder)) is None


def test_prompts_of_the_grid_are_one_an_attribute_first():
    class Prompts:
        prompts = tuple({"name": str(i), "attribute": a} for i, a in enumerate("aabbcdee"))

    assert [prompt["name"] for prompt in chosen_prompts(Prompts)] == ["0", "1", "2", "4", "5", "6"]


def test_heat_map_prints_the_rates(finished_run):
    run = Run(finished_run)
    with house_style():
        figure = prompts_figure(run)
    eligible = run.rows[run.rows["eligible"]].set_index(["editor", "kind", "prompt"]).sort_index()
    success, kept = (
        [
            f"{100 * eligible.loc[(editor, kind, prompt['name']), column].mean():.0f}"
            for editor in run.editors
            for kind in ("default", "calibrated")
            for prompt in run.prompts
        ]
        for column in ("success", "preservation")
    )
    printed = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert printed == [success, kept]


def test_runtime_bars_carry_the_durations(finished_run):
    with house_style():
        figure = runtime_figure(Run(finished_run))
    assert [[text.get_text().strip() for text in axes.texts] for axes in figure.axes] == [
        ["20 min", "2.5 min", "20 min"],
        ["50 ms", "20 ms", "5 min"],
        ["12 ms", "52 ms", "12 ms"],
    ]


def test_a_cost_that_was_not_measured_is_said_to_be(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    path = folder / "costs" / "0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prepare_s": None}))
    with house_style():
        figure = runtime_figure(Run(folder))
    assert figure.axes[0].texts[0].get_text().strip() == "not measured"


def test_editors_have_their_colours_and_their_names_beside_their_points(finished_run):
    with house_style():
        figure = scatter_figure(Run(finished_run))
    labels = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert labels["styleclip-\nglobal"] == EDITOR_COLOURS["styleclip-global"]
    assert labels["deltaedit"] == EDITOR_COLOURS["deltaedit"]


def test_a_run_without_a_chunk_is_refused_in_one_sentence(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    for path in (folder / "chunks").glob("*.json"):
        path.unlink()
    with pytest.raises(ValueError, match="has no finished chunk to draw"):
        write_figures(folder, ())
