"""The options that say where and how exactly networks compute; one text for all commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
PRECISIONS = ("float32", "tf32", "bf16")  # of deltaedit.tools.precision, which the help must not import


def device_option(command: Command) -> Command:
    """Add ``--device``."""
    text = "Where networks compute: auto (the best there is), cpu, cuda, cuda:N or mps; default $DELTABENCH_DEVICE."
    return click.option("--device", default=None, metavar="DEVICE", help=text)(command)


def precision_option(command: Command) -> Command:
    """Add ``--precision``."""
    text = "Of edits and of their pictures; judges always take float32. tf32 and bf16 are for GPUs."
    kind = click.Choice(PRECISIONS)
    return click.option("--precision", type=kind, default=PRECISIONS[0], show_default=True, help=text)(command)


def say_device(domain: Any, quiet: bool = False) -> None:
    """Say in one line on standard error where the networks of a domain compute."""
    if not quiet:
        from eval.device import device_sentence

        click.echo(device_sentence(domain.editing.device, domain.editing.precision), err=True)
