"""`deltabench report`."""

from __future__ import annotations

from pathlib import Path

import click

from eval.errors import UsageError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-figures", is_flag=True, help="Write tables only.")
@click.option("--open", "open_page", is_flag=True, help="Open report.html in the browser.")
def report(run: Path, no_figures: bool, open_page: bool) -> int:
    """Write the tables, the figures and report.html of the run folder RUN anew."""
    if no_figures and open_page:
        raise UsageError("--open needs report.html, which --no-figures leaves out; give one of the two.")
    if not (run / "manifest.json").exists():
        raise UsageError(f"{run} is not a run folder: it has no manifest.json; `deltabench run` makes one.")
    if not any((run / "chunks").glob("*.parquet")):
        raise UsageError(f"The run {run} has no finished chunk yet; run its command again.")
    write_report(run, not no_figures)
    if open_page:
        _open_in_browser(run / "report.html")
    return 0


def _open_in_browser(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise UsageError(f"No browser was found to open {page}; open the file yourself.")


def write_report(run: Path, figures: bool) -> None:
    """Write tables and, if asked for, figures and the explorer; print the summary and where the files are."""
    from rich.console import Console

    from eval import statistics
    from eval.metrics.set_distances import SetDistances
    from eval.runs.reader import Run
    from eval.runs.store import storage_error
    from reports.studies.shipped_judges import place_judges
    from reports.tables import summary, write_tables
    from reports.tables.terminal import WIDTH

    try:
        opened = Run(run)
        written = [*write_tables(opened, SetDistances(), statistics), *place_judges(run, figures)]
        if figures:
            from reports.explorer.page import write_explorer
            from reports.figures import write_figures

            written += [*write_figures(opened), *write_explorer(opened, statistics)]
        Console(width=max(Console().width, WIDTH)).print(summary(opened))  # narrower, the table would lose its columns
    except OSError as error:
        raise storage_error(Path(error.filename or run), error) from error
    except ValueError as error:  # of a folder that another version wrote, or that somebody changed
        raise UsageError(" ".join(str(error).split())) from error
    click.echo(f"Run folder: {run}")
    for path in written:
        click.echo(f"  {path}")
