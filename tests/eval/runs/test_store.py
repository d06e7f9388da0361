from __future__ import annotations

import errno
import hashlib
import json
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
PROMPTS = [
    {"name": "smile", "source": "face", "target": "face with smile", "attribute": "mouth", "value": "smile"},
]
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
        "effect_goal": None, "first": 0, "count": 2, "edit_s": 0.5, "sha256": {
            ending: hashlib.sha256((store.folder / f"chunks/{CHUNK.id}{ending}").read_bytes()).hexdigest()
            for ending in (".npz", ".parquet")
        },
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
        (changed(arguments={**MANIFEST["arguments"], "images": 20}), "images is 50 there, 20 here"),
        (changed(arguments={**MANIFEST["arguments"], "methods": ["b"]}), "methods is a there, b here"),
        (changed(arguments={**MANIFEST["arguments"], "seed": 1}), "seed is missing there, 1 here"),
        (changed(fingerprints={"generator": "2" * 64}), f"generator is {'1' * 64} there, {'2' * 64} here"),
        (changed(schema=2), "schema is 1 there, 2 here"),
        (changed(domain="other"), "domain is tiny there, other here"),
        (changed(recipes={"identity": "r2"}), "identity is r1 there, r2 here"),
        (changed(recipes={}), "identity is r1 there, missing here"),
    ],
)
def test_a_folder_of_another_run_is_refused(store: Store, manifest: dict[str, Any], difference: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.claim(manifest, PROMPTS, {})
    assert str(caught.value) == f"{store.folder} holds another run: {difference}; choose another --out."


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ({"class": "m:B"}, "class is m:A there, m:B here"),
        ({"class": "m:A", "sources": {"m": "1", "m_helpers": "3", "m_new": "4"}}, "m_helpers, m_new changed since"),
    ],
)
def test_cells_of_another_editor_are_refused_or_made_anew(store: Store, entry: dict[str, Any], change: str) -> None:
    if "sources" in entry:
        store.claim(changed(editors={"a": {"class": "m:A", "sources": {"m": "1", "m_helpers": "2"}}}), PROMPTS, {})
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    other = Chunk("b", "smile", "default", 1.0, 0, 2)
    store.write_chunk(other, ROWS, ARRAYS, COSTS)
    with pytest.raises(UsageError) as caught:
        store.claim(changed(editors={"a": entry}), PROMPTS, {})
    assert str(caught.value) == (
        f"The editor a is not the one that made its cells in {store.folder} ({change}): put it back, make them anew "
        "with --refresh a, or choose another --out."
    )
    assert store.is_done(CHUNK)
    store.claim(changed(editors={"a": entry}), PROMPTS, {}, ["a"])
    assert not store.is_done(CHUNK) and store.is_done(other)
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    store.claim(changed(editors={"a": entry}), PROMPTS, {}, ["a"])  # the same command after a kill: goes on
    assert store.is_done(CHUNK)
    store.refreshed(set())
    store.claim(changed(editors={"a": entry}), PROMPTS, {})
    store.claim(changed(editors={"a": entry}), PROMPTS, {}, ["a"])  # the command once more: anew
    assert not store.is_done(CHUNK) and store.is_done(other)


def test_other_packages_are_refused_by_name(store: Store) -> None:
    store.claim(changed(packages={"torch": "2.4.0"}), PROMPTS, {})
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    newer = changed(packages={"torch": "2.5.0", "pandas": "9"})
    with pytest.raises(UsageError, match=r"made with torch 2\.4\.0, and 2\.5\.0 is installed: .* --refresh all"):
        store.claim(newer, PROMPTS, {})
    store.claim(newer, PROMPTS, {}, ["all"])
    assert not store.is_done(CHUNK)
    store.claim(newer, PROMPTS, {})


def test_a_run_grows_and_keeps_what_is_finished(store: Store) -> None:
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    arguments = {**MANIFEST["arguments"], "methods": ["a", "b"], "images": 60, "strengths": ["default", "2"]}
    more = changed(arguments=arguments, editors={"b": {"class": "m:B"}})
    store.claim(more, [*PROMPTS, {**PROMPTS[0], "name": "hat", "target": "a hat"}], {})
    there = store.manifest()
    assert there["arguments"] == arguments and list(there["editors"]) == ["a", "b"]
    assert [prompt["name"] for prompt in store.read_json("prompts.json")] == ["smile", "hat"]
    assert store.is_done(CHUNK) and not store.is_done(Chunk("a", "smile", "default", 1.0, 0, 50))


@pytest.mark.parametrize("name", ["prompts.json", "factors.json"])
@pytest.mark.parametrize("contents", [None, b"", b"[]", b"\xff"])
def test_a_small_file_that_was_lost_is_written_again(store: Store, name: str, contents: bytes | None) -> None:
    path = store.folder / name
    before = path.read_bytes()
    path.unlink() if contents is None else path.write_bytes(contents)
    store.claim(MANIFEST, PROMPTS, {"mouth": ["flat", "smile"]})
    assert path.read_bytes() == before


@pytest.mark.parametrize("contents", ["", "[]", "{}", "edited"])
def test_a_damaged_manifest_is_one_sentence(store: Store, contents: str) -> None:
    path = store.folder / "manifest.json"
    edited = path.read_text().replace('"images": 50', '"images": 40')
    path.write_text(edited if contents == "edited" else contents)
    with pytest.raises(UsageError, match=r"manifest.json cannot be used: it.* Put back the one that the run wrote"):
        store.claim(MANIFEST, PROMPTS, {})


def test_the_chunk_of_another_under_its_name_is_not_done(store: Store) -> None:
    other = Chunk("b", "smile", "default", 1.0, 0, 2)
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    store.write_chunk(other, ROWS, {"frechet": ARRAYS["frechet"] + 1}, COSTS)
    chunks = store.folder / "chunks"
    for ending in (".npz", ".parquet", ".json"):
        mine, theirs = (chunks / f"{each.id}{ending}" for each in (CHUNK, other))
        kept = mine.read_bytes()
        mine.write_bytes(theirs.read_bytes())
        assert not store.is_done(CHUNK) and store.is_done(other)
        mine.write_bytes(kept)
        assert store.is_done(CHUNK)


def test_an_edited_record_of_a_chunk_makes_it_missing(store: Store) -> None:
    store.write_chunk(CHUNK, ROWS, ARRAYS, COSTS)
    path = store.folder / f"chunks/{CHUNK.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "edit_s": 0.1}))
    assert not store.is_done(CHUNK)


def test_arrays_say_what_they_are(store: Store) -> None:
    about = {"what": "counterfactuals", "prompt": "smile", "images": 2}
    store.write_arrays("x.npz", ARRAYS, about)
    assert store.holds("x.npz", about) and not store.holds("x.npz", {**about, "prompt": "hat"})
    path = store.folder / "x.npz"
    whole = path.read_bytes()
    for damaged in (b"", whole[:-30], whole[:60] + b"\0\0\0" + whole[63:]):
        path.write_bytes(damaged)
        assert not store.holds("x.npz", about)
    path.write_bytes(whole)
    assert store.holds("x.npz", about)


def test_prompts_of_other_texts_are_another_run(store: Store) -> None:
    with pytest.raises(UsageError, match="its prompts have other texts"):
        store.claim(MANIFEST, [{**PROMPTS[0], "target": "smiling face"}], {})


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
    with pytest.raises(UsageError, match=r"manifest.json cannot be used: it is not valid JSON"):
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
