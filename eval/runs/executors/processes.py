"""Units in several processes of this machine; one that is killed loses the unit that it was doing, and is replaced."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess

from eval.errors import UsageError
from eval.runs.executors.schedule import Schedule
from eval.runs.executors.setup import Setup, own_gpu
from eval.runs.executors.unit import Outcome, Unit

READY = "ready"
MOST_FALSE_STARTS = 2  # processes in a row that end before they could load the networks
PRELOADED = ("eval.runs.executors.worker", "open_clip", "pandas", "pyarrow.parquet", "dicebear")
PATIENCE_S = 5.0  # for a process to end after it was told to


class Processes:
    """Workers, each a process of its own that is started when there is something to do for it.

    Args:
        setup: what each begins with.
        count: how many.
    """

    def __init__(self, setup: Setup, count: int) -> None:
        self.setup = setup
        self._crew = [_Member(setup, number) for number in range(count)]
        self._false_starts = 0

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that run."""
        return [member.process.pid for member in self._crew if member.process is not None and member.process.pid]

    def outcomes(self, schedule: Schedule, begun: Callable[[Unit], object]) -> Generator[Outcome]:
        """Do everything that the schedule holds.

        Args:
            schedule: told of every outcome by the caller before the next is asked for.
            begun: called with every unit when it is handed to a worker.

        Raises:
            UsageError: workers cannot begin.
        """
        try:
            while not schedule.is_over:
                for member in self._crew:
                    if member.unit is None and (unit := schedule.take(member.number)) is not None:
                        begun(unit)
                        member.give(unit)
                busy = {member.connection: member for member in self._crew if member.unit is not None}
                for connection in wait(list(busy)):
                    yield from self._heard(busy[connection], schedule)  # type: ignore[index]
        finally:
            for member in self._crew:
                member.stop()

    def _heard(self, member: _Member, schedule: Schedule) -> Iterator[Outcome]:
        """What a worker says, or that it was lost."""
        unit = member.unit
        assert unit is not None
        try:
            said = member.connection.recv()
        except (EOFError, OSError):
            self._count_false_start(member)
            member.stop()
            failure = schedule.lost(unit)
            if failure is not None:
                yield failure
            return
        if said == READY:
            member.is_ready, self._false_starts = True, 0
        elif isinstance(said, Outcome):
            member.unit = None
            yield said
        else:
            raise UsageError(said)

    def _count_false_start(self, member: _Member) -> None:
        self._false_starts += not member.is_ready
        if self._false_starts >= MOST_FALSE_STARTS:
            raise UsageError(
                "The worker processes end before they have begun; what they printed above says why. A script must call "
                "deltabench.run below `if __name__ == '__main__':`; with too little memory give fewer --workers."
            )


class _Member:
    """One worker's process, as the process that hands out the work sees it."""

    def __init__(self, setup: Setup, number: int) -> None:
        self.setup = setup
        self.number = number
        self.process: SpawnProcess | ForkServerProcess | None = None
        self.connection: Connection
        self.unit: Unit | None = None
        self.is_ready = False

    def give(self, unit: Unit) -> None:
        """Hand over a unit; starts the process where there is none."""
        if self.process is None:
            self._start()
        self.unit = unit
        with suppress(OSError):  # it has just been killed, which is seen when it is listened to
            self.connection.send(unit)

    def _start(self) -> None:
        context = _context(self.setup.device)
        self.connection, theirs = context.Pipe()
        name = f"deltabench worker {self.number}"
        arguments = (self.setup, self.number, theirs, dict(os.environ))
        self.process = context.Process(target=serve, args=arguments, name=name)
        self.process.start()
        theirs.close()  # so that the end of the process is the end of the connection

    def stop(self) -> None:
        """End the process, whatever it does: a chunk is stored whole or not at all."""
        if self.process is not None:
            self.connection.close()
            self.process.terminate()
            self.process.join(PATIENCE_S)
            if self.process.is_alive():
                self.process.kill()
                self.process.join()
        self.process, self.unit, self.is_ready = None, None, False


def _context(device: str) -> ForkServerContext | SpawnContext:
    """How processes begin: on Linux as forks of one that has loaded the libraries, once for all, and nothing else."""
    if sys.platform != "linux" or device != "cpu":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def serve(setup: Setup, number: int, connection: Connection, environment: Mapping[str, str]) -> None:
    """Do the units that come through the connection, until it or the other process ends.

    Args:
        setup: what to begin with.
        number: of this worker.
        connection: gives units, takes ``READY`` once and an outcome for each unit; or a sentence when nothing can be
            loaded.
        environment: variables of the process that hands out the work; those of a fork are as old as what it is forked
            from.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that hands out the work: it ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if setup.on_all_gpus:
        _take_own_gpu(number)
    try:
        worker = setup.worker()
    except UsageError as error:
        connection.send(str(error))
        return
    connection.send(READY)
    with setup.mode(), suppress(EOFError, OSError):
        while True:
            connection.send(worker.do(connection.recv()))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _take_own_gpu(number: int) -> None:
    import torch

    gpu = own_gpu(number, os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
