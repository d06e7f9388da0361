import json
import sqlite3

import pytest

from eval.runs.reader import Run
from reports.export.trackers import summaries, to_mlflow, to_wandb

ROWS = [
    {
        "editor": "a",
        "kind": "default",
        "strength": "1",
        "preservation": 0.5,
        "preservation_low": "n/a",
        "identity": None,
    },
    {"editor": "a", "goal": 1.0, "role": "compared", "identity": 0.25, "at_ceiling": False, "psnr": float("inf")},
]


def test_summaries_hold_what_is_a_number():
    first, second = summaries(ROWS)
    assert (first.name, first.numbers) == ("a, default", {"preservation": 0.5})
    assert first.parameters == {"editor": "a", "kind": "default", "strength": "1"}
    assert (second.name, second.numbers) == ("a, effect 1", {"identity": 0.25})
    assert second.parameters == {"editor": "a", "kind": "matched", "effect_goal": "1"}


def test_mlflow_holds_a_run_and_one_below_it_for_each_setting(small_run, tmp_path):
    """Read from the database itself, not through the package."""
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    (database,) = to_mlflow(Run(small_run), ROWS, tmp_path / "store")
    with sqlite3.connect(database) as connection:
        names = {name for (name,) in connection.execute("select name from runs")}
        metrics = set(connection.execute("select key, value from metrics"))
        parents = [v for (v,) in connection.execute("select value from tags where key = 'mlflow.parentRunId'")]
        domain = list(connection.execute("select value from params where key = 'domain'"))
    assert names == {small_run.name, "a, default", "a, effect 1"}
    assert metrics == {("preservation", 0.5), ("identity", 0.25)}
    assert len(parents) == 2 and len(set(parents)) == 1
    assert domain == [("avatars",)]
    assert list((tmp_path / "store" / "artifacts").rglob("cells.parquet"))


def test_mlflow_goes_on_in_the_same_store(small_run, tmp_path):
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    for _ in range(2):
        (database,) = to_mlflow(Run(small_run), ROWS[:1], tmp_path)
    with sqlite3.connect(database) as connection:
        assert list(connection.execute("select count(*) from runs")) == [(4,)]


def test_wandb_writes_an_offline_run(small_run, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    (place,) = to_wandb(Run(small_run), ROWS, tmp_path / "out")
    assert place.parent == tmp_path / "out" / "wandb" and place.name.startswith("offline-run-")
    (log,) = place.glob("run-*.wandb")
    content = log.read_bytes()
    assert b"a, default/preservation" in content and b"avatars" in content
    tables = [
        json.loads(path.read_text()) for path in (place / "files" / "media" / "table").rglob("cells_*.table.json")
    ]
    assert [len(table["data"]) for table in tables] == [2 * 2 * 2 * 4]  # editors, prompts, kinds, images
