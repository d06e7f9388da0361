"""The command on the tiny domain in a process of its own, which is forked so that nothing is imported twice."""

from __future__ import annotations

import hashlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from eval import domains
from eval.cli import main
from tests.conftest import build_tiny_domain

# A control, and DeltaEdit: R_s, which is an artefact, and a mapper that is trained.
METHODS = "identity,deltaedit[steps=8,batch=4,relevance_images=2,relevance_statistics=20,templates=false,threshold=0]"
OPTIONS = ("--domain", "tiny", "--prompts", "glasses,smile", "--images", "4", "--batch", "2", "--no-figures")
TIMED = ("tables/runtime.", "costs/", "manifest.json")  # seconds, and when the folder was made
CHUNKS = 2 * 2 * 2 * 2  # editors, prompts, strengths, batches
LONGEST_S = 3600.0  # of a command that hangs; the machine may be loaded
TICKS_A_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Case:
    """A run folder and a cache folder, and the command that fills them.

    Attributes:
        root: holds both.
        log_folder: takes what the command says; default ``root``.
    """

    root: Path
    log_folder: Path | None = None

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.root / "run"

    @property
    def cache(self) -> Path:
        """Of artefacts and training states."""
        return self.root / "cache"

    def start(self, *more: str) -> Process:
        """Give the command."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        options = ("run", "--methods", METHODS, *OPTIONS, "--out", str(self.folder), *more)
        return Process(options, self.cache, self._log)

    def finish(self, *more: str) -> int:
        """Give the command and wait; the exit code."""
        return self.start(*more).wait()

    @property
    def log(self) -> str:
        """What the last command said."""
        return self._log.read_text(errors="replace")

    @property
    def _log(self) -> Path:
        return (self.log_folder or self.root) / "log.txt"

    def contents(self) -> dict[str, str]:
        """sha256 of every file that must not depend on faults; the seconds of a chunk are in its .json."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            timed = name.startswith(TIMED) or (name.startswith("chunks/") and name.endswith(".json"))
            if path.is_file() and not timed and path.name != ".lock":
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def chunks(self) -> dict[str, tuple[int, int]]:
        """The finished chunks: when each was finished, and which file it is."""
        stats = {path.name: path.stat() for path in self.folder.glob("chunks/*.json")}
        return {name: (stat.st_mtime_ns, stat.st_ino) for name, stat in stats.items() if ".error." not in name}

    def written(self) -> int:
        """How many files and folders there are."""
        return sum(len(folders) + len(files) for _, folders, files in os.walk(self.root))

    def leftovers(self) -> list[str]:
        """Half-written files."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob(".*.tmp")]

    def phase(self) -> str:
        """What a process that is stopped now was doing, by what is there."""
        if not (self.folder / "manifest.json").exists():
            return "start"
        if any(self.cache.rglob("*.best")):
            return "training"
        if len(self.chunks()) >= CHUNKS:
            return "tables"
        fitting = not any(self.cache.glob("artefacts/relevance-*"))
        calibrating = len(list(self.folder.glob("strengths/*.json"))) % 2
        return "artefacts" if fitting else "calibration" if calibrating else "edits"


class Process:
    """A command in a forked process.

    Args:
        options: of ``deltabench``.
        cache: folder of artefacts.
        log: takes what it says.
    """

    def __init__(self, options: Sequence[str], cache: Path, log: Path) -> None:
        sys.stdout.flush()
        self.pid = os.fork()
        self.worked_s = 0.0  # seconds of the processor that it took, once it has ended
        self._code: int | None = None
        if self.pid == 0:
            os._exit(_child(options, cache, log))

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self._code is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                self.worked_s = used.ru_utime + used.ru_stime
        return self._code

    def until(self, reached: Callable[[], bool]) -> None:
        """Let it go on until something is reached, or it has ended."""
        while self.poll() is None and not reached():
            time.sleep(0.002)

    def used_s(self) -> float:
        """Seconds of the processor that it has taken: the same on a loaded machine."""
        if self.poll() is None:
            with suppress(OSError):  # it ends in this moment
                used = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                return sum(map(int, used)) / TICKS_A_S
        return self.worked_s

    def wait(self, seconds: float = LONGEST_S) -> int | None:
        """The exit code, after so many seconds at most; then None."""
        until = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        return self._code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> bool:
        """kill -9; whether it was still running."""
        self.send(signal.SIGKILL)
        return self.wait() == -signal.SIGKILL


def preload() -> None:
    """Import all of the product, so that a forked process does not."""
    for package in ("deltaedit", "baselines", "eval", "reports"):
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            with suppress(ImportError):  # of an extra that is not installed
                import_module(module.name)
    for library in ("open_clip", "pandas", "pyarrow.parquet", "scipy.stats", "rich.progress", "rich.table"):
        import_module(library)


def _child(options: Sequence[str], cache: Path, log: Path) -> int:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["DELTABENCH_CACHE"] = str(cache)
    domains.DOMAINS["tiny"] = lambda *_: build_tiny_domain(cache / "artefacts")
    try:
        return main(list(options))
    except KeyboardInterrupt:  # the second Ctrl-C, while the first was told
        return 130
    except BaseException:
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
