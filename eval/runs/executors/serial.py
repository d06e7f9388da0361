"""Units one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator

from eval.runs.executors.schedule import Schedule
from eval.runs.executors.unit import Outcome, Unit
from eval.runs.executors.worker import Worker


class Serial:
    """One worker, which is this process.

    Args:
        worker: does the units.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def outcomes(self, schedule: Schedule, begun: Callable[[Unit], object]) -> Generator[Outcome]:
        """Do everything that the schedule holds.

        Args:
            schedule: told of every outcome by the caller before the next is asked for.
            begun: called with every unit before it is done.
        """
        while (unit := schedule.take()) is not None:
            begun(unit)
            yield self.worker.do(unit)
