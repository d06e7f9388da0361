"""The commands of `deltabench`, one file each, and the click group that finds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from eval.errors import unknown

COUNT = click.IntRange(1, 10**9)  # of images, pairs, trainings: more is a slip of the keyboard
SEED = click.IntRange(0, 2**64 - 1)  # what generators of random numbers take


class Finite(click.FloatRange):
    """A number that is one: neither NaN nor infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As of click's ranges.

        Raises:
            click.BadParameter: the value is no number of the range.
        """
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


class Group(click.Group):
    """A group whose mistyped commands are answered with the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names.

        Raises:
            UsageError: there is none.
        """
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise unknown("command", name, self.list_commands(ctx), f"{ctx.command_path} --help")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group that imports a command's module when the command is called, not before.

    Args:
        commands_table: command -> ("module:function", its line in the help).
        options: of ``click.Group``.
    """

    def __init__(self, commands_table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self.commands_table = commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(self.commands_table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None if the table has none of this name."""
        if cmd_name not in self.commands_table:
            return None
        module, _, function = self.commands_table[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.commands_table.items()])
