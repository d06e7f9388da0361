import json
import shutil

import numpy as np
import pytest

from eval.runs.reader import Run


@pytest.fixture
def copy(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


def edit_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_rows_come_in_the_order_of_methods_prompts_kinds_strengths_and_images(finished_run):
    rows = Run(finished_run).rows
    assert len(rows) == 3 * 3 * 2 * 12
    assert list(rows["editor"].unique()) == ["deltaedit", "styleclip-global", "deltaedit[threshold=0.05]"]
    assert list(rows["prompt"].iloc[:72].unique()) == ["glasses", "smile", "blond-hair"]
    assert list(rows["kind"].iloc[:24]) == ["default"] * 12 + ["calibrated"] * 12
    assert list(rows["image"].iloc[:12]) == [f"test-{i:04d}" for i in range(12)]
    assert list(rows["source"].iloc[:12]) == list(range(12))
    assert list(rows["position"].iloc[:12]) == [*range(8), *range(4)]


def test_settings_split_the_rows_by_editor_and_kind(finished_run):
    run = Run(finished_run)
    labels = [(setting.editor, setting.kind, setting.strength, len(setting.rows)) for setting in run.settings]
    assert labels[:2] == [("deltaedit", "default", "1", 36), ("deltaedit", "calibrated", "per prompt", 36)]
    assert sorted(np.concatenate([setting.rows for setting in run.settings])) == list(range(len(run.rows)))
    assert [setting.kind for setting in run.headlines] == ["calibrated"] * 3
    assert run.settings[1].label == "deltaedit, calibrated"


def test_features_follow_the_rows_asked_for(finished_run):
    run = Run(finished_run)
    rows = np.array([9, 0, 3])
    expected = []
    for row in rows:
        cell = run.rows.loc[row]
        with np.load(finished_run / "chunks" / f"{cell['chunk']}.npz") as arrays:
            expected.append(arrays["frechet"][int(cell["image"][-4:]) % 8])
    np.testing.assert_array_equal(run.features(rows, "frechet"), expected)


def test_a_chunk_without_its_json_does_not_exist(copy):
    gone = next(path for path in sorted((copy / "chunks").glob("deltaedit--glasses--default*.json")))
    gone.unlink()
    assert len(Run(copy).every_row) == 3 * 3 * 2 * 12 - 8
    assert len(Run(copy).rows) == 3 * 2 * (3 * 12 - 8)  # the pairs of prompt and image that all have


def test_failures_are_those_that_have_not_succeeded_since(copy):
    done = sorted((copy / "chunks").glob("*.json"))[0]
    info = json.loads(done.read_text())
    (copy / "chunks" / f"{info['id']}.error.json").write_text(json.dumps({**info, "error": "old"}))
    (copy / "chunks" / "x.error.json").write_text(json.dumps({**info, "id": "x", "error": "out of memory"}))
    assert [failure["id"] for failure in Run(copy).failures] == ["x"]
    assert len(Run(copy).chunks) == 3 * 3 * 2 * 2


def test_a_newer_schema_is_refused_in_one_sentence_with_the_remedy(copy):
    edit_json(copy / "manifest.json", schema=3)
    with pytest.raises(ValueError, match=r"schema 3 .* reads up to 2; update it with `pip install"):
        Run(copy)


@pytest.mark.parametrize("schema", [0, "1", None])
def test_a_manifest_without_a_schema_number_is_refused(copy, schema):
    edit_json(copy / "manifest.json", schema=schema)
    with pytest.raises(ValueError, match="must hold a schema number"):
        Run(copy)


def test_damage_is_one_sentence_that_names_the_file(copy, tmp_path):
    with pytest.raises(ValueError, match="is not a run folder"):
        Run(tmp_path)
    chunk = Run(copy).chunks[0]["id"]
    (copy / "chunks" / f"{chunk}.parquet").write_bytes(b"PAR1")
    assert f"is not counted: {chunk}.parquet is damaged" in Run(copy).damaged[0]
    assert chunk not in [each["id"] for each in Run(copy).chunks]
    (copy / "sources.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"sources\.npz cannot be read"):
        Run(copy).sources("names")
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match="is not valid JSON"):
        Run(copy)


def test_references_may_lack_arrays_and_sources_may_not(copy):
    run = Run(copy)
    assert run.counterfactual("glasses", "no-such-array") is None
    assert run.counterfactual("glasses", "region").shape == (64, 64)
    with pytest.raises(ValueError, match="has no array 'nothing'; there are: names, images"):
        run.sources("nothing")
