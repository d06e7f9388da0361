import hashlib
import sys
from pathlib import Path

import pytest

from eval.errors import UsageError
from eval.weights import packages
from eval.weights.packages import FACES, Package, PackageFile, find, require

NAMES = [file.name for package in FACES for file in package.files]


def stored(folder: Path, package: Package, content: bytes) -> None:
    for file in package.files:
        (folder / file.inside).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.inside).write_bytes(content)


@pytest.fixture
def invented(tmp_path, monkeypatch) -> Package:
    """A package of two files, in place of those of `faces`; it fails when it is imported."""
    sums = hashlib.sha256(b"right").hexdigest()
    files = (PackageFile("invented_net/a.xml", "a", "l", sums), PackageFile("invented_net/a.bin", "b", "l", sums))
    package = Package("invented-net", "1.0", "0" * 64, 1, files)
    monkeypatch.setitem(packages.PACKAGES, "faces", (package,))
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site" / "invented_net").mkdir(parents=True)
    (tmp_path / "site" / "invented_net" / "__init__.py").write_text("raise RuntimeError('imported')")
    return package


def test_files_have_names_of_their_own_and_whole_sums():
    assert len(set(NAMES)) == len(NAMES) == 10
    sums = [file.sha256 for package in FACES for file in package.files] + [package.archive_sha256 for package in FACES]
    assert all(len(text) == 64 and int(text, 16) for text in sums) and len(set(sums)) == len(sums)


def test_an_installed_package_is_found_and_not_imported(invented, tmp_path):
    stored(tmp_path / "site", invented, b"right")
    assert find("a.xml") == tmp_path / "site/invented_net/a.xml"
    assert "invented_net" not in sys.modules


def test_a_package_of_which_one_file_differs_does_not_count(invented, tmp_path):
    stored(tmp_path / "site", invented, b"right")
    (tmp_path / "site/invented_net/a.bin").write_bytes(b"wrong")
    assert find("a.xml") is None
    stored(tmp_path / "cache/packages/invented-net-1.0", invented, b"right")
    assert find("a.xml") == tmp_path / "cache/packages/invented-net-1.0/invented_net/a.xml"


def test_missing_files_are_one_sentence_that_ends_with_the_command(invented):
    with pytest.raises(UsageError) as caught:
        require(["a.xml", "a.bin"])
    assert str(caught.value) == (
        "The domain 'faces' needs a.xml, a.bin of invented-net 1.0, which are missing, damaged or of another version; "
        "get them by `deltabench models fetch faces`."
    )


def test_required_files_come_by_name(invented, tmp_path):
    stored(tmp_path / "cache/packages/invented-net-1.0", invented, b"right")
    assert {name: path.name for name, path in require(["a.bin"]).items()} == {"a.bin": "a.bin"}
