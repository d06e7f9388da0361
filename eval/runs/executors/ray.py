"""Units on a Ray cluster: actors that load the networks once; one that is lost is replaced and its unit done again."""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.device import cores
from eval.errors import UsageError
from eval.runs.executors.schedule import Schedule
from eval.runs.executors.setup import Setup
from eval.runs.executors.unit import Outcome, Unit

if TYPE_CHECKING:
    from eval.runs.executors.worker import Worker

AUTO = "auto"


@dataclass
class Ray:
    """Workers that are actors of a Ray cluster, whose machines all see the run folder under its path.

    Args:
        setup: what each begins with.
        workers: how many; ``auto``: as many as the cluster has room for.
        address: of the cluster; None: one that ``ray.init`` was called for, or one of this machine for this run.
        gpus: share of a GPU that each takes.
    """

    setup: Setup
    workers: int | str
    address: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            raise UsageError("--executor ray needs the package ray; get it with `pip install 'deltabench[ray]'`.")

    def outcomes(self, schedule: Schedule, begun: Callable[[Unit], object]) -> Generator[Outcome]:
        """Do everything that the schedule holds.

        Args:
            schedule: told of every outcome by the caller before the next is asked for.
            begun: called with every unit when it is handed to a worker.

        Raises:
            UsageError: there is no such cluster, no room in it for one worker, or workers cannot begin.
        """
        import ray

        remote: Any = ray.remote
        with self._cluster():
            count, threads = self._shares(ray.cluster_resources())
            wanted = {"num_cpus": threads, "num_gpus": self.gpus, "max_restarts": 0}
            actor = remote(**wanted)(Actor)
            setup = replace(self.setup, threads=threads)
            crew: dict[int, Any] = {}
            busy: dict[Any, tuple[int, Unit]] = {}
            try:
                while not schedule.is_over:
                    for number in set(range(count)) - {number for number, _ in busy.values()}:
                        if (unit := schedule.take(number)) is not None:
                            begun(unit)
                            if number not in crew:  # setdefault would ask the cluster for an actor every time
                                crew[number] = actor.remote(setup, str(Path.cwd()))
                            busy[crew[number].do.remote(unit)] = number, unit
                    for answer in ray.wait(list(busy), num_returns=1)[0]:
                        number, unit = busy.pop(answer)
                        try:
                            said = ray.get(answer)
                        except ray.exceptions.RayError:  # its process or its machine was lost
                            del crew[number]
                            said = schedule.lost(unit)
                        if isinstance(said, str):
                            raise UsageError(said)
                        if said is not None:
                            yield said
            finally:
                for member in crew.values():
                    ray.kill(member)

    @contextmanager
    def _cluster(self) -> Iterator[None]:
        import ray

        if ray.is_initialized():
            yield
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            if self.address is None:
                ray.init(num_cpus=cores(), include_dashboard=False, logging_level=logging.ERROR)
            else:
                ray.init(address=self.address, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises it as such where a cluster of this machine does not start in time
            reason = " ".join(str(error).split())[:120]
            raise UsageError(
                f"There is no Ray cluster at {self.address or 'this machine'} ({reason}); see docs/scaling.md."
            ) from error
        try:
            yield
        finally:
            ray.shutdown()

    def _shares(self, resources: dict[str, float]) -> tuple[int, int]:
        """How many workers, and threads of each.

        Raises:
            UsageError: the cluster has no room for one.
        """
        processors, graphics = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
        room = min(processors, int(graphics / self.gpus + 1e-9)) if self.gpus else processors
        if room < 1:
            raise UsageError(
                f"The Ray cluster has {processors} cores and {graphics:g} GPUs, no room for a worker with "
                f"--gpus-per-worker {self.gpus:g}."
            )
        count = room if self.workers == AUTO else int(self.workers)
        return count, max(1, processors // max(count, room if self.gpus else count))


class Actor:
    """One worker, in a process of the cluster.

    Args:
        setup: what it begins with.
        folder: the working folder of the process that hands out the work, for modules and files that are named
            relative to it; another machine may not have it.
    """

    def __init__(self, setup: Setup, folder: str) -> None:
        self._setup = setup
        self._worker: Worker | None = None
        with suppress(OSError):
            os.chdir(folder)
            sys.path.append(folder)

    def process_id(self) -> int:
        """Of the process that it is."""
        return os.getpid()

    def do(self, unit: Unit) -> Outcome | str:
        """Do a unit; a sentence where the networks cannot be loaded."""
        if self._worker is None:
            if not (self._setup.folder / "manifest.json").exists():
                return (
                    f"The worker on {platform.node()} does not see {self._setup.folder}; put --out into a folder that "
                    "all machines of the cluster see under the same path."
                )
            try:
                self._worker = self._setup.worker()
            except UsageError as error:
                return str(error)
        with self._setup.mode():
            return self._worker.do(unit)
