"""`deltabench run`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.commands import COUNT, SEED
from eval.commands.machine.options import device_option, precision_option
from eval.commands.machine.workers import execution_of, workers_options
from eval.commands.output import Output, output_options, timeout_option

if TYPE_CHECKING:
    from eval.runs.request import PlannedRun


@click.command()
@click.option(
    "--methods", required=True, help="Editors, e.g. deltaedit,styleclip or styleclip-global[beta=0.15,alpha=4.1]."
)
@click.option("--domain", default="avatars", show_default=True, help="Whose images; see `deltabench domains`.")
@click.option(
    "--images-dir", default=None, type=click.Path(path_type=Path), help="Photographs to edit, or a file of W+ codes."
)
@click.option(
    "--prompts",
    default=None,
    help="Names, a TOML file, or a set (see `deltabench prompts`); default all of the domain.",
)
@click.option("--images", type=COUNT, help="How many test images to edit; default 200, or all of fewer.")
@click.option("--limit", default=None, type=COUNT, help="At most this many images: a quick look.")
@click.option(
    "--protocol",
    type=click.Choice(["published", "matched"]),
    default="published",
    show_default=True,
    help="published: strengths default and calibrated; matched: also compare at equal target effect.",
)
@click.option(
    "--strengths", default=None, help="Instead of --protocol: default, calibrated, matched, or numbers from 0 up."
)
@click.option("--seed", default=0, show_default=True, type=SEED, help="For editors that draw random numbers.")
@click.option("--batch", default=None, type=COUNT, help="Images a chunk; default 200.")
@click.option("--refresh", default="", metavar="EDITOR", help="Make the cells of an editor anew; all: every cell.")
@timeout_option
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Run folder; default deltabench-runs/…")
@workers_options
@device_option
@precision_option
@click.option("--dry-run", is_flag=True, help="Say what would run and how long it would take.")
@click.option("--no-figures", is_flag=True, help="Write tables only.")
@click.option("--deterministic", is_flag=True, help="One thread, exact algorithms; then check that edits repeat.")
@output_options
def run(
    protocol: str,
    strengths: str | None,
    dry_run: bool,
    no_figures: bool,
    deterministic: bool,
    verbose: bool,
    quiet: bool,
    as_json: bool,
    **request: Any,
) -> int:
    """Edit the test images of a domain, judge the edits, write tables and figures.

    The same command again finishes what is missing and does nothing twice.
    """
    from eval.runs.plan import PROTOCOLS
    from eval.runs.request import RunRequest, execute, plan_run

    output = Output(verbose, quiet, as_json)
    execution = execution_of(request)
    chosen = PROTOCOLS[protocol] if strengths is None else strengths
    wanted = RunRequest(strengths=chosen, **request)
    planned = plan_run(wanted, output.silent)
    if dry_run:
        _describe(planned)
        return 0
    say = partial(click.echo, err=output.silent)
    failures = execute(planned, deterministic, output.silent, say, execution, partial(_first_look, planned))
    report = None
    if planned.has_cells:
        from reports.report import write_report

        report = write_report(planned.folder, not no_figures, output.silent)
    output.finished(report, planned.folder, failures)
    return 1 if failures or (report is not None and report.problems) else 0


def _first_look(planned: PlannedRun) -> str:
    """What is said of a run while it goes on."""
    from reports.preliminary import preliminary

    return preliminary(planned.folder)


def _describe(planned: PlannedRun) -> None:
    """What `--dry-run` prints."""
    from eval.machine.costs import known_costs, predicted
    from eval.progress import duration
    from eval.runs.plan import cell_count, sweep_count

    arguments, folder = planned.arguments, planned.folder
    found = predicted(arguments, known_costs(planned.domain))
    names = ",".join(dict.fromkeys(label.partition("[")[0] for label in arguments.methods))
    unknown = f"unknown; measure it with `deltabench bench --domain {planned.domain.name} --methods {names}`"
    time_text = f"about {duration(found['seconds'])}, tables apart" if "seconds" in found else unknown
    memory = f"about {found['memory_mib']:,.0f} MiB" if "memory_mib" in found else unknown
    disk = f"about {found['disk_mib']:,.1f} MiB, tables apart" if "disk_mib" in found else unknown
    click.echo(f"Editors:    {', '.join(arguments.methods)}")
    click.echo(f"Prompts:    {', '.join(prompt.name for prompt in arguments.prompts)}")
    click.echo(f"Strengths:  {', '.join(map(str, arguments.strengths))}")
    click.echo(f"Images:     {arguments.images}, in chunks of {arguments.batch}")
    click.echo(f"Cells:      {cell_count(arguments):,}, and {sweep_count(arguments):,} edits to calibrate")
    click.echo(f"Folder:     {folder}{' (exists: what is finished is kept)' if folder.exists() else ''}")
    click.echo(f"Time:       {time_text}")
    click.echo(f"Memory:     {memory}")
    click.echo(f"Disk:       {disk}")
