"""What is compared at equal effect, worked out again from the chunk files."""

from functools import cache

import numpy as np
import pandas
import pytest
from scipy.integrate import trapezoid

from eval.runs.reader import Run
from reports.equal_effect.curves import pareto, trapezoid_weights
from reports.equal_effect.prompts import Matched, at_ceiling

DELTAEDIT, GLOBAL, VARIANT, IDENTITY = "deltaedit", "styleclip-global", "deltaedit[threshold=0.05]", "identity"


@pytest.fixture(scope="module")
def matched(opened_matched):
    return Matched(opened_matched)


@cache
def every_cell(folder):
    return pandas.concat([pandas.read_parquet(path) for path in sorted((folder / "chunks").glob("*.parquet"))])


def cells(folder, **wanted):
    tables = every_cell(folder)
    for column, value in wanted.items():
        tables = tables[tables[column] == value]
    return tables


def test_matched_cells_and_the_oracle_are_kept_apart_from_the_rest(opened_matched):
    run = opened_matched
    assert {setting.kind for setting in run.settings} == {"default", "calibrated"}
    assert [(s.editor, s.goal, len(s.rows)) for s in run.matched[:5]] == [
        (DELTAEDIT, 0.5, 36), (GLOBAL, 0.5, 36), (VARIANT, 0.5, 36), (IDENTITY, 0.5, 36), (DELTAEDIT, 1.0, 36),
    ]  # fmt: skip
    assert run.matched[4].label == "deltaedit, effect 1 σ"
    assert len(run.oracle) == 36 and set(run.oracle["editor"]) == {"oracle"}
    assert "oracle" not in run.editors and "oracle" not in set(run.rows["editor"])


def test_a_folder_from_before_effects_were_matched_is_read(finished_run):
    run = Run(finished_run)
    assert run.rows["effect_goal"].isna().all()
    assert run.matched == () and len(run.oracle) == 0
    assert Matched(run).levels == () and pareto(Matched(run)) is None


def test_prompts_are_those_that_all_compared_editors_meet(matched):
    levels = {level.goal: level for level in matched.levels}
    assert levels[0.5].prompts == ("glasses", "smile", "blond-hair")
    assert levels[1.0].prompts == ("glasses", "smile")  # the variant overshoots the third
    assert levels[2.0].prompts == ("glasses", "smile")  # styleclip-global does not reach the third
    assert all(level.compared == (DELTAEDIT, GLOBAL, VARIANT) for level in levels.values())
    assert levels[1.0].reach[VARIANT].prompts == ("glasses", "smile", "blond-hair")
    assert levels[1.0].reach[VARIANT].met == ("glasses", "smile")
    assert levels[2.0].reach[GLOBAL].prompts == ("glasses", "smile")
    assert [levels[2.0].role(editor) for editor in (GLOBAL, IDENTITY)] == ["compared", "floor"]


def test_all_editors_have_the_same_eligible_cells(matched):
    for level in matched.levels:
        keys = [set(zip(own["prompt"], own["image"], strict=True)) for own in [*level.cells.values(), level.oracle]]
        assert all(key == keys[0] for key in keys)
        assert all(own["eligible"].all() for own in level.cells.values())


def test_reach_of_edits_counts_half_of_the_goal_over_all_prompts(matched, matched_run):
    for level in matched.levels:
        mine = cells(matched_run, editor=GLOBAL, kind="matched", effect_goal=level.goal, eligible=True)
        expected = np.mean([effect >= level.goal / 2 for effect in mine["target_effect"]])
        assert level.reach[GLOBAL].edits.mean == pytest.approx(expected)
        assert set(mine["prompt"]) == {"glasses", "smile", "blond-hair"}
    assert matched.levels[0].reach[IDENTITY].edits.mean == 0


def test_the_area_is_that_of_the_means(matched, matched_run):
    """Goals 0.5, 1, 2 on the prompts of goal 2: trapezoids of 0.5 and 1 σ, over 1.5 σ."""
    found = pareto(matched)
    assert (found.goals, found.prompts) == ((0.5, 1.0, 2.0), ("glasses", "smile"))
    means = []
    for goal in found.goals:
        mine = cells(matched_run, editor=DELTAEDIT, kind="matched", effect_goal=goal, eligible=True)
        means.append(mine[mine["prompt"].isin(["glasses", "smile"])]["ad_mean"].mean())
    low, middle, high = means
    expected = ((low + middle) / 2 * 0.5 + (middle + high) / 2 * 1.0) / 1.5
    curve = found.curves[0]
    assert [point["ad_mean"].mean for point in curve.points] == pytest.approx(means)
    area = curve.areas["ad_mean"]
    assert area.mean == pytest.approx(expected)
    assert area.low < area.mean < area.high
    assert [floor.editor for floor in found.floors] == [IDENTITY]
    assert found.oracle.points[0]["ad_mean"].cells == area.cells


def test_trapezoid_weights_are_scipys():
    for goals, heights in (((0.5, 1.0, 2.0), (3.0, 1.0, 7.0)), ((1.0, 4.0), (2.0, 5.0))):
        expected = trapezoid(heights, goals) / (goals[-1] - goals[0])
        assert trapezoid_weights(goals) @ np.array(heights) == pytest.approx(expected)


def test_error_is_from_psnr(matched, matched_run):
    mine = cells(matched_run, editor=GLOBAL, kind="matched", effect_goal=0.5, eligible=True)
    expected = np.mean([1000 * 10 ** (-psnr / 10) for psnr in mine["counterfactual_psnr_db"]])
    assert matched.interval(matched.levels[0].cells[GLOBAL], "error").mean == pytest.approx(expected)


def test_the_ceiling_is_reached_in_pixels_and_in_identity_on_shared_cells():
    def table(psnr, identity, images=("a", "b")):
        return pandas.DataFrame(
            {
                "prompt": "p", "image": list(images), "counterfactual_psnr_db": psnr,
                "counterfactual_identity": identity,
            }
        )  # fmt: skip

    oracle = table([30.0, 20.0], [0.9, 0.8])
    assert at_ceiling(table([30.0, 20.0], [0.9, 0.8]), oracle)
    assert at_ceiling(table([31.0, 20.0], [0.8, 0.9]), oracle)
    assert not at_ceiling(table([29.0, 20.0], [0.9, 0.9]), oracle)
    assert not at_ceiling(table([40.0, 40.0], [0.9, 0.7]), oracle)
    assert not at_ceiling(table([25.0, 99.0], [0.95, 0.99], ("b", "c")), table([26.0], [0.8], ("b",)))
    assert not at_ceiling(table([], [], ()), oracle) and not at_ceiling(oracle, table([], [], ()))
