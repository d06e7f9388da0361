"""`deltabench export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eval.runs.reader import Run
    from reports.writers.layout import Value

FORMATS = ("csv", "parquet", "wandb", "mlflow")
LAYOUTS = ("wide", "long")  # of reports.export.cells, which the help must not import


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "format_", required=True, type=click.Choice(FORMATS), help="Table files, or a tracker's store.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    show_default=True,
    help="Of csv and parquet: one row a cell, or one row a number.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: RUN/export.")
def export(run: Path, format_: str, layout: str, out: Path | None) -> int:
    """Export the cells of the run folder RUN with their schema, recipes and manifest.

    wandb writes an offline run and mlflow a local database; nothing is sent anywhere.

    Example: deltabench export RUN --to parquet
    """
    from eval.folders import check_place
    from eval.runs.store import storage_error

    if not (run / "manifest.json").exists():
        raise UsageError(f"{run} is not a run folder: it has no manifest.json; `deltabench run` makes one.")
    if format_ in ("wandb", "mlflow"):
        _require(format_)
    folder = out or run / "export"
    check_place(folder)
    try:
        written = _write(run, folder, format_, layout)
    except OSError as error:
        raise storage_error(Path(error.filename or folder), error) from error
    except ValueError as error:  # of a folder that another version wrote, or that somebody changed
        raise UsageError(" ".join(str(error).split())) from error
    for path in written:
        click.echo(f"  {path}")
    if format_ == "wandb":
        click.echo(f"Upload it with `wandb sync {written[0]}`.")
    if format_ == "mlflow":
        click.echo(f"Look at it with `mlflow ui --backend-store-uri sqlite:///{written[0]}`.")
    return 0


def _require(package: str) -> None:
    """Refuse a tracker whose package is not installed.

    Raises:
        UsageError: with the command that installs it.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise UsageError(f"--to {package} needs the package {package}; install it: pip install 'deltabench[{package}]'")


def _write(folder: Path, out: Path, format_: str, layout: str) -> list[Path]:
    from eval.runs.reader import Run
    from reports.export import trackers as export_trackers
    from reports.export.cells import export_files

    run = Run(folder)
    for sentence in filter(None, (*run.damaged, run.unfinished)):
        click.echo(sentence, err=True)
    if format_ in ("csv", "parquet"):
        return export_files(run, out, format_, layout)
    rows = _table_rows(run)
    return export_trackers.to_wandb(run, rows, out) if format_ == "wandb" else export_trackers.to_mlflow(run, rows, out)


def _table_rows(run: Run) -> list[Mapping[str, Value]]:
    """The rows of the main and the matched table."""
    from reports.tables import build_tables

    tables = {table.name: table for table in build_tables(run)}
    return [row for name in ("main", "matched") if name in tables for row in tables[name].data]
