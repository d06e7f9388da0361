import numpy as np
import pandas as pd
import pytest

from eval.errors import UsageError
from eval.statistics import (
    LIKE_THESE,
    POPULATIONS,
    THESE_PROMPTS,
    compare_editors,
    compare_paired,
    grid_of,
    metric_columns,
    paired_differences,
    sign_flip_p,
    summarise,
    verdict,
    with_setting,
)


def cells(editors=("good", "equal", "idle"), images=30, prompts=16, kind="default", strength=1.0, seed=0):
    rng = np.random.default_rng(seed)
    image, prompt = rng.normal(size=(images, 1)), rng.normal(size=(1, prompts))
    eligible = rng.random((images, prompts)) < 0.8
    tables = []
    for editor in editors:
        skill = -3.0 if editor == "idle" else 1.0
        hit = skill + 0.5 * image + 0.2 * prompt + rng.normal(size=(images, prompts)) > 0
        tables.append(
            pd.DataFrame(
                {
                    "editor": editor,
                    "prompt": np.tile([f"p{row:02}" for row in range(prompts)], images),
                    "strength": strength,
                    "kind": kind,
                    "image": np.repeat([f"i{row:03}" for row in range(images)], prompts),
                    "eligible": eligible.ravel(),
                    "success": hit.ravel(),
                    "preservation": rng.random(images * prompts).round(2),
                    "preservation.hair": 1.0,
                    "inversion_ssim": 0.5,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def test_what_the_tables_have_over_eligible_cells_is_compared_over_them():
    """Means of `deltabench compare` and of the main table must be the same numbers."""
    from eval.statistics.cells import ELIGIBLE_ONLY
    from reports.tables.main import measures

    assert {record.name for record in measures() if record.eligible_only} <= set(ELIGIBLE_ONLY)
    assert not {record.name for record in measures() if not record.eligible_only} & set(ELIGIBLE_ONLY)


def test_grid_places_every_cell_and_counts_success_over_eligible_ones():
    frame = cells(("good",), 3, 2).sample(frac=1, random_state=0)
    grid = grid_of(frame, ["success", "inversion_ssim"])
    assert (grid.images, grid.prompts) == (("i000", "i001", "i002"), ("p00", "p01"))
    for row in frame.itertuples():
        place = int(row.image[1:]), int(row.prompt[1:])
        found = grid.values[0][place]
        assert found == row.success if row.eligible else np.isnan(found)
        assert grid.values[1][place] == 0.5


def test_two_strengths_in_one_grid_are_refused():
    twice = pd.concat([cells(("good",), 2, 2), cells(("good",), 2, 2, strength=2.0)])
    with pytest.raises(UsageError, match="twice"):
        grid_of(twice, ["success"])


def test_given_strengths_are_settings_of_their_own():
    frame = pd.concat([cells(("good",), 2, 2, kind="given", strength=0.5), cells(("good",), 2, 2, kind="calibrated")])
    assert with_setting(frame)["setting"].unique().tolist() == ["given 0.5", "calibrated"]


def test_metrics_that_no_editor_changes_are_left_out_unless_wished_for():
    frame = cells().assign(success_by_second=True, real=1.0)
    assert metric_columns(frame) == ("success", "preservation")
    assert metric_columns(frame, ["real"]) == ("real",)
    assert metric_columns(frame, ["inversion_ssim"]) == ("inversion_ssim",)
    with pytest.raises(UsageError, match="did you mean 'success'"):
        metric_columns(frame, ["succes"])


def test_differences_are_of_shared_cells_only():
    first, second = cells(("good",), 4, 3), cells(("equal",), 4, 3, seed=1)
    second = second[second["image"] != "i002"]
    a, b, difference = paired_differences(grid_of(first, ["preservation"]), grid_of(second, ["preservation"]))
    joined = first.merge(second, on=["image", "prompt"])
    joined = joined[joined["eligible_x"] & joined["eligible_y"]]
    assert np.nanmean(difference.values) == pytest.approx((joined["preservation_x"] - joined["preservation_y"]).mean())
    assert np.nanmean(a.values) == pytest.approx(joined["preservation_x"].mean())
    assert (~np.isnan(b.values)).sum() == len(joined)


def test_two_perfect_answers_do_not_differ():
    frame = cells(("good",), 3, 2).assign(psnr=np.inf)
    grid = grid_of(frame, ["psnr"])
    assert (paired_differences(grid, grid)[2].values == 0).all()


def test_rounding_of_one_sign_is_no_difference_and_a_thousand_times_as_much_is_one():
    first = cells(("good",), 12, 4).assign(eligible=True)
    first["identity"] = np.random.default_rng(0).normal(0.7, 0.1, len(first))
    rounded, moved = first.assign(identity=first["identity"] + 2e-6), first.assign(identity=first["identity"] + 2e-3)
    p_values, differences = [], []
    for second in (rounded, moved):
        row = compare_paired(grid_of(first, ["identity"]), grid_of(second, ["identity"]), ["identity"]).iloc[0]
        p_values.append(row["p"])
        differences.append(row["difference"])
    assert p_values[0] == 1
    assert differences[0] == 0
    assert p_values[1] < 0.01
    assert differences[1] == pytest.approx(-2e-3)


@pytest.mark.parametrize("population", POPULATIONS)
def test_summary_means_agree_with_pandas(population):
    frame = cells()
    table = summarise(frame, ["success"], population=population, draws=200).set_index("editor")
    expected = frame[frame["eligible"]].groupby("editor")["success"].mean()
    assert table["mean"].to_dict() == pytest.approx(expected.to_dict())
    skilled = table.loc[["good", "equal"]]
    assert (skilled["low"] < skilled["mean"]).all()
    assert (table["mean"] < table["high"]).all()
    assert (table.loc["idle", ["mean", "low"]] == 0).all()
    assert table.loc["good", "cells"] == frame.query("editor == 'good'")["eligible"].sum()


def test_summary_by_prompt():
    table = summarise(cells(), ["preservation"], draws=50, by=("editor", "setting", "prompt"))
    assert len(table) == 3 * 16
    assert (table["prompts"] == 1).all()


def test_prompts_like_one_prompt_are_not_known():
    table = summarise(cells(prompts=1), ["preservation"], draws=50, population=LIKE_THESE)
    assert table["low"].isna().all()
    assert table["mean"].notna().all()


@pytest.mark.parametrize("population", POPULATIONS)
def test_editors_are_told_apart_when_and_only_when_they_differ(population):
    table = compare_editors(cells(), ["success", "preservation"], population=population, flips=2000)
    different = {
        (row.editor_a, row.editor_b, row.metric): verdict(row.difference, row.p_holm) for row in table.itertuples()
    }
    assert different == {
        ("good", "equal", "success"): "no difference found",
        ("good", "equal", "preservation"): "no difference found",
        ("good", "idle", "success"): "A higher",
        ("good", "idle", "preservation"): "no difference found",
        ("equal", "idle", "success"): "A higher",
        ("equal", "idle", "preservation"): "no difference found",
    }


def test_one_editor_has_nothing_to_compare_with():
    assert compare_editors(cells(("good",))).empty


def test_unknown_population():
    with pytest.raises(UsageError, match="did you mean 'these-prompts'"):
        summarise(cells(), population="these-prompt")


def test_tests_of_many_editors_are_those_of_each_pair_alone():
    """Also where pairs share other numbers of images; without intervals nothing else is different."""
    rng = np.random.default_rng(3)
    images = {"a": 40, "b": 40, "c": 30}
    count = sum(images.values())
    columns = {
        "editor": np.repeat(list(images), list(images.values())),
        "image": np.concatenate([np.arange(n) for n in images.values()]),
        "identity": rng.normal(size=count) + np.repeat([0.0, 1.0, 2.0], list(images.values())),
        "success": rng.integers(0, 2, count).astype(float),
    }
    table_of_cells = pd.DataFrame(columns).assign(prompt="p", kind="default", eligible=True)
    metrics = ["identity", "success"]
    table = compare_editors(table_of_cells, metrics)
    grids = {editor: grid_of(own, metrics) for editor, own in table_of_cells.groupby("editor")}
    for (first, second), rows in table.groupby(["editor_a", "editor_b"]):
        alone = compare_paired(grids[first], grids[second], metrics)
        pd.testing.assert_frame_equal(rows[alone.columns].reset_index(drop=True), alone)
        differences = paired_differences(grids[first], grids[second])[2].values
        assert rows["p"].tolist() == sign_flip_p(differences, THESE_PROMPTS, np.random.default_rng([0, 1])).tolist()
    without = compare_editors(table_of_cells, metrics, intervals=False)
    assert without[["low", "high"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(without.drop(columns=["low", "high"]), table.drop(columns=["low", "high"]))
