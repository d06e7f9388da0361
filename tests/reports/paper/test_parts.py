import math
import tomllib
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import reports.paper.published
from eval.runs.reader import Run
from reports.figures.pictures.failures import worst_cells
from reports.figures.pictures.kept import Kept, median_person
from reports.figures.pictures.qualitative import pages, qualitative_grid
from reports.paper.latex import header_lines
from reports.paper.published import published, published_part
from reports.paper.reading import read_table
from reports.tables.runtime import Cost, amortised_s, cheaper, cheaper_by_prompts
from reports.writers.latex import escaped
from reports.writers.layout import Block, Table


@pytest.mark.parametrize("prompts", [1, 3])
def test_break_even_is_that_of_counting(prompts):
    """Add up the costs of both editors image by image, for all orders of their costs."""
    ties = 0
    for parts in product((0.0, 3.0), (1.0, 2.0), (0.25, 1.0), (0.0, 30.0), (1.0, 4.0), (0.25, 0.5, 1.0)):
        cost, other = Cost(*parts[:3]), Cost(*parts[3:])
        by_images, by_prompts = cheaper(cost, other, prompts), cheaper_by_prompts(cost, other, 2 * prompts)
        for count in range(1, 200):
            for found, many, images in ((by_images, prompts, count), (by_prompts, count, 2 * prompts)):
                totals = [c.set_up + many * (c.per_prompt + images * c.per_edit) for c in (cost, other)]
                if math.isclose(*totals):
                    ties += 1
                    continue
                assert (totals[0] < totals[1]) == (found.first <= count <= found.last), (parts, count, found)
    assert ties > 0


def test_amortised_time_is_the_total_over_the_edits():
    cost = Cost(120.0, 7.0, 0.5)
    assert amortised_s(cost, 4, 25) == pytest.approx((120 + 4 * (7 + 25 * 0.5)) / (4 * 25))
    assert amortised_s(Cost(None, 7.0, 0.5), 4, 25) is None


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    blocks = (
        Block("one", ("a", "b | c"), (("x | y", "**1.0**"),)),
        Block("", ("t", "u", "v"), (("p", "q", ""),), texts=2),
    )
    table = Table("name", "What?", ("k", "n"), ({"k": "x, y", "n": 0.1},), blocks, ("First note.", "Second."))
    table.write(tmp_path)
    again = read_table(tmp_path, "name", "new")
    assert (again.name, again.question, again.blocks, again.notes) == ("new", "What?", blocks, table.notes)
    assert again.csv() == table.csv()
    assert read_table(tmp_path, "absent", "new") is None
    (tmp_path / "name.md").write_text("# What?\n")
    with pytest.raises(ValueError, match="holds no table"):
        read_table(tmp_path, "name", "new")


def test_latex_keeps_every_letter():
    assert escaped("a_b & 50 % of {x} at -0.5 σ") == r"a\_b \& 50 \% of \{x\} at $-$0.5 $\sigma$"
    assert escaped("styleclip-global, arXiv 2103.17249") == "styleclip-global, arXiv 2103.17249"
    assert escaped("é ü 語") == r"\'e ü [U+8A9E]"


def test_headings_are_broken_where_the_column_is_narrow():
    block = Block("", ("editor", "prompts reached ↑"), (("styleclip-global", "16"),))
    assert header_lines(block) == [("", "prompts"), ("editor", "reached\u00a0↑")]


def test_published_numbers_have_a_source_and_a_level():
    path = Path(reports.paper.published.__file__).with_name("published.toml")
    raw = tomllib.loads(path.read_text(encoding="utf-8"))["number"]
    assert len(raw) == len(published()) == 16
    assert all(number.source and number.evidence and number.value for number in published())


def test_published_numbers_are_those_of_the_methods_and_stand_alone():
    part = published_part(("deltaedit", "styleclip-mapper"))
    rows = {(row[0], row[1]): row[-1] for row in part.table.blocks[0].rows}
    assert rows["deltaedit", "FID"] == "7.658"
    assert rows["styleclip", "FID"] == "7.595"  # the source does not say which variant
    assert rows["styleclip-mapper", "training of a prompt"] == "10-12 h"
    assert not any(method.startswith("tedigan") for method, _ in rows)
    assert not {"ours", "this run"} & {*part.table.columns, *part.table.blocks[0].header}
    assert "None of these numbers may be set beside one of this run" in part.table.notes[0]
    assert published_part(("identity",)) is None


def test_the_person_shown_has_the_median_collateral(finished_run):
    run = Run(finished_run)
    cells = run.rows[(run.rows["kind"] == "calibrated") & (run.rows["prompt"] == "smile")]
    source, choice = median_person(Kept(run), cells)
    means = {}
    for number in range(12):
        own = cells[(cells["source"] == number) & cells["eligible"]]
        if len(own) == 3:
            means[number] = np.mean(own["ad_mean"])
    assert choice == len(means) > 4
    below = sum(mean < means[source] for mean in means.values())
    assert below == (len(means) - 1) // 2


def test_worst_cells_are_eligible_and_one_a_prompt(finished_run):
    run = Run(finished_run)
    setting = run.headlines[0]
    rows = run.rows.loc[worst_cells(run, setting)]
    own = run.rows.loc[setting.rows]
    own = own[own["eligible"]]
    assert list(rows["ad_mean"]) == sorted(
        (own[own["prompt"] == p]["ad_mean"].max() for p in own["prompt"].unique()), reverse=True
    )
    assert rows["prompt"].is_unique and rows["eligible"].all()


def test_pages_hold_every_row_once(finished_run):
    run = Run(finished_run)
    grid = qualitative_grid(run, run.headlines)
    many = grid._replace(rows=grid.rows * 20, headings=grid.headings * 2)
    sheets = pages(many)
    assert len(sheets) > 1
    assert [row for sheet in sheets for row in sheet.rows] == many.rows
