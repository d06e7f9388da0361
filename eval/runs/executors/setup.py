"""What a worker in another process begins with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.domains.base import Domain
    from eval.editors.spec import EditorSpec
    from eval.runs.executors.worker import Worker
    from eval.runs.plan import Arguments


@dataclass(frozen=True)
class Setup:
    """All of it can be sent to another process, as a module of that process can import it.

    Attributes:
        load: gives the domain.
        arguments: what the run holds.
        specs: its editors.
        folder: of the run, claimed.
        threads: of every operation on the CPU.
        deterministic: exact algorithms and one thread.
        device: that of the process that hands out the work, such as ``cpu`` or ``cuda:0``.
    """

    load: Callable[[], Domain]
    arguments: Arguments
    specs: tuple[EditorSpec, ...]
    folder: Path
    threads: int = 1
    deterministic: bool = False
    device: str = "cpu"

    @property
    def on_all_gpus(self) -> bool:
        """Whether each worker may have another GPU; not where one was named that is not the first."""
        return self.device in ("cuda", "cuda:0")

    def worker(self) -> Worker:
        """Load the networks."""
        import torch

        from eval.runs.executors.worker import Worker
        from eval.runs.store import Store

        torch.set_num_threads(self.threads)
        return Worker(self.load(), self.arguments, self.specs, Store(self.folder))

    def mode(self) -> AbstractContextManager[None]:
        """How to compute while units are done."""
        from eval.runs.determinism import deterministic_mode

        return deterministic_mode() if self.deterministic else nullcontext()


def check_importable(specs: Sequence[EditorSpec]) -> None:
    """Refuse editors that another process cannot import.

    Raises:
        UsageError: a class that was typed into a notebook or a prompt, or made inside a function.
    """
    for spec in specs:
        typed = spec.editor.__module__ == "__main__" and not hasattr(sys.modules["__main__"], "__file__")
        if typed or "<locals>" in spec.editor.__qualname__:
            raise UsageError(
                f"The editor '{spec.label}' is no class of a module, so that other processes cannot import it; "
                "put it into a file and name it module:Class, or use one worker."
            )


def own_gpu(number: int, visible: str | None, count: int) -> str | None:
    """What ``CUDA_VISIBLE_DEVICES`` should be for a worker; None: leave it as it is.

    Args:
        number: of the worker, from 0.
        visible: what the variable is.
        count: how many GPUs there are by it.

    >>> own_gpu(1, None, 4), own_gpu(5, "2,3", 2), own_gpu(1, None, 1)
    ('1', '3', None)
    """
    if count < 2:
        return None
    names = [name.strip() for name in visible.split(",")] if visible else [str(gpu) for gpu in range(count)]
    return names[number % count]
