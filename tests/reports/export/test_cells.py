import json
import math

import pandas
import pytest

from eval.metrics.book import metric_of
from eval.runs.reader import Run
from reports.export.cells import KEYS, describe, export_files, long_cells, recipes, wide_cells


def chunk_rows(folder):
    """All rows of the parquet files, read without the code under test: (editor, prompt, kind, goal, image) -> row."""
    rows = {}
    for path in sorted((folder / "chunks").glob("*.parquet")):
        for row in pandas.read_parquet(path).to_dict("records"):
            goal = row.get("effect_goal")
            goal = None if goal is None or math.isnan(goal) else goal
            rows[row["editor"], row["prompt"], row["kind"], goal, row["image"]] = row
    return rows


def goal_of(row):
    return None if math.isnan(row["effect_goal"]) else row["effect_goal"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_read_back_is_what_the_chunks_hold(matched_run, tmp_path, ending):
    paths = export_files(Run(matched_run), tmp_path / "new" / "folder", ending)
    assert paths[0] == tmp_path / "new" / "folder" / f"cells.{ending}"
    found = pandas.read_csv(paths[0]) if ending == "csv" else pandas.read_parquet(paths[0])
    expected = chunk_rows(matched_run)
    assert len(found) == len(expected) > 400
    for row in found.to_dict("records"):
        stored = expected[row["editor"], row["prompt"], row["kind"], goal_of(row), row["image"]]
        for column in ("strength", "success", "target_effect", "identity", "preservation.mouth"):
            same = row[column] == stored[column] or (math.isnan(row[column]) and math.isnan(stored[column]))
            assert same, column
        assert row["eligible"] == stored["eligible"]
        assert row["target_text"] == f"face with {row['prompt'].replace('-', ' ')}"


def test_the_oracle_is_a_kind_of_its_own(matched_run):
    cells = wide_cells(Run(matched_run))
    assert set(cells.loc[cells["editor"] == "oracle", "kind"]) == {"oracle"}
    assert (cells["editor"] == "oracle").sum() == 3 * 12


def test_long_has_every_number_once_and_no_blank(small_run):
    run = Run(small_run)
    wide, long = wide_cells(run), long_cells(run)
    metrics = [column for column in wide.columns if column not in KEYS]
    assert len(long) == int(wide[metrics].notna().sum().sum())
    assert not long["value"].isna().any()
    again = long.pivot_table(index=["editor", "prompt", "kind", "image"], columns="metric", values="value")
    for row in wide.to_dict("records"):
        key = row["editor"], row["prompt"], row["kind"], row["image"]
        assert again.loc[key, "identity"] == row["identity"]


def test_the_same_run_gives_the_same_bytes(small_run, tmp_path):
    for ending in ("csv", "parquet"):
        first, second = (export_files(Run(small_run), tmp_path / name, ending, "long") for name in "ab")
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_schema_describes_every_column(small_run, tmp_path):
    paths = export_files(Run(small_run), tmp_path, "csv")
    stored = json.loads(paths[1].read_text())
    header = paths[0].read_text().splitlines()[0].split(",")
    assert [column["name"] for column in stored["columns"]] == header
    assert stored["rows"] == len(paths[0].read_text().splitlines()) - 1
    assert all(column["meaning"] and "not known" not in column["meaning"] for column in stored["columns"])


def test_units_and_directions_are_those_of_the_metrics(small_run):
    metrics = [column for column in wide_cells(Run(small_run)).columns if column not in KEYS]
    for column in metrics:
        sign = {"more": 1, "less": -1}.get(describe(column).direction, 0)
        assert (describe(column).unit, sign) == (metric_of(column).unit, metric_of(column).sign), column
    assert describe("target_effect").direction == "matched"


def test_single_factors_have_the_recipe_of_their_family(small_run):
    run = Run(small_run)
    run.manifest["recipes"] = {"preservation": "a", "target_effect": "b"}
    found = recipes(run, ["preservation", "preservation.mouth", "effect.mouth", "identity"])
    assert found == {"preservation": "a", "preservation.mouth": "a", "effect.mouth": "b"}


def test_a_run_without_a_chunk_is_refused(small_run, tmp_path):
    import shutil

    folder = shutil.copytree(small_run, tmp_path / "run")
    for path in (folder / "chunks").glob("*.json"):
        path.unlink()
    with pytest.raises(ValueError, match="no finished chunk to export"):
        wide_cells(Run(folder))
