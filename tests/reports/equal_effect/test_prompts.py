"""What is compared at equal effect, worked out again from the chunk files."""

from functools import cache

import numpy as np
import pandas
import pytest
from scipy.integrate import trapezoid

from eval.runs.plan import SHARES
from eval.runs.reader import Run
from reports.equal_effect.curves import pareto, trapezoid_weights
from reports.equal_effect.pairs import compare_pairs, pairs_of
from reports.equal_effect.prompts import Matched, at_ceiling
from reports.tables.matched import matched_table

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


def test_every_editor_has_the_prompts_that_it_meets_and_every_pair_those_of_both(matched):
    levels = {level.goal: level for level in matched.levels}
    three, two = ("glasses", "smile", "blond-hair"), ("glasses", "smile")
    assert all(level.compared == (DELTAEDIT, GLOBAL, VARIANT) for level in levels.values())
    assert [levels[0.5].own_prompts(editor) for editor in levels[0.5].compared] == [three] * 3
    assert [levels[1.0].own_prompts(editor) for editor in levels[1.0].compared] == [three, three, two]
    assert levels[1.0].reach[VARIANT].prompts == three  # the variant overshoots the third
    assert [pair.prompts for pair in pairs_of(levels[1.0])] == [three, two, two]
    assert levels[2.0].own_prompts(GLOBAL) == two  # styleclip-global does not reach the third
    assert levels[2.0].own_prompts(IDENTITY) == three and levels[1.0].prompts == three
    assert [levels[2.0].role(editor) for editor in (GLOBAL, IDENTITY)] == ["compared", "floor"]


def test_the_editors_of_a_pair_have_the_same_eligible_cells(matched):
    for level in matched.levels:
        for pair in pairs_of(level):
            keys = [
                set(own[own["prompt"].isin(pair.prompts)][["prompt", "image"]].itertuples(index=False, name=None))
                for own in (level.cells[pair.first], level.cells[pair.second])
            ]
            assert keys[0] == keys[1] and {prompt for prompt, _ in keys[0]} == set(pair.prompts)
        assert all(own["eligible"].all() for own in level.cells.values())


@pytest.mark.parametrize("weak", [GLOBAL, VARIANT])
def test_an_editor_that_misses_a_prompt_changes_no_number_of_the_others(matched_run, weak):
    """Each of the two misses the third prompt at one effect; with it or without it the others are the same."""
    every, fewer = Run(matched_run), Run(matched_run)
    fewer.chunks = tuple(chunk for chunk in every.chunks if chunk["editor"] != weak)
    rows = [{(r["goal"], r["editor"]): r for r in matched_table(run).data} for run in (every, fewer)]
    assert set(rows[0]) - set(rows[1]) == {(goal, weak) for goal in (0.5, 1.0, 2.0)}
    for key, row in rows[1].items():
        own = {name: value for name, value in row.items() if not name.endswith("_group")}
        assert own == {name: rows[0][key][name] for name in own}
    kept = {(e, g): t for e, g, t in pair_numbers(every) if weak not in e}
    assert kept == {(e, g): t for e, g, t in pair_numbers(fewer)} and kept


def pair_numbers(run):
    """Editors, goal and numbers of the pairs in AD, apart from the correction."""
    tests = compare_pairs(Matched(run).levels, ["ad_mean"])
    for row in tests.itertuples():
        yield (row.editor_a, row.editor_b), row.goal, (row.difference, row.low, row.high, row.p, row.population)


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


def test_an_edit_attains_a_share_when_it_has_half_of_that_share_of_its_prompts_right_effect(matched_run):
    """Goal 1 of right effects of 1 and 3 σ: an edit attains it from .5 σ on with one prompt and 1.5 with the other."""
    run = Run(matched_run)
    run.manifest["arguments"]["effects"] = SHARES
    whole = {"glasses": 1.0, "smile": 3.0, "blond-hair": 3.0}
    for sweep in run.sweeps:
        sweep["matched"] = [match | {"whole": whole[sweep["prompt"]]} for match in sweep["matched"]]
    assert run.matched[0].label == "deltaedit, effect 0.5 of the right one"
    level = next(level for level in Matched(run).levels if level.goal == 1.0)
    own = cells(matched_run, editor=DELTAEDIT, kind="matched", effect_goal=1.0, eligible=True)
    expected = np.mean(own["target_effect"] >= 0.5 * own["prompt"].map(whole))
    assert level.reach[DELTAEDIT].edits.mean == pytest.approx(expected)
    assert 0 < expected < np.mean(own["target_effect"] >= 0.5)
