"""`deltabench calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.commands import COUNT, SEED
from eval.commands.machine.options import device_option, precision_option, say_device
from eval.commands.machine.workers import execution_of, workers_options
from eval.commands.output import timeout_option

if TYPE_CHECKING:
    from rich.table import Table

    from eval.runs.plan import Arguments
    from eval.runs.store import Store

OUT_OF_REACH = "–"


@click.command()
@click.option("--methods", required=True, help="Editors, as for `deltabench run`.")
@click.option("--domain", default="avatars", show_default=True, help="Whose images; see `deltabench domains`.")
@click.option(
    "--images-dir", default=None, type=click.Path(path_type=Path), help="Photographs to edit, or a file of W+ codes."
)
@click.option("--prompts", default=None, help="Names with commas between them, or a TOML file; default all.")
@click.option("--images", type=COUNT, help="Test images of the run; default 200, or all of fewer.")
@click.option("--limit", default=None, type=COUNT, help="At most this many test images.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="For editors that draw random numbers.")
@click.option("--batch", default=None, type=COUNT, help="Images a chunk; default 200.")
@timeout_option
@device_option
@precision_option
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Run folder; default deltabench-runs/…")
@workers_options
def calibrate(**request: Any) -> int:
    """Find, on the calibration images, each editor's strength for every prompt and target effect.

    `deltabench run --protocol matched` with the same options goes on from here; the same command again judges nothing
    twice.
    """
    from rich.console import Console

    from eval.runs.failures import failure_lines
    from eval.runs.plan import PROTOCOLS
    from eval.runs.request import RunRequest, plan_run
    from eval.runs.runner import Runner
    from eval.runs.store import Store

    execution = execution_of(request)
    wanted = RunRequest(strengths=PROTOCOLS["matched"], **request)
    planned = plan_run(wanted)
    arguments, folder = planned.arguments, planned.folder
    planned.check()
    executor = planned.executor(execution)
    say_device(planned.domain)
    with Store(folder).lock():
        store = planned.claimed_store()
        failures = Runner(planned.domain, arguments, planned.specs, store, executor).calibrate()
    Console(width=max(Console().width, 100)).print(strengths_found(store, arguments))
    click.echo(f"{OUT_OF_REACH}: no strength of the sweep has this effect. Kept in {folder / 'strengths'}")
    for line in failure_lines(failures, folder):
        click.echo(line, err=True)
    return 1 if failures else 0


def strengths_found(store: Store, arguments: Arguments) -> Table:
    """The strength of every editor and prompt for each goal."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    title = "Strength by target effect, in shares of the right effect"
    table = Table("prompt", "editor", title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for goal in arguments.goals:
        table.add_column(f"{goal:g}", justify="right")
    table.add_column("largest effect", justify="right")
    for prompt in arguments.prompts:
        for editor in arguments.methods:
            found = store.read_json(store.strength_file(editor, prompt.name)) or {}
            matches = {match["goal"]: match for match in found.get("matched", ())}
            cells = [_strength(matches.get(goal)) for goal in arguments.goals]
            effects = [point["effect"] for point in found.get("sweep", ()) if point["effect"] is not None]
            largest = f"{max(effects):.2f} σ" if effects else "n/a"
            table.add_row(escape(prompt.name), escape(editor), *cells, largest)
    return table


def _strength(match: dict[str, Any] | None) -> str:
    """The strength; with the effect behind it where that is not the goal."""
    if match is None or not match["reached"]:
        return OUT_OF_REACH
    return f"{match['strength']:g}" if match["met"] else f"{match['strength']:g} ({match['effect']:.2f})"
