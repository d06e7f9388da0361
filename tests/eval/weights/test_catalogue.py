import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from eval.domains.photos import NAMES, described
from eval.errors import UsageError
from eval.weights import catalogue as weight_files
from eval.weights.catalogue import WEIGHT_FILES, WeightFile

EXAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "ffhq_latents"  # beside the checkout


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weight files, and an empty cache."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("DELTABENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DELTABENCH_UNCHECKED", raising=False)
    return folder


def test_names_are_unique_and_sums_are_hexadecimal():
    names = [file.name for file in WEIGHT_FILES]
    assert len(set(names)) == len(names)
    for file in WEIGHT_FILES:
        assert set(file.sha256 + file.git_blob) <= set("0123456789abcdef")
        assert len(file.git_blob) in (0, 40) and len(file.sha256) in (0, 8, 64)
        assert file.source and set(file.domains) <= set(NAMES)


def test_inceptions_sum_is_the_one_in_its_name():
    file = weight_files.known("pt_inception-2015-12-05-6726825d.pth", "ffhq")
    assert file.name.endswith(f"-{file.sha256}.pth")


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-L-14"])
def test_openais_sums_are_those_in_its_addresses(name):
    import open_clip

    address = open_clip.get_pretrained_cfg(f"{name}-quickgelu", "openai")["url"]
    assert f"/{weight_files.known(f'{name}.pt', 'ffhq').sha256}/" in address


def test_every_file_that_a_domain_names_is_known():
    for name in NAMES:
        for file in described(name).files():
            published = weight_files.known(file.name, name)
            assert published is not None and published.optional == file.optional, file.name


def test_found_in_the_own_folder_before_the_cache_and_in_the_domains_subfolder_first(weights, tmp_path):
    cached = tmp_path / "cache" / "weights" / "fs3.npy"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"cached")
    assert weight_files.find("fs3.npy", "ffhq") == cached
    (weights / "fs3.npy").write_bytes(b"own")
    assert weight_files.find("fs3.npy", "ffhq") == weights / "fs3.npy"
    (weights / "ffhq").mkdir()
    (weights / "ffhq" / "fs3.npy").write_bytes(b"of the domain")
    assert weight_files.find("fs3.npy", "ffhq") == weights / "ffhq" / "fs3.npy"
    assert weight_files.find("fs3.npy", "church") == weights / "fs3.npy"
    assert weight_files.find("nothing.pt") is None


def test_sums_are_those_of_other_programs(weights):
    path = weights / "file.bin"
    path.write_bytes(b"some bytes" * 1000)
    sha256, blob = weight_files.digests(path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    asked = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    assert blob == asked.stdout.strip()


def test_a_sum_is_computed_once_for_each_size_and_time_of_change(weights):
    path = weights / "file.bin"
    path.write_bytes(b"first")
    before, stat = weight_files.sha256(path), path.stat()
    path.write_bytes(b"other")  # the same size; with the same time nobody can see the change
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert weight_files.sha256(path) == before
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert weight_files.sha256(path) == hashlib.sha256(b"other").hexdigest()


@pytest.mark.parametrize("digits", [8, 64])
def test_a_whole_file_has_no_fault_and_a_changed_one_is_named(weights, digits):
    path = weights / "net.pt"
    path.write_bytes(b"whole")
    file = WeightFile("net.pt", "network", ("ffhq",), "page", sha256=hashlib.sha256(b"whole").hexdigest()[:digits])
    assert weight_files.fault(file, path) is None
    path.write_bytes(b"broken")
    assert str(path) in weight_files.fault(file, path) and "net.pt" in weight_files.fault(file, path)


def test_gits_name_of_the_content_is_compared_too(weights):
    path = weights / "r.npy"
    path.write_bytes(b"hello\n")
    file = WeightFile("r.npy", "R_s", ("ffhq",), "page", git_blob="ce013625030ba8dba906f756967f9e9ca394464a")
    assert weight_files.fault(file, path) is None  # git's well-known name of "hello\n"
    path.write_bytes(b"hello")
    assert "git blob" in weight_files.fault(file, path)


def test_another_file_is_refused_unless_the_user_insists(weights, monkeypatch):
    path = weights / "ViT-B-32.pt"
    path.write_bytes(b"no CLIP")
    with pytest.raises(UsageError, match=r"sha256 is .* that of 'ViT-B-32.pt' is 40d365715913c9da"):
        weight_files.check(path, "ViT-B-32.pt", "ffhq")
    monkeypatch.setenv("DELTABENCH_UNCHECKED", "1")
    weight_files.check(path, "ViT-B-32.pt", "ffhq")


def test_a_users_own_file_of_a_common_name_is_not_compared(weights):
    path = weights / "fs3.npy"
    path.write_bytes(b"of another generator")
    weight_files.check(path, "fs3.npy", "my-domain")
    with pytest.raises(UsageError, match="git blob"):
        weight_files.check(path, "fs3.npy", "ffhq")


def test_what_is_missing_is_one_sentence_with_the_command(weights):
    text = str(weight_files.missing(["a.pt", "b.pt"], "ffhq"))
    assert "'a.pt', 'b.pt'" in text and str(weights) in text and "`deltabench models --domain ffhq`" in text
    assert "\n" not in text and text.count(". ") == 0


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the 20 example codes of DeltaEdit are not here")
def test_the_example_codes_are_those_of_a_1024_px_generator(tmp_path, monkeypatch):
    import torch

    from deltaedit.backbones.stylegan2 import StyleGAN2, config_f
    from eval.weights.codes import read_codes

    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path))
    with torch.device("meta"):
        synthesis = StyleGAN2(1024, config_f(1024), 512)
    assert synthesis.s_size == 6048
    names = ("sspace_img_feat.npy", "wplus_img_feat.npy", "cspace_img_feat.npy")
    size = (synthesis.latents, 512)
    styles, w_plus, features = (read_codes(EXAMPLES / name, size, synthesis.s_size).codes for name in names)
    features = features[:, 0]  # as long as a vector of W
    assert styles.shape == (20, 6048) and w_plus.shape == (20, 18, 512) and features.shape == (20, 512)
    assert 9 < features.norm(dim=1).mean() < 12  # raw CLIP features, about 10 long
    file = weight_files.known("wplus_img_feat.npy", "ffhq")
    assert weight_files.fault(file, EXAMPLES / "wplus_img_feat.npy") is None
