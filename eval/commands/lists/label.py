"""`deltabench label`."""

from __future__ import annotations

from pathlib import Path

import click

from eval.commands import COUNT
from eval.commands.lists.domain_label import serve
from eval.errors import UsageError


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--rater", default="rater", show_default=True, help="Who looks; each has a file in RUN/labels.")
@click.option("--count", default=300, show_default=True, type=COUNT, help="At most this many edits.")
@click.option("--sheet", default=20, show_default=True, type=click.IntRange(1, 400), help="Edits on a sheet.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Default: a free one.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--export", "export", type=click.Path(path_type=Path, dir_okay=False), help="Only write all labels there."
)
def label(
    run_folder: Path, rater: str, count: int, sheet: int, port: int, open_page: bool, export: Path | None
) -> None:
    """Look at random edits of the run RUN without knowing whose they are, and say which are right.

    A page on this machine shows source, edit and text; editor, strength and verdicts are hidden. Every rater sees the
    same edits in the same order. `deltabench judges --edits RUN` compares the judges with these labels.
    """
    from eval.folders import check_file
    from eval.labelling.edits import QUESTION, TEXT, edit_items, labels_of, rater_labels, write_export
    from eval.labelling.server import LabelServer
    from eval.labelling.sheets import Sheets
    from eval.runs.reader import Run

    try:
        run = Run(run_folder)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if export is not None:
        check_file(export)
        labels = labels_of(run)
        if not labels:
            raise UsageError(f"{run_folder} has no labels yet; make some with `deltabench label {run_folder}`.")
        write_export(export, labels)
        click.echo(f"{len(labels)} labels of {len({one.rater for one in labels})} raters in {export}")
        return
    items = edit_items(run, count)
    if not items:
        raise UsageError(f"{run_folder} keeps no picture of an edit that had something to do; run more images.")
    labels_file = rater_labels(run, rater)
    with LabelServer(Sheets(items, labels_file), {QUESTION: TEXT}, sheet, port) as server:
        serve(server, labels_file.path, open_page, f"; compare with `deltabench judges --edits {run_folder}`")
