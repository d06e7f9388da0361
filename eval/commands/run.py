"""`deltabench run`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.domains.base import Domain
    from eval.editors.spec import EditorSpec
    from eval.prompts import Prompt
    from eval.runs.plan import Arguments, Strength
    from eval.runs.store import Store


@click.command()
@click.option(
    "--methods", required=True, help="Editors, e.g. deltaedit,styleclip or styleclip-global[beta=0.15,alpha=4.1]."
)
@click.option("--domain", default="avatars", show_default=True, help="Whose images; see `deltabench domains`.")
@click.option(
    "--images-dir", default=None, type=click.Path(path_type=Path), help="Photographs to edit, or a file of W+ codes."
)
@click.option(
    "--prompts", default=None, help="Names with commas between them, or a TOML file; default all of the domain."
)
@click.option("--images", default=200, show_default=True, type=click.IntRange(1), help="How many test images to edit.")
@click.option("--limit", default=None, type=click.IntRange(1), help="At most this many images: a quick look.")
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
@click.option("--seed", default=0, show_default=True, type=int, help="For editors that draw random numbers.")
@click.option("--batch", default=None, type=click.IntRange(1), help="Images a chunk; default 50.")
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Run folder; default deltabench-runs/…")
@click.option("--dry-run", is_flag=True, help="Say what would run and how long it would take.")
@click.option("--no-figures", is_flag=True, help="Write tables only.")
@click.option("--deterministic", is_flag=True, help="One thread, exact algorithms; then check that edits repeat.")
def run(
    methods: str,
    domain: str,
    images_dir: Path | None,
    prompts: str | None,
    images: int,
    limit: int | None,
    protocol: str,
    strengths: str | None,
    seed: int,
    batch: int | None,
    out: Path | None,
    dry_run: bool,
    no_figures: bool,
    deterministic: bool,
) -> int:
    """Edit the test images of a domain, judge the edits, write tables and figures.

    The same command again finishes what is missing and does nothing twice.
    """
    from eval.runs.plan import PROTOCOLS, parse_strengths

    asked = parse_strengths(PROTOCOLS[protocol] if strengths is None else strengths)
    count = min(images, limit or images)
    loaded, arguments, specs = planned(methods, domain, prompts, count, asked, seed, batch, images_dir)
    folder = out or default_folder(arguments)
    if dry_run:
        _describe(arguments, folder)
        return 0
    return _execute(loaded, arguments, specs, folder, not no_figures, deterministic)


def planned(
    methods: str,
    domain: str,
    prompts: str | None,
    images: int,
    strengths: tuple[Strength, ...],
    seed: int,
    batch: int | None,
    images_dir: Path | None = None,
) -> tuple[Domain, Arguments, tuple[EditorSpec, ...]]:
    """What a command line asks for: the domain, what determines the cells, and the editors.

    Raises:
        UsageError: something that does not exist.
    """
    from eval.domains import load_domain
    from eval.editors.registry import parse_methods
    from eval.prompts import check_prompts
    from eval.runs.plan import CHUNK, Arguments

    specs, problems = parse_methods(methods)
    for problem in problems:
        click.echo(f"Left out: {problem}", err=True)
    if not specs:
        raise UsageError("No editor is left to run; see `deltabench methods`.")
    loaded = load_domain(domain, images_dir)
    wanted = chosen_prompts(loaded, prompts)
    check_prompts(wanted, loaded.factors)
    labels = tuple(spec.label for spec in specs)
    arguments = Arguments(loaded.name, labels, wanted, images, strengths, seed, min(batch or CHUNK, images))
    return loaded, arguments, specs


def default_folder(arguments: Arguments) -> Path:
    """Where a run goes when no folder is named: the same arguments, the same folder."""
    return Path("deltabench-runs") / arguments.folder_name()


def claimed_store(folder: Path, domain: Domain, arguments: Arguments, specs: tuple[EditorSpec, ...]) -> Store:
    """The folder, made this run's; call it under the folder's lock.

    Raises:
        UsageError: the folder holds another run.
    """
    from dataclasses import asdict

    from eval.judging.recipes import recipes
    from eval.runs.manifest import manifest
    from eval.runs.store import Store

    store = Store(folder)
    store.claim(
        manifest(domain, arguments, specs, recipes(domain)),
        [asdict(prompt) for prompt in arguments.prompts],
        {factor: list(values) for factor, values in domain.factors.items()},
    )
    return store


def chosen_prompts(domain: Domain, text: str | None) -> tuple[Prompt, ...]:
    """The prompts that ``--prompts`` asks for: names of the domain's, or those of a TOML file.

    Raises:
        UsageError: a name or file that does not exist, or nothing at all.
    """
    from eval.prompts import choose, load_prompts

    if text is None:
        return domain.prompts
    if text.endswith(".toml"):
        return load_prompts(Path(text))
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("--prompts is empty; leave it out for all prompts, or see `deltabench prompts`.")
    return choose(domain.prompts, names)


def shipped_costs() -> Mapping[str, Any]:
    """Measured seconds by editor, for estimates; empty where none were shipped."""
    path = files("eval") / "costs.json"
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _describe(arguments: Arguments, folder: Path) -> None:
    """What `--dry-run` prints."""
    from eval.runs.plan import cell_count, estimated_s, sweep_count
    from eval.runs.progress import duration

    costs = shipped_costs()
    seconds = estimated_s(arguments, costs)
    time_text = "unknown" if seconds is None else f"about {duration(seconds)} on {costs.get('hardware', 'two cores')}"
    click.echo(f"Editors:    {', '.join(arguments.methods)}")
    click.echo(f"Prompts:    {', '.join(prompt.name for prompt in arguments.prompts)}")
    click.echo(f"Strengths:  {', '.join(map(str, arguments.strengths))}")
    click.echo(f"Images:     {arguments.images}, in chunks of {arguments.batch}")
    click.echo(f"Cells:      {cell_count(arguments):,}, and {sweep_count(arguments):,} edits to calibrate")
    click.echo(f"Folder:     {folder}{' (exists: what is finished is kept)' if folder.exists() else ''}")
    click.echo(f"Time:       {time_text}")


def _execute(
    domain: Domain,
    arguments: Arguments,
    specs: tuple[EditorSpec, ...],
    folder: Path,
    figures: bool,
    deterministic: bool,
) -> int:
    from contextlib import nullcontext

    from eval.commands.report import write_report
    from eval.domains import check_images
    from eval.runs.determinism import check_editors, deterministic_mode
    from eval.runs.failures import failure_lines
    from eval.runs.runner import Runner
    from eval.runs.store import Store

    for note in check_images(domain, arguments.images):
        click.echo(note, err=True)
    with Store(folder).lock():
        store = claimed_store(folder, domain, arguments, specs)
        with deterministic_mode() if deterministic else nullcontext():
            failures = Runner(domain, arguments, specs, store).run()
            if deterministic:
                check_editors(domain, arguments, specs, store, click.echo)
        if any((folder / "chunks").glob("*.parquet")):
            write_report(folder, figures)
    for line in failure_lines(failures, folder):
        click.echo(line, err=True)
    return 1 if failures else 0
