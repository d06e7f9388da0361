"""Which executor a run has: `--workers`, `--executor` and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from eval.errors import UsageError
from eval.runs.executors.setup import Setup, check_importable, cores

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from eval.runs.executors.schedule import Schedule
    from eval.runs.executors.unit import Outcome, Unit

AUTO = "auto"
MOST_BY_ITSELF = 8  # workers that ``auto`` starts where there is no GPU: each holds about a gigabyte


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
        workers: how many; ``auto``: one a GPU, without one one a core.
    """

    workers: int | str = 1

    def __post_init__(self) -> None:
        if self.workers != AUTO and not (isinstance(self.workers, int) and self.workers >= 1):
            raise UsageError(f"--workers must be a whole number from 1 up, or {AUTO}; got {self.workers!r}.")

    @property
    def count(self) -> int:
        """How many workers."""
        if isinstance(self.workers, int):
            return self.workers
        import torch

        return torch.cuda.device_count() or min(cores(), MOST_BY_ITSELF)

    def executor(self, setup: Setup) -> Executor | None:
        """The executor; None: the process that asks does the work itself.

        Args:
            setup: what workers in other processes begin with, but for their threads.

        Raises:
            UsageError: an editor that other processes cannot import.
        """
        from dataclasses import replace

        from eval.runs.executors.processes import Processes

        if self.count == 1:
            return None
        check_importable(setup.specs)
        return Processes(replace(setup, threads=max(1, cores() // self.count)), self.count)
