from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eval.errors import UsageError
from eval.runs.plan import Chunk
from eval.runs.store import StorageError, Store, write_atomically

MANIFEST: dict[str, Any] = {
    "schema": 1,
    "domain": "tiny",
    "arguments": {"methods": ["a"], "images": 50, "strengths": ["default"]},
    "editors": {"a": {"class": "m:A"}},
    "fingerprints": {"generator": "1" * 64},
    "recipes": {"identity": "r1"},
    "created": "yesterday",
}
PROMPTS = [{"name": "smile", "target": "face with smile"}]
CHUNK = Chunk("a", "smile", "default", 1.0, 0, 2)
ROWS = [
    {"image": "x", "success": True, "identity": 0.1 + 0.2},
    {"image": "y", "success": False, "identity": float("nan")},
]
ARRAYS = {"frechet": np.arange(6, dtype=np.float32).reshape(2, 3)}
COSTS = {"edit_s": 0.5}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    claimed = Store(tmp_path / "run")
    claimed.claim(MANIFEST, PROMPTS, {"mouth": ["flat", "smile"]})
    return claimed


def test_a_chunk_is_read_back_as_written(store: Store) -> None:
    assert not store.is_done(CHUNK)
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    assert store.is_done(CHUNK)
    cells = pd.read_parquet(store.folder / "chunks" / f"{CHUNK.id}.parquet")
    assert list(cells.columns)[:5] == ["editor", "prompt", "strength", "kind", "effect_goal"]
    assert list(cells.columns)[5:] == ["image", "success", "identity"]
    assert cells["effect_goal"].isna().all()
    assert cells["identity"][0] == 0.1 + 0.2
    assert np.isnan(cells["identity"][1])
    assert cells["strength"].tolist() == [1.0, 1.0]
    with np.load(store.folder / "chunks" / f"{CHUNK.id}.npz") as arrays:
        np.testing.assert_array_equal(arrays["frechet"], ARRAYS["frechet"])
    assert store.read_json(f"chunks/{CHUNK.id}.json") == {
        "id": CHUNK.id, "editor": "a", "prompt": "smile", "strength": 1.0, "kind": "default",
        "effect_goal": None, "first": 0, "count": 2, "edit_s": 0.5,
    }  # fmt: skip


def test_a_copy_under_another_kind_differs_in_the_kind_only(store: Store) -> None:
    same = Chunk("a", "smile", "calibrated", 1.0, 0, 2)
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    store.copy_chunk(CHUNK, same)
    first, second = (pd.read_parquet(store.folder / "chunks" / f"{part.id}.parquet") for part in (CHUNK, same))
    assert second["kind"].tolist() == ["calibrated", "calibrated"]
    pd.testing.assert_frame_equal(first.drop(columns="kind"), second.drop(columns="kind"))
    assert store.read_json(f"chunks/{same.id}.json")["edit_s"] == 0.5


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_chunk_killed_while_written_does_not_exist(
    store: Store, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, done = os.replace, []

    def dying(source: Path, target: Path) -> None:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(real(source, target))

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    monkeypatch.setattr(os, "replace", real)
    assert not store.is_done(CHUNK)
    assert list(store.folder.rglob(".*.tmp"))
    store.claim(MANIFEST, PROMPTS, {})
    assert not list(store.folder.rglob(".*.tmp"))
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    assert store.is_done(CHUNK)


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_damaged_or_missing_file_makes_a_chunk_missing(store: Store, suffix: str) -> None:
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    path = store.folder / "chunks" / f"{CHUNK.id}{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert not store.is_done(CHUNK)
    path.unlink()
    assert not store.is_done(CHUNK)


def changed(**changes: Any) -> dict[str, Any]:
    return {**MANIFEST, **changes}


@pytest.mark.parametrize(
    ("manifest", "difference"),
    [
        (changed(arguments={**MANIFEST["arguments"], "images": 200}), "images is 50 there, 200 here"),
        (changed(arguments={**MANIFEST["arguments"], "methods": ["a", "b"]}), "methods is a there, a,b here"),
        (changed(fingerprints={"generator": "2" * 64}), f"generator is {'1' * 64} there, {'2' * 64} here"),
        (changed(schema=2), "schema is 1 there, 2 here"),
        (changed(domain="other"), "domain is tiny there, other here"),
        (changed(editors={"a": {"class": "m:B"}}), "class is m:A there, m:B here"),
        (changed(recipes={"identity": "r2"}), "identity is r1 there, r2 here"),
        (changed(recipes={}), "identity is r1 there, missing here"),
    ],
)
def test_a_folder_of_another_run_is_refused(store: Store, manifest: dict[str, Any], difference: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.claim(manifest, PROMPTS, {})
    assert str(caught.value) == f"{store.folder} holds another run: {difference}; choose another --out."


def test_prompts_of_other_texts_are_another_run(store: Store) -> None:
    with pytest.raises(UsageError, match="its prompts have other texts"):
        store.claim(MANIFEST, [{"name": "smile", "target": "smiling face"}], {})


def test_the_same_run_may_be_claimed_again_at_another_time(store: Store) -> None:
    store.claim({**MANIFEST, "created": "today"}, PROMPTS, {})
    assert store.read_json("manifest.json")["created"] == "yesterday"


def test_claiming_forgets_the_failures_that_will_be_tried_again(store: Store) -> None:
    store.write_failure(CHUNK, "ValueError: no", "Traceback …")
    assert store.read_json(f"chunks/{CHUNK.id}.error.json")["error"] == "ValueError: no"
    store.claim(MANIFEST, PROMPTS, {})
    assert not store.has(f"chunks/{CHUNK.id}.error.json")


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"holds thesis.tex and is not a run; choose another --out"):
        Store(tmp_path).claim(MANIFEST, PROMPTS, {})
    with pytest.raises(UsageError, match=r"is a file; choose another --out"):
        Store(tmp_path / "thesis.tex").claim(MANIFEST, PROMPTS, {})


def test_a_broken_manifest_is_one_sentence(store: Store) -> None:
    (store.folder / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match=r"manifest.json cannot be read"):
        store.claim(MANIFEST, PROMPTS, {})


def test_a_folder_half_claimed_by_a_killed_run_can_be_claimed(tmp_path: Path) -> None:
    half = Store(tmp_path)
    half.write_json("prompts.json", PROMPTS)
    (tmp_path / ".factors.json.1.tmp").write_text("{")
    half.claim(MANIFEST, PROMPTS, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["factors.json", "manifest.json", "prompts.json"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    def full(file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"^No space left to write .*x.bin; make room and run the same command"):
        write_atomically(tmp_path / "x.bin", full)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written \(.*\); choose another --out"):
        write_atomically(tmp_path / "file" / "x.bin", lambda file: None)


def test_two_processes_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with (
        Store(tmp_path).lock(),
        pytest.raises(UsageError, match="Another process is writing to"),
        Store(tmp_path).lock(),
    ):
        pass
    with Store(tmp_path).lock():
        pass


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    with pytest.raises(UsageError, match="refused"), Store(folder).lock():
        raise UsageError("refused")
    assert list(tmp_path.iterdir()) == []
    folder.mkdir(parents=True)  # by the user: stays
    with pytest.raises(UsageError, match="refused"), Store(folder).lock():
        raise UsageError("refused")
    assert folder.is_dir() and list(folder.iterdir()) == []


def test_a_run_that_wrote_something_keeps_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "mine")
    with pytest.raises(UsageError, match="refused"), store.lock():
        store.write_json("x.json", 1)
        raise UsageError("refused")
    assert store.read_json("x.json") == 1


def test_missing_numbers_are_null(store: Store) -> None:
    store.write_json("x.json", {"a": float("nan"), "b": [1.5, float("inf")]})
    assert store.read_json("x.json") == {"a": None, "b": [1.5, None]}
