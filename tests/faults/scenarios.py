"""Faults that are no kill: disks, damaged and edited files, a second process, signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.faults.kills import Found, Whole, check_same
from tests.faults.product import Case, Process


class Skipped(Exception):
    """A scenario that this machine does not allow, and why."""


Scenario = Callable[[Path, Whole], None]


def full_disk(root: Path, whole: Whole) -> None:
    """A file system without room: one sentence, and the same command goes on when there is room."""
    with tmpfs(root, "120k") as disk:
        case = Case(disk, root / "log")
        code = case.finish()
        told = "No space left to write" in case.log or "are free there" in case.log
        expect(case, code == 2 and told, f"exit code 2 and one sentence, got {code}")
        remount(disk, "size=64m")
        expect(case, case.finish() == 0, "exit code 0 with room")
        check_same(case, whole)


def read_only(root: Path, whole: Whole) -> None:
    """A folder that cannot be written: one sentence; the chunks that are there stay."""
    with tmpfs(root, "64m") as disk:
        case = Case(disk, root / "log")
        process = case.start()
        process.until(partial(_has_worked, process, whole.work_s / 2))
        process.kill()
        remount(disk, "ro")
        code = case.finish()
        expect(case, code == 2 and "cannot be written" in case.log, f"exit code 2 and one sentence, got {code}")
        remount(disk, "rw")
        expect(case, case.finish() == 0, "exit code 0 when it can be written again")
        check_same(case, whole)


def damaged_files(root: Path, whole: Whole) -> None:
    """Truncated, emptied and swapped files of every kind are made again, and nothing else is."""
    case = finished(root, whole)
    chunks = sorted(path.stem for path in case.folder.glob("chunks/*.json"))
    first, second, third, fourth = (case.folder / "chunks" / name for name in chunks[:4])
    for ending in (".npz", ".parquet", ".json"):
        cut(first.with_name(first.name + ending))
        second.with_name(second.name + ending).write_bytes(b"")
        swap(third.with_name(third.name + ending), fourth.with_name(fourth.name + ending))
        kept = {name: state for name, state in case.chunks().items() if name[:-5] not in chunks[:4]}
        expect(case, case.finish() == 0, "exit code 0")
        if any(case.chunks()[name] != state for name, state in kept.items()):
            raise Found(f"Damaged {ending} files let sound chunks be computed again.")
        check_same(case, whole)
    small = ["sources.npz", "factors.json", "prompts.json", "costs/identity.json"]
    small += [*rel(case, "counterfactuals/*.npz"), *sorted(rel(case, "strengths/*.json"))[:2]]
    for damage in (cut, lambda path: path.write_bytes(b""), Path.unlink):
        kept = case.chunks()
        for name in small:
            damage(case.folder / name)
        expect(case, case.finish() == 0, "exit code 0 after damage to small files")
        expect(case, case.chunks() == kept, "no chunk computed again for a small file")
        check_same(case, whole)
    swap(*(case.folder / name for name in sorted(rel(case, "counterfactuals/*.npz"))[:2]))
    expect(case, case.finish() == 0, "exit code 0 after counterfactuals changed places")
    check_same(case, whole)


def garbage_in_the_cache(root: Path, whole: Whole) -> None:
    """Whatever the cache holds under the right names, a run's numbers are the same."""
    case = finished(root, whole)
    kept = [path for path in sorted(case.cache.rglob("*")) if path.is_file()]
    if not kept:
        raise Found("The run has kept nothing in its cache.")
    for number, garbage in enumerate((b"", os.urandom(5000), b"[]", kept[0].read_bytes())):
        for path in kept:
            path.write_bytes(garbage)
        shutil.rmtree(case.folder)
        expect(case, case.finish() == 0, f"exit code 0 with garbage {number} in the cache")
        check_same(case, whole)


def edited_manifest(root: Path, whole: Whole) -> None:
    """One sentence for a manifest that was changed; with the right one everything is as it was."""
    case = finished(root, whole)
    path = case.folder / "manifest.json"
    right = path.read_bytes()
    for wrong in (b"", b"[]", b"{}", b"null", right[:100], right.replace(b'"images": 4', b'"images": 3')):
        path.write_bytes(wrong)
        code = case.finish()
        told = "manifest.json cannot be used" in case.log and "Traceback" not in case.log
        expect(case, code == 2 and told, f"exit code 2 and one sentence, got {code}")
    path.write_bytes(right)
    expect(case, case.finish() == 0, "exit code 0")
    check_same(case, whole)


def two_processes(root: Path, whole: Whole) -> None:
    """A second process on the folder is refused and harms nothing."""
    case = Case(root)
    process = case.start()
    process.until(lambda: bool(case.chunks()))
    second = Case(root, root.with_name("second"))
    code = second.finish()
    expect(second, code == 2 and "Another process is writing" in second.log, f"a second process refused, got {code}")
    expect(case, process.wait() == 0, "exit code 0 of the first process")
    check_same(case, whole)


def signals(root: Path, whole: Whole) -> None:
    """SIGTERM, and Ctrl-C twice in a row: the same command goes on."""
    case = Case(root)
    for numbers in ((signal.SIGTERM,), (signal.SIGINT, signal.SIGINT), (signal.SIGINT,)):
        process = case.start()
        process.until(partial(_has_worked, process, whole.work_s / 5))
        for number in numbers:
            process.send(number)
            time.sleep(0.05)
        code = process.wait()
        expect(case, code in (130, -signal.SIGTERM, -signal.SIGINT, 143), f"an exit code of a signal, got {code}")
    expect(case, case.finish() == 0, "exit code 0")
    check_same(case, whole)


def _has_worked(process: Process, seconds: float) -> bool:
    return process.used_s() >= seconds


SCENARIOS: dict[str, Scenario] = {
    "full disk": full_disk,
    "read-only folder": read_only,
    "damaged files": damaged_files,
    "garbage in the cache": garbage_in_the_cache,
    "edited manifest": edited_manifest,
    "two processes": two_processes,
    "signals": signals,
}


def finished(root: Path, whole: Whole) -> Case:
    """A run that nothing happened to."""
    case = Case(root)
    expect(case, case.finish() == 0, "exit code 0")
    check_same(case, whole)
    return case


def expect(case: Case, right: bool, what: str) -> None:
    """Refuse an outcome.

    Raises:
        Found: it is not right; with what the command said.
    """
    if not right:
        raise Found(f"{case.root}: expected {what}. The command said:\n{case.log}")


def rel(case: Case, pattern: str) -> Iterator[str]:
    """Names of files in the run folder."""
    return (path.relative_to(case.folder).as_posix() for path in case.folder.glob(pattern))


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(one: Path, other: Path) -> None:
    """Let two files change places."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


@contextmanager
def tmpfs(root: Path, size: str) -> Iterator[Path]:
    """A file system in memory.

    Raises:
        Skipped: it cannot be mounted here.
    """
    disk = root / "disk"
    disk.mkdir(parents=True)
    asked = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    try:
        subprocess.run(asked, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skipped("mounting a tmpfs needs root") from None
    try:
        yield disk
    finally:
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "-l", str(disk)], check=True, capture_output=True)


def remount(disk: Path, option: str) -> None:
    """Change an option of a mounted file system."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True, capture_output=True)
