import csv
import hashlib
import json

import numpy as np
import pytest

from eval.errors import UsageError
from eval.studies.alignment import projections
from eval.studies.alignment.measures import Estimate, Pairs
from eval.studies.alignment.prompts import ARMS, MEASURES, PromptAlignment
from reports.studies.alignment_run import run_alignment

pytestmark = pytest.mark.slow


@pytest.fixture
def pairs(monkeypatch):
    monkeypatch.setattr("eval.studies.alignment.measures.DRAWS", 50)
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(40, 5)).astype(np.float32)
    return Pairs(shared + np.array([1, 0, 0, 0, 0]), shared + 0.3 * rng.normal(size=(40, 5)))


def _rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_written(pairs, tmp_path):
    found = run_alignment(pairs, "toy", tmp_path / "new" / "folder", seed=3)
    names = [path.name for path in found.files]
    assert names == [
        *("alignment.csv", "alignment.md", "alignment.tex"),
        *("alignment_by_norm.csv", "alignment_by_norm.md", "alignment_by_norm.tex"),
        *("alignment.pdf", "alignment.png", "alignment_points.npz", "alignment.json"),
    ]
    assert all(path.stat().st_size > 100 for path in found.files)
    rows = _rows(found.files[0])
    assert [row["arm"] for row in rows] == ["raw", "centred", "delta"]
    assert all(float(row["gap_low"]) <= float(row["gap"]) <= float(row["gap_high"]) for row in rows)
    record = json.loads(found.files[-1].read_text(encoding="utf-8"))
    assert (record["schema"], record["source"], record["pairs"], record["seed"]) == (1, "toy", 40, 3)
    texts = hashlib.sha256(pairs.texts.astype("<f4").tobytes()).hexdigest()
    assert record["sha256"]["texts"] == texts


def test_same_input_same_tables(pairs, tmp_path):
    first, second = (run_alignment(pairs, "toy", tmp_path / name) for name in "ab")
    for one, other in zip(first.files[:6], second.files[:6], strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_prompts_get_their_own_table(pairs, tmp_path):
    numbers = {(arm, measure): Estimate(0.5, 0.4, 0.7) for arm in ARMS for measure in MEASURES}
    found = run_alignment(pairs, "toy", tmp_path, prompts=(PromptAlignment("smile", 0.3, 9, numbers),))
    (row,) = _rows(tmp_path / "alignment_prompts.csv")
    assert (row["prompt"], row["images"], row["delta_found_high"]) == ("smile", "9", "0.7")
    assert len(found.tables) == 3


def test_without_scikit_learn_there_is_no_tsne(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr("reports.studies.alignment_run.has_tsne", lambda: False)
    run_alignment(pairs, "toy", tmp_path)
    with np.load(tmp_path / "alignment_points.npz") as points:
        assert {name.split("/")[1] for name in points.files} == {"PCA"}
    assert (tmp_path / "alignment.png").stat().st_size > 1000


def test_a_folder_that_cannot_be_written(pairs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        run_alignment(pairs, "toy", tmp_path / "file")


def test_pca_against_the_singular_value_decomposition():
    images, texts = np.random.default_rng(1).normal(size=(2, 20, 4)) * [3, 2, 1, 0.5]
    points = np.concatenate(projections.pca(images, texts))
    rows = np.concatenate([images, texts])
    left, sizes, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    assert np.abs(points) == pytest.approx(np.abs(left[:, :2] * sizes[:2]))


def test_tsne_keeps_clusters_apart():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(2)
    images, texts = rng.normal(size=(2, 30, 4)) * 0.1 + np.array([0.0, 5.0])[:, None, None]
    first, second = projections.tsne(images, texts, seed=0)
    assert first.shape == second.shape == (30, 2)
    spread = max(first.std(), second.std())
    assert np.linalg.norm(first.mean(0) - second.mean(0)) > spread
