"""`deltabench report`."""

from __future__ import annotations

from pathlib import Path

import click

from eval.commands.output import Output, output_options
from eval.errors import UsageError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-figures", is_flag=True, help="Write tables only.")
@click.option("--open", "open_page", is_flag=True, help="Open report.html in the browser.")
@output_options
def report(run: Path, no_figures: bool, open_page: bool, verbose: bool, quiet: bool, as_json: bool) -> int:
    """Write the tables, the figures and report.html of the run folder RUN anew.

    Each is made by itself: the exit code is 1 where one could not be made; the message names it.
    """
    if no_figures and open_page:
        raise UsageError("--open needs report.html, which --no-figures leaves out; give one of the two.")
    if not (run / "manifest.json").exists():
        raise UsageError(f"{run} is not a run folder: it has no manifest.json; `deltabench run` makes one.")
    if not any((run / "chunks").glob("*.parquet")):
        raise UsageError(f"The run {run} has no finished chunk yet; run its command again.")
    from reports.report import write_report

    output = Output(verbose, quiet, as_json)
    report = write_report(run, not no_figures, output.silent)
    output.finished(report, run)
    if open_page:
        _open_in_browser(report.page)
    return 1 if report.problems else 0


def _open_in_browser(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise UsageError(f"No browser was found to open {page}; open the file yourself.")
