"""`deltabench why`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from eval.errors import UsageError

LONGEST = 200  # columns of a line on a terminal that does not say how wide it is


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("value", required=False)
@click.option("--json", "as_json", is_flag=True, help="Everything, for machines.")
def why(run: Path, value: str | None, as_json: bool) -> int:
    """Say how a number of the run folder RUN came to be, and compare it with the same number made of the cells now.

    VALUE is a number of a table, as main:deltaedit:calibrated:success or main.success[deltaedit,calibrated], or of a
    cell, as deltaedit/glasses/test-0003/identity. Without it, what there is.

    The exit code is 1 where the table has another number than the cells.
    """
    try:
        if value is None:
            _print_overview(run)
            return 0
        found = explained(run, value)
    except ValueError as error:  # of reports: one sentence
        raise UsageError(" ".join(str(error).split())) from None
    except OSError as error:
        raise UsageError(f"{error.filename or run} cannot be read ({error.strerror or error}).") from None
    if as_json:
        click.echo(json.dumps(_finite(found), indent=1, ensure_ascii=False))
    else:
        _print(found)
    return 1 if found["recomputed"]["agrees"] is False else 0


def explained(folder: Path, value: str) -> dict[str, Any]:
    """How a value came to be, as plain data.

    Raises:
        ValueError: the folder is no run, or nothing or several numbers fit the value.
    """
    from eval.runs.reader import Run
    from reports.why.cell import explain_cell, find_cell
    from reports.why.explain import explain
    from reports.why.value import find_value

    run = Run(folder)  # refuses what is no run, or of a newer schema
    if "/" in value:
        return explain_cell(run, find_cell(run, value))
    return explain(run, find_value(folder, value))


def _print(found: dict[str, Any]) -> None:
    """One line a fact, broken between words where the terminal ends."""
    from rich.console import Console
    from rich.text import Text

    from reports.why.text import WIDTH, lines_of

    console = Console()
    width = console.width if console.is_terminal else LONGEST
    for line in lines_of(found):
        for place, part in enumerate(Text(line).wrap(console, max(width, 2 * WIDTH))):
            click.echo(str(part).rstrip() if place == 0 else " " * WIDTH + str(part).strip())


def _print_overview(run: Path) -> None:
    """The tables, a value of each and its columns."""
    from eval.runs.reader import Run
    from reports.why.value import overview

    Run(run)
    for table, example, columns in overview(run):
        click.echo(f"{table}: for example {example}")
        click.echo(f"    columns: {', '.join(columns)}")
    click.echo("A cell: editor/prompt/image/column, for example deltaedit/glasses/test-0003/identity")


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: text instead."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value
