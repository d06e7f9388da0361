"""`deltabench ablate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import COUNT, Finite
from eval.commands.machine.options import device_option, say_device
from eval.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from eval.domains.base import Domain
    from eval.runs.store import Store
    from eval.studies.ablation.plan import Ablation
    from reports.writers.layout import Table

POPULATIONS = ("prompts-like-these", "these-prompts")  # of eval.statistics, which the help must not import


@click.command()
@click.argument("name", required=False)
@click.option("--list", "listed", is_flag=True, help="List the ablations and their questions.")
@click.option("--domain", default="avatars", show_default=True, help="Whose images; see `deltabench domains`.")
@click.option("--seeds", default=None, type=click.IntRange(1, 1000), help="How many trainings of each arm; default 3.")
@click.option("--steps", default=None, type=COUNT, help="Of each training; default that of the ablation.")
@click.option("--prompts", default=None, help="Names with commas between them; default those of the ablation.")
@click.option(
    "--images", "--limit", default=None, type=click.IntRange(2, COUNT.max), help="How many test images; default 50."
)
@click.option(
    "--effect", default=None, type=Finite(0, min_open=True), help="In σ, at which arms are compared; default 1."
)
@click.option(
    "--population",
    type=click.Choice(POPULATIONS),
    default=POPULATIONS[0],
    show_default=True,
    help="Intervals for which prompts; a finished ablation is only tabulated anew.",
)
@device_option
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Folder; default deltabench-runs/ablation-…")
def ablate(
    name: str | None,
    listed: bool,
    domain: str,
    seeds: int | None,
    steps: int | None,
    prompts: str | None,
    images: int | None,
    effect: float | None,
    population: str,
    device: str | None,
    out: Path | None,
) -> int:
    """Change one part of DeltaEdit at a time and compare at equal effect.

    NAME is one of `deltabench ablate --list`, or a TOML file of your own. The same command again finishes what is
    missing and does nothing twice.

    Example: deltabench ablate conditioning
    """
    from eval.studies.ablation.plan import check, find

    if listed or name is None:
        show_list()
        return 0
    ablation = _overridden(find(name, domain), seeds, steps, prompts, images, effect)
    check(ablation, name)
    return _execute(ablation, domain, population, device, out)


def show_list() -> None:
    """Print the ablations of the package."""
    from eval.studies.ablation.plan import load, shipped

    known = {name: load(path) for name, path in shipped().items()}
    width = max(map(len, known))
    for name, ablation in known.items():
        arms = ", ".join(arm.label for arm in ablation.arms)
        click.echo(f"{name:{width}}  {ablation.question}\n{'':{width}}  {arms}")
    click.echo("Run one with `deltabench ablate NAME`.")


def _overridden(
    ablation: Ablation,
    seeds: int | None,
    steps: int | None,
    prompts: str | None,
    images: int | None,
    effect: float | None,
) -> Ablation:
    if seeds is not None:
        ablation = replace(ablation, seeds=tuple(range(seeds)))
    if steps is not None:
        ablation = replace(ablation, settings={**ablation.settings, "steps": steps})
    if images is not None:
        ablation = replace(ablation, images=images)
    if effect is not None:
        ablation = replace(ablation, effect=effect)
    if prompts is not None:
        names = tuple(dict.fromkeys(name.strip() for name in prompts.split(",") if name.strip()))
        if not names:
            raise UsageError("--prompts is empty; leave it out for those of the ablation, or see `deltabench prompts`.")
        ablation = replace(ablation, prompts=names)
    return ablation


def _execute(ablation: Ablation, domain: str, population: str, device: str | None, out: Path | None) -> int:
    from eval.domains import load_domain
    from eval.domains.counts import image_count
    from eval.folders import check_place
    from eval.runs.store import Store
    from eval.studies.ablation.plan import chosen
    from eval.studies.ablation.run import AblationRunner, claim_ablation, record

    if out is not None:
        check_place(out)
    loaded = load_domain(domain, device=device)
    chosen(loaded.prompts, ablation)  # refused before a network is read
    image_count(loaded, ablation.images)
    say_device(loaded)
    folder = out or Path("deltabench-runs") / ablation.folder_name(loaded.name)
    store = Store(folder)
    with store.lock():
        runner = AblationRunner(loaded, ablation, store)
        claim_ablation(store, record(loaded, ablation))
        failures = runner.run()
        write_ablation(store, ablation, loaded, population)
    for failure in failures:
        click.echo(failure, err=True)
    return 1 if failures else 0


def write_ablation(store: Store, ablation: Ablation, domain: Domain, population: str) -> None:
    """Write and print the table, write the figure."""
    from eval.runs.store import storage_error
    from eval.studies.ablation.plan import chosen
    from reports.figures.ablation import ablation_figure
    from reports.studies.ablation import read_results
    from reports.studies.ablation_table import ablation_table
    from reports.writers.style import house_style, save

    arms = read_results(store, ablation, chosen(domain.prompts, ablation), population)
    if not arms:
        return
    question = ablation.name, ablation.question, ablation.effect, ablation.baseline
    table = ablation_table(*question, arms, population, len(ablation.seeds))
    try:
        for folder in ("tables", "figures"):
            (store.folder / folder).mkdir(exist_ok=True)
        files = table.write(store.folder / "tables")
        with house_style():
            figure = ablation_figure(ablation.effect, ablation.baseline, arms)
            files += save(figure, store.folder / "figures", table.name)
    except OSError as error:
        raise storage_error(store.folder, error) from error
    show(table)
    for path in files:
        click.echo(f"  {path}")


def show(table: Table) -> None:
    """Print the blocks of the table and its notes; what is bold in the files is bold on a terminal, else ``**so**``."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = 140
    console.print(table.question, style="bold", highlight=False, markup=False)
    for block in table.blocks:
        printed = RichTable(title=Text(block.title), title_justify="left", box=SIMPLE_HEAD)
        for place, heading in enumerate(block.header):
            printed.add_column(heading, justify="left" if place < block.texts else "right")
        for row in block.rows:
            printed.add_row(*(_cell(cell, console.is_terminal) for cell in row))
        console.print(printed)
    for note in table.notes:
        console.print(note, highlight=False, markup=False)


def _cell(text: str, terminal: bool) -> Text:
    from rich.text import Text

    bold = terminal and text.startswith("**")
    return Text(text.strip("*") if bold else text, style="bold" if bold else "")
