import numpy as np
import pytest

from eval.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    features = tmp_path / "toy"
    features.mkdir()
    shared = rng.normal(size=(30, 4))
    for kind in ("i", "t", "deltai", "deltat"):
        np.save(features / f"cspace_toy_{kind}.npy", shared + 0.5 * rng.normal(size=(30, 4)))
    return features


def test_prints_the_table_and_the_files(folder, capsys):
    assert main(["align", "--features", str(folder)]) == 0
    out = capsys.readouterr().out
    images, texts = (np.load(folder / f"cspace_toy_{kind}.npy") for kind in ("i", "t"))
    images, texts = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (images, texts))
    line = next(line for line in out.splitlines() if "cosine, paired" in line)
    assert f"{(images * texts).sum(1).mean():.3f} ±" in line
    heading = out.splitlines()[2].split()
    assert heading == ["raw", "centred", "delta", "released"]
    assert "toy: 30 pairs" in out and "deltabench-runs/align-toy/alignment.csv" in out
    assert (folder.parent / "deltabench-runs" / "align-toy" / "alignment.pdf").is_file()


def test_out_and_pairs(folder, tmp_path, capsys):
    assert main(["align", "--features", str(folder), "--out", str(tmp_path / "x"), "--pairs", "20"]) == 0
    assert "toy: 20 pairs" in capsys.readouterr().out
    assert (tmp_path / "x" / "alignment.md").is_file()


def test_says_how_to_get_tsne(folder, monkeypatch, capsys):
    monkeypatch.setattr("eval.studies.alignment.projections.has_tsne", lambda: False)
    monkeypatch.setattr("reports.studies.alignment_run.has_tsne", lambda: False)
    assert main(["align", "--features", str(folder)]) == 0
    assert "deltabench[align]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--features DIR or --domain NAME"),
        (["--features", "toy", "--domain", "avatars"], "--features DIR or --domain NAME"),
        (["--features", "absent"], "must be a folder"),
        (["--features", "toy", "--pairs", "5"], "--pairs must be from 20 to 30"),
        (["--features", "toy", "--seed", "-1"], "'--seed': -1 is not in the range"),
        (["--features", "toy", "--out", "toy/cspace_toy_i.npy"], "is a file, so that"),
        (["--domain", "avatar"], "did you mean 'avatars'"),
    ],
)
def test_mistakes_are_one_sentence(folder, options, words, capsys):
    assert main(["align", *options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_missing_array_is_told(folder, capsys):
    (folder / "cspace_toy_deltat.npy").unlink()
    assert main(["align", "--features", str(folder)]) == 2
    assert "no text deltas" in capsys.readouterr().err


def test_a_domain_has_pairs_and_prompts(folder, tiny_domain, monkeypatch, capsys):
    tiny_domain.name = "avatars"
    monkeypatch.setattr("eval.domains.load_domain", lambda name, **place: tiny_domain)
    assert main(["align", "--domain", "avatars", "--clip", "editing", "--pairs", "20"]) == 0
    out = capsys.readouterr().out
    assert "avatars-editing: 20 pairs" in out and "red-hair" in out
    assert (folder.parent / "deltabench-runs" / "align-avatars-editing" / "alignment_prompts.csv").is_file()
