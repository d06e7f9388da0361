"""The options that say how the work of a command is shared out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eval.runs.executors.choice import AUTO, EXECUTORS, Execution

Command = TypeVar("Command", bound=Callable[..., Any])


class _Count(click.ParamType):  # type: ignore[type-arg]
    """A whole number from 1 up, or ``auto``."""

    name = "integer or auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or ``auto``."""
        if str(value) == "auto":
            return "auto"
        if str(value).isdecimal() and int(value) >= 1:
            return int(value)
        self.fail(f"must be a whole number from 1 up, or auto; got '{value}'.", param, ctx)


def workers_options(command: Command) -> Command:
    """Add ``--workers``, ``--executor``, ``--address`` and ``--gpus-per-worker``: what ``Execution`` takes."""
    share = click.FloatRange(0, min_open=True)
    for name, settings in (
        ("gpus-per-worker", {"type": share, "default": None, "help": "Of a Ray cluster, e.g. 0.5."}),
        ("address", {"default": None, "help": "Of a Ray cluster; default one of this machine."}),
        (
            "executor",
            {"type": click.Choice(EXECUTORS), "default": EXECUTORS[0], "help": "Who does the work (docs/scaling.md)."},
        ),
        (
            "workers",
            {
                "type": _Count(),
                "default": AUTO,
                "help": "Processes that share the work; auto: one a GPU, else one a core, fewer for short runs.",
            },
        ),
    ):
        command = click.option(f"--{name}", show_default=True, **settings)(command)  # type: ignore[arg-type]
    return command


def execution_of(options: dict[str, Any]) -> Execution:
    """Take the options of ``workers_options`` out of a command's."""
    names = ("workers", "executor", "address", "gpus_per_worker")
    given = {name: options.pop(name) for name in names}
    return Execution(**{name: value for name, value in given.items() if value is not None})
