"""What a command that makes a run or its reports prints at the end, and the three options that change it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eval.commands import Finite
from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.runs.failures import Failure
    from reports.report import Report

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Output:
    """How much is printed.

    Attributes:
        verbose: also list every file.
        quiet: nothing but errors.
        as_json: one JSON object.
    """

    verbose: bool
    quiet: bool
    as_json: bool

    def __post_init__(self) -> None:
        flags = {"--verbose": self.verbose, "--quiet": self.quiet, "--json": self.as_json}
        given = [flag for flag, on in flags.items() if on]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} contradict each other; give one of them.")

    @property
    def silent(self) -> bool:
        """Whether no progress is shown."""
        return self.quiet or self.as_json

    def finished(self, report: Report | None, folder: object, failures: Sequence[Failure] = ()) -> None:
        """Print the end of a command.

        Args:
            report: what was written; None where no chunk could be finished.
            folder: of the run.
            failures: the chunks that failed.
        """
        from eval.runs.failures import failure_lines

        if self.as_json:
            click.echo(json.dumps(_object(report, folder, failures), ensure_ascii=False, allow_nan=False))
            return
        if report is not None and not self.quiet:
            _print_summary(report)
            if self.verbose:
                for path in report.files:
                    click.echo(f"  {path}")
            click.echo(f"Open {report.page}")
        for line in [*failure_lines(failures, folder), *(report.problems if report else ())]:
            click.echo(line, err=True)


timeout_option = click.option(
    "--cell-timeout",
    "cell_timeout_s",
    default=None,
    metavar="SECONDS",
    type=Finite(0, min_open=True),
    help="Give up a chunk for which an editor computes longer than this; its preparing and fitting likewise.",
)


def output_options(command: Command) -> Command:
    """Add ``--verbose``, ``--quiet`` and ``--json``."""
    for name, text in (
        ("json", "Print one JSON object and nothing else."),
        ("quiet", "Print nothing but errors."),
        ("verbose", "Also list every file that was written."),
    ):
        destination = "as_json" if name == "json" else name
        command = click.option(f"--{name}", destination, is_flag=True, help=text)(command)
    return command


def _print_summary(report: Report) -> None:
    from rich.console import Console

    from reports.tables import summary
    from reports.tables.terminal import WIDTH

    Console(width=max(Console().width, WIDTH)).print(
        summary(report.run, report.tables)
    )  # narrower, the table would lose columns


def _object(report: Report | None, folder: object, failures: Sequence[Failure]) -> dict[str, Any]:
    """What ``--json`` prints."""
    from reports.conclusions import conclusions

    made: dict[str, Any] = {"folder": str(folder), "open": None, "tables": {}, "files": []}
    if report is not None:
        made["open"] = str(report.page)
        made["tables"] = {
            table.name: [{column: _plain(row.get(column)) for column in table.columns} for row in table.data]
            for table in report.tables
        }
        made["files"] = [str(path) for path in report.files]
        made["problems"] = list(report.problems)
        made["conclusions"] = list(conclusions(report.run))
    made["failures"] = [
        {"editor": f.chunk.editor, "prompt": f.chunk.prompt, "chunk": f.chunk.id, "error": f.sentence} for f in failures
    ]
    return made


def _plain(value: Any) -> Any:
    """A value that JSON has: a number that is not finite is null."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
