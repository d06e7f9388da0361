"""Which executor a run has: `--workers`, `--executor` and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from eval.device import cores
from eval.errors import UsageError, unknown
from eval.memory import free_bytes
from eval.metrics.runtime import peak_memory_mib
from eval.runs.executors.setup import Setup, check_importable
from eval.runs.plan import cell_count, sweep_count

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from eval.runs.executors.schedule import Schedule
    from eval.runs.executors.unit import Outcome, Unit

AUTO = "auto"
PROCESSES, RAY = EXECUTORS = ("processes", "ray")
MOST_BY_ITSELF = 8  # workers that ``auto`` starts where there is no GPU
EDITS_A_WORKER = 1000  # of a run, for ``auto`` to start one more: about the time of a start [estimated on avatars]
MEMORY_SHARE = 0.8  # of the free memory that the workers of ``auto`` may take
GROWTH = 1.5  # memory of a worker, beside that of a process that has loaded the domain [estimated on avatars]


class Executor(Protocol):
    """Does the units of a schedule."""

    def outcomes(self, schedule: Schedule, begun: Callable[[Unit], object]) -> Generator[Outcome]:
        """How each unit ended; the schedule is told by whoever iterates.

        Args:
            schedule: what there is to do.
            begun: called with every unit before it is done.
        """


@dataclass(frozen=True)
class Execution:
    """How the work of a run is shared out.

    Attributes:
        workers: how many; ``auto``: one a GPU, without one a core, fewer where there is little to do, or little memory,
            or an editor that other processes cannot import; with Ray as many as the cluster has room for.
        executor: ``processes`` of this machine, or ``ray``.
        address: of the Ray cluster; None: one of this machine, for this run.
        gpus_per_worker: share of a GPU that each worker takes in a Ray cluster.
    """

    workers: int | str = 1
    executor: str = PROCESSES
    address: str | None = None
    gpus_per_worker: float = 0.0

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            raise unknown("executor", self.executor, EXECUTORS)
        if self.executor != RAY and (self.address is not None or self.gpus_per_worker):
            raise UsageError("--address and --gpus-per-worker belong to a Ray cluster; add --executor ray.")
        if self.workers != AUTO and not (isinstance(self.workers, int) and self.workers >= 1):
            raise UsageError(f"--workers must be a whole number from 1 up, or {AUTO}; got {self.workers!r}.")

    def chosen(self, setup: Setup) -> Executor | None:
        """The executor; None: the process that asks does the work itself.

        Args:
            setup: what workers in other processes begin with, but for their threads.

        Raises:
            UsageError: an editor that other processes cannot import, and a number of workers that was asked for.
        """
        from dataclasses import replace

        from eval.runs.executors.processes import Processes

        if self.executor == RAY:
            from eval.runs.executors.ray import Ray

            check_importable(setup.specs)
            return Ray(setup, self.workers, self.address, self.gpus_per_worker)
        count = self._count(setup)
        if count == 1:
            return None
        try:
            check_importable(setup.specs)
        except UsageError:
            if self.workers != AUTO:
                raise
            return None
        return Processes(replace(setup, threads=max(1, cores() // count)), count)

    def _count(self, setup: Setup) -> int:
        """How many processes."""
        if isinstance(self.workers, int):
            return self.workers
        if setup.device == "cpu":
            edits = cell_count(setup.arguments) + sweep_count(setup.arguments)
            return max(1, min(cores(), MOST_BY_ITSELF, edits // EDITS_A_WORKER, _room()))
        import torch

        return max(1, torch.cuda.device_count()) if setup.on_all_gpus else 1


def _room() -> int:
    """How many workers have room in the free memory, each as large as this process, which has loaded the domain."""
    import torch

    device = torch.device("cpu")
    free, own = free_bytes(device), peak_memory_mib(device) * 2**20
    return MOST_BY_ITSELF if free is None else int(MEMORY_SHARE * free / (GROWTH * own))
