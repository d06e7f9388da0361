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
    lines = told(capsys, "check", str(path)).splitlines()
    assert "damaged or truncated" in lines[0] and lines[0].count(". ") == 0
    assert lines[1].startswith("sha256 ") and "no sum of it is published" in lines[2]


def test_check_compares_the_sum_by_the_files_name(weights, capsys):
    path = weights / "ViT-L-14.pt"
    torch.save({"a": torch.zeros(2)}, path)
    assert "that of 'ViT-L-14.pt' is b8cca3fd41ae0c99" in told(capsys, "check", str(path))


def test_check_of_no_file_is_a_usage_error(weights, capsys):
    assert "There is no file" in told(capsys, "check", str(weights / "none.pt"), code=2)


def test_the_list_of_domains_counts_what_is_missing(weights, capsys):
    assert main(["domains"]) == 0
    text = capsys.readouterr().out
    assert "[5 files missing]" in row(text, "ffhq") and "missing" not in row(text, "avatars")
