"""`deltabench paper`."""

from __future__ import annotations

from pathlib import Path

import click

from eval.errors import UsageError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--ablations",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of `deltabench ablate`, repeatable; default: those of the domain beside RUN and in deltabench-runs.",
)
@click.option(
    "--align",
    "alignments",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of `deltabench align`, repeatable; default: those beside RUN and in deltabench-runs.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: RUN/paper.")
def paper(run: Path, ablations: tuple[Path, ...], alignments: tuple[Path, ...], out: Path | None) -> int:
    """Write every table and figure of a paper from the run folder RUN, and documents that place them with captions.

    What is missing is said in the document, with the command that makes it.

    Example: deltabench paper RUN
    """
    if not (run / "manifest.json").exists():
        raise UsageError(f"{run} is not a run folder: it has no manifest.json; `deltabench run` makes one.")
    if not any((run / "chunks").glob("*.parquet")):
        raise UsageError(f"The run {run} has no finished chunk yet; run its command again.")
    from eval.folders import check_place
    from eval.progress import activity

    check_place(out or run)
    problems: list[str] = []
    with activity("writing tables and figures"):
        written = _write(run, ablations, alignments, out or run / "paper", problems)
    for path in written[:2]:
        click.echo(f"  {path}")
    click.echo(f"  and {len(written) - 2} files in tables/ and figures/ beside them")
    for problem in problems:
        click.echo(problem, err=True)
    return 1 if problems else 0


def _write(
    run: Path, ablations: tuple[Path, ...], alignments: tuple[Path, ...], out: Path, problems: list[str]
) -> list[Path]:
    from eval.runs.reader import Run
    from eval.runs.store import storage_error
    from reports.paper.ablations import find_ablations
    from reports.paper.alignment import find_alignments
    from reports.paper.document import write_paper
    from reports.tables import build_tables

    places = (run.resolve().parent, Path("deltabench-runs").resolve())
    try:
        opened = Run(run)
        chosen = ablations or find_ablations(opened, places)
        tables = build_tables(opened)
        return write_paper(opened, tables, out, chosen, alignments or find_alignments(places), problems)
    except OSError as error:
        raise storage_error(Path(error.filename or out), error) from error
    except ValueError as error:  # of a folder that another version wrote, or that somebody changed
        raise UsageError(" ".join(str(error).split())) from error
