"""The options that say how the work of a command is shared out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class _Count(click.ParamType):
    """A whole number from 1 up, or ``auto``."""

    name = "integer or auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or ``auto``."""
        if str(value) == "auto":
            return "auto"
        if str(value).isdecimal() and int(value) >= 1:
            return int(value)
        self.fail(f"must be a whole number from 1 up, or auto; got '{value}'.", param, ctx)


def workers_option(command: Command) -> Command:
    """Add ``--workers``."""
    text = "Processes that share the work; auto: one a GPU, without one one a core."
    return click.option("--workers", default=1, show_default=True, type=_Count(), help=text)(command)
