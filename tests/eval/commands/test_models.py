from pathlib import Path

import numpy as np
import pytest
import torch

from eval.cli import main


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("DELTABENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["models", *arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name))


def test_all_domains_with_nothing_there(weights, capsys):
    text = told(capsys)
    assert "avatars: its networks come with this package." in text
    assert "ffhq: 5 missing" in text and "church: 4 missing" in text
    assert "missing" in row(text, "stylegan2-ffhq-config-f.pt") and "DeltaEdit" in text
    assert str(weights) in text and "none is fetched" in text


def test_one_domain_with_some_files_there(weights, capsys):
    (weights / "ViT-B-32.pt").write_bytes(b"another file")
    (weights / "20180402-114759-vggface2.pt").write_bytes(b"whatever")
    text = told(capsys, "--domain", "ffhq")
    assert "ffhq: 3 missing, 1 with a wrong sum" in text and "church" not in text.replace("github", "")
    assert "wrong sum" in row(text, "ViT-B-32.pt")
    assert " there " in row(text, "20180402-114759-vggface2.pt")


def test_an_unknown_domain_is_answered_with_the_nearest(weights, capsys):
    assert "did you mean 'ffhq'?" in told(capsys, "--domain", "fhq", code=2)


def test_check_says_what_a_file_is(weights, capsys):
    path = weights / "codes.npy"
    np.save(path, np.zeros((3, 18, 512), np.float32))
    text = told(capsys, "check", str(path))
    assert "W+ codes of 3 images of a 1024 px generator" in text and "sha256 " in text


def test_check_reports_a_damaged_file_in_one_sentence(weights, capsys):
    path = weights / "net_face.pth"
    torch.save({"sm_coarse.mapping.1.weight": torch.zeros(4)}, path)
    path.write_bytes(path.read_bytes()[:-40])
    assert main(["models", "check", str(path)]) == 2
    captured = capsys.readouterr()
    assert "damaged or truncated" in captured.err and captured.err.count(". ") == 0
    lines = captured.out.splitlines()
    assert lines[0].startswith("sha256 ") and "no sum of it is published" in lines[1]


def test_check_compares_the_sum_by_the_files_name(weights, capsys):
    path = weights / "ViT-L-14.pt"
    torch.save({"a": torch.zeros(2)}, path)
    assert "that of 'ViT-L-14.pt' is b8cca3fd41ae0c99" in told(capsys, "check", str(path), code=2)


def test_check_refuses_what_the_readers_refuse(weights, capsys):
    nan = torch.ones(3)
    nan[1] = torch.nan
    torch.save({"visual.conv1.weight": nan, "transformer.x": torch.ones(2)}, weights / "nan.pt")
    text = told(capsys, "check", str(weights / "nan.pt"), code=2)
    assert "nan.pt is damaged: 1 of 3 numbers of 'visual.conv1.weight' are NaN or infinite." in text
    torch.save({"epoch": 3}, weights / "empty.pt")
    assert "empty.pt holds no tensors" in told(capsys, "check", str(weights / "empty.pt"), code=2)
    codes = np.zeros((3, 18, 512), np.float32)
    codes[1, 0, 0] = np.inf
    np.save(weights / "codes.npy", codes)
    assert "in 1 of 3 codes: row 1" in told(capsys, "check", str(weights / "codes.npy"), code=2)
    np.savez(weights / "w.npz", w=np.zeros((1, 18, 512), np.float32))
    assert "'w': an array of 1 x 18 x 512 numbers: W+ codes of 1 images" in told(
        capsys, "check", str(weights / "w.npz")
    )


def test_check_of_no_file_is_a_usage_error(weights, capsys):
    assert "There is no file" in told(capsys, "check", str(weights / "none.pt"), code=2)


def test_the_list_of_domains_counts_what_is_missing(weights, capsys):
    assert main(["domains"]) == 0
    text = capsys.readouterr().out
    assert "[5 files missing]" in row(text, "ffhq") and "missing" not in row(text, "avatars")
