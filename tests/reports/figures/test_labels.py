"""Names and texts of any length and kind are drawn; a figure that cannot be drawn does not take the others with it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import reports.figures as figures
from eval.runs.reader import Run
from reports.figures import FIGURES, write_figures
from reports.figures.labels import Shortened, cut, for_figures, shortened
from reports.pool import Pool
from reports.tables.frechet import frechet_tables
from reports.writers.style import axes_at, house_style, new_figure, note_below

pytestmark = pytest.mark.slow

LONG = (
    "deltaedit[threshold=0.031,normalise_threshold_delta=true,templates=false,relevance_images=2,"
    "relevance_statistics=20]"
)
LONGER = "styleclip-global[" + ",".join(f"parameter_{number}={number / 7}" for number in range(12)) + "]"
TEXTS = {
    "glasses": "face with $x$ and $5 \\frac{1}{2}",
    "smile": "[bold]<script>alert(1)</script> 50 % & a_b $$ {x} ^ ~ #",
}


def renamed(run, folder, editors=(), prompts=(), texts=()):
    """A copy of a run folder under other labels, names and texts."""
    editors, prompts, texts = dict(editors), dict(prompts), dict(texts)
    shutil.copytree(run, folder)
    for path in [*folder.glob("chunks/*.json"), *folder.glob("strengths/*.json"), *folder.glob("costs/*.json")]:
        record = json.loads(path.read_text())
        record["editor"] = editors.get(record["editor"], record["editor"])
        if "prompt" in record:
            record["prompt"] = prompts.get(record["prompt"], record["prompt"])
        for times in ("fit_s", "fit_here_s"):
            if times in record:
                record[times] = {prompts.get(name, name): value for name, value in record[times].items()}
        path.write_text(json.dumps(record))
    for path in folder.glob("chunks/*.parquet"):
        cells = pd.read_parquet(path)
        cells.assign(editor=cells["editor"].replace(editors), prompt=cells["prompt"].replace(prompts)).to_parquet(path)
    for old, new in prompts.items():
        (folder / "counterfactuals" / f"{old}.npz").rename(folder / "counterfactuals" / f"{new}.npz")
    described = json.loads((folder / "prompts.json").read_text())
    for prompt in described:
        prompt["target"] = texts.get(prompt["name"], prompt["target"])
        prompt["name"] = prompts.get(prompt["name"], prompt["name"])
    (folder / "prompts.json").write_text(json.dumps(described))
    manifest = json.loads((folder / "manifest.json").read_text())
    arguments = manifest["arguments"]
    arguments["methods"] = [editors.get(name, name) for name in arguments["methods"]]
    arguments["prompts"] = [prompts.get(name, name) for name in arguments["prompts"]]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def odd_run(matched_run, tmp_path_factory):
    """Labels of 113 and 245 letters, a prompt's name of 90, texts that look like markup."""
    editors = {"deltaedit": LONG, "styleclip-global": LONGER}
    folder = tmp_path_factory.mktemp("odd") / "run"
    return renamed(matched_run, folder, editors, {"blond-hair": "blond-hair-" * 9}, TEXTS)


def drawn_texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_long_names_is_drawn_within_its_sheet(odd_run, name):
    run, _ = for_figures(Run(odd_run), ())
    with house_style():
        figure = FIGURES[name](run)
        assert figure is not None
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(width, height) > 0
    assert (box.x0, box.y0) > (-0.05, -0.05)
    assert box.x1 < width + 0.05
    assert box.y1 < height + 0.05


def test_figures_are_written_without_a_problem(odd_run):
    problems = []
    run = Run(odd_run)
    paths = write_figures(run, (), problems)
    assert problems == []
    assert {path.stem for path in paths} == set(FIGURES)


def test_texts_are_drawn_as_they_are_written(odd_run):
    run, _ = for_figures(Run(odd_run), ())
    with house_style():
        figure = FIGURES["grid"](run)
        titles = " ".join(drawn_texts(figure))
        assert all(not text.get_parse_math() for text in figure.findobj(lambda part: hasattr(part, "get_parse_math")))
    for text in TEXTS.values():
        assert text in titles


def test_a_run_of_short_names_is_drawn_as_it_is(matched_run):
    run = Run(matched_run)
    assert for_figures(run, ())[0] is run


def test_the_shortened_run_has_the_same_cells(odd_run):
    run = Run(odd_run)
    short = Shortened(run)
    assert short.editors == (
        shortened(LONG, 48, 28),
        shortened(LONGER, 48, 28),
        "deltaedit[threshold=0.05]",
        "identity",
    )
    assert all(len(name) <= 48 for name in short.editors)
    for one, other in zip((*run.settings, *run.matched), (*short.settings, *short.matched), strict=True):
        assert (one.kind, one.strength, one.goal) == (other.kind, other.strength, other.goal)
        assert shortened(one.editor, 48, 28) == other.editor
        assert np.array_equal(one.rows, other.rows)
    assert len(short.sweeps) == len(run.sweeps)
    assert list(short.costs) == list(short.editors)
    assert set(short.costs[short.editors[0]]["fit_s"]) == {prompt["name"] for prompt in short.prompts}
    for mine, theirs in zip(short.prompts, run.prompts, strict=True):
        assert np.array_equal(
            short.counterfactual(mine["name"], "images"), run.counterfactual(theirs["name"], "images")
        )
    assert np.array_equal(short.features(np.array([0, 9]), "logits"), run.features(np.array([0, 9]), "logits"))
    assert set(short.oracle["prompt"]) == {prompt["name"] for prompt in short.prompts}


def test_shortened_names_stay_apart():
    assert shortened("a" * 60 + "1", 20, 20) != shortened("a" * 60 + "2", 20, 20)
    assert len(shortened(LONG, 48, 28)) == 28
    assert shortened(LONG, 48, 28).endswith("]")
    assert cut("abc", 3) == "abc"


def test_a_figure_that_cannot_be_drawn_is_named_and_the_others_are_there(small_run, tmp_path, monkeypatch):
    folder = shutil.copytree(small_run, tmp_path / "run")
    few = {name: draw for name, draw in FIGURES.items() if name in ("runtime", "prompts", "success_preservation")}
    monkeypatch.setattr(figures, "FIGURES", few)  # and not the entries: their order would be another afterwards
    before = write_figures(folder, ())

    def broken(run):
        raise ZeroDivisionError("no\nroom.")

    monkeypatch.setitem(figures.FIGURES, "prompts", broken)
    problems = []
    paths = write_figures(folder, (), problems)
    assert problems == ["figures/prompts could not be made: no room (ZeroDivisionError)."]
    assert [path for path in before if path.stem != "prompts"] == paths
    assert not list((folder / "figures").glob("prompts.*"))  # nothing of the earlier report beside the new tables
    with pytest.raises(ZeroDivisionError):
        write_figures(folder, ())


def test_the_figure_of_distances_is_drawn_from_the_tables_in_memory(odd_run):

    run = Run(odd_run)
    shown, tables = for_figures(run, frechet_tables(run, Pool(run)))
    with house_style():
        texts = drawn_texts(figures.frechet_figure(shown, tables))
    assert any(text.replace("\n", "").startswith("deltaedit[threshold") for text in texts)
    assert not (odd_run / "tables").exists()


def test_a_run_of_many_editors_shows_the_first_and_says_so(matched_run, tmp_path):
    """Fifteen editors: the four of the run, and copies of the first under other labels."""
    folder = shutil.copytree(matched_run, tmp_path / "many")
    labels = [f"more-{number:02d}" for number in range(11)]
    for part, ending in (("chunks", ".json"), ("costs", ".json")):
        for path in sorted((folder / part).glob(f"*{ending}")):
            record = json.loads(path.read_text())
            for label in labels if record["editor"] == "deltaedit" else ():
                copy = {**record, "editor": label}
                if part == "chunks":
                    copy["id"] = record["id"].replace("deltaedit", label)
                    for suffix in (".parquet", ".npz"):
                        target = path.with_name(f"{copy['id']}{suffix}")
                        shutil.copy(path.with_suffix("").with_name(f"{record['id']}{suffix}"), target)
                    cells = pd.read_parquet(path.with_name(f"{copy['id']}.parquet"))
                    cells.assign(editor=label).to_parquet(path.with_name(f"{copy['id']}.parquet"))
                name = copy["id"] if part == "chunks" else label
                path.with_name(f"{name}.json").write_text(json.dumps(copy))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["arguments"]["methods"] += labels
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = Run(folder)
    assert len(run.editors) == 15
    with house_style():
        for name, draw in figures.drawings(run, ()).items():
            figure = draw()
            if figure is None:
                continue
            texts = " ".join(drawn_texts(figure)).replace("\n", "")
            noted = "the first 12 of" in texts or "editors; the tables have all." in texts
            assert noted or name == "pareto", name
            box, (_, height) = figure.get_tightbbox(), figure.get_size_inches()
            assert box.y0 > -0.05 and box.y1 < height + 0.05, name
    pictured = " ".join(drawn_texts(figures.drawings(run, ())["runtime"]()))
    assert "more-07" in pictured and "more-08" not in pictured


def test_a_note_below_moves_nothing():
    figure = new_figure(3.0, 2.0)
    axes = axes_at(figure, 0.5, 0.25, 2.0, 1.5)
    note_below(figure, "")
    assert tuple(figure.get_size_inches()) == (3.0, 2.0)
    note_below(figure, "Shown: the first 12 of 50 editors; the tables have all.")
    width, height = figure.get_size_inches()
    x, y, wide, high = axes.get_position().bounds
    place = (x * width, (1 - y - high) * height, wide * width, high * height)
    np.testing.assert_allclose(place, (0.5, 0.25, 2.0, 1.5), atol=1e-9)
    assert height == pytest.approx(2.2)


def test_the_paper_of_long_names_has_every_figure_and_names_one_that_cannot_be_drawn(odd_run, tmp_path, monkeypatch):
    from reports.paper import document
    from reports.tables import build_tables

    run, problems = Run(odd_run), []
    tables = build_tables(run)
    paths = document.write_paper(run, tables, tmp_path / "paper", problems=problems)
    assert problems == []
    drawn = {path.stem for path in paths if path.suffix == ".pdf"}
    assert {"pareto", "success_preservation", "prompts", "attributes", "qualitative", "strips", "failures"} <= drawn

    def broken(run):
        raise ValueError("no room")

    monkeypatch.setattr(document, "prompts_figure", broken)
    paths = document.write_paper(run, tables, tmp_path / "again", problems=problems)
    assert problems == ["figures/prompts could not be made: no room (ValueError)."]
    assert {path.stem for path in paths if path.suffix == ".pdf"} == drawn - {"prompts"}
