"""`deltabench models`: which weight files are there, which are missing, where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import Group

if TYPE_CHECKING:
    from rich.table import Table

    from eval.domains.photos.description import Description
    from eval.weights.catalogue import WeightFile

WRONG = "wrong sum"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--domain", default=None, help="Only this domain: a name, or a TOML file.")
@click.pass_context
def models(context: click.Context, domain: str | None) -> None:
    """List the weight files of the domains: what is there, what is missing, where it comes from."""
    if context.invoked_subcommand is not None:
        return
    from eval.domains import DOMAINS, check_name
    from eval.weights.catalogue import FOLDER_VARIABLE, folders

    for number, name in enumerate([domain] if domain else DOMAINS):
        check_name(name)
        click.echo("" if number else None, nl=bool(number))
        _print_domain(name)
    click.echo(f"\nFiles are looked for in {' and '.join(map(str, folders()))} (${FOLDER_VARIABLE}); none is fetched.")


def _print_domain(name: str) -> None:
    from rich.console import Console

    from eval.domains.photos import described

    description = described(name)
    if description is None:
        click.echo(f"{name}: its networks come with this package.")
        return
    click.echo(f"{description.label}: {summary(description)}")
    Console(width=max(Console().width, 120)).print(files_table(description))


def summary(description: Description) -> str:
    """``ready``, or how many files of the domain are missing or not the published ones."""
    from eval.weights.catalogue import known

    files = description.files()
    missing = sum(file.path is None and not file.optional for file in files)
    wrong = sum(state(file.path, known(file.name, description.name)) == WRONG for file in files)
    parts = [f"{count} {what}" for count, what in ((missing, "missing"), (wrong, "with a wrong sum")) if count]
    return ", ".join(parts) or "ready"


def files_table(description: Description) -> Table:
    """The files that a domain names, and those that are published for it besides."""
    from rich.markup import escape
    from rich.table import Table

    from eval.weights import catalogue as weight_files

    table = Table(box=None, pad_edge=False)
    table.add_column("file", no_wrap=True)
    for heading in ("what it is", "state", "where it comes from"):
        table.add_column(heading, overflow="fold")
    named = description.files()
    for file in named:
        published = weight_files.known(file.name, description.name)
        what = f"{published.what if published else file.what}{'' if not file.optional else ' (optional)'}"
        source = published.source if published else ""
        table.add_row(*map(escape, (file.name, what, state(file.path, published), source)))
    for published in weight_files.WEIGHT_FILES:
        if description.name in published.domains and published.name not in {file.name for file in named}:
            path = weight_files.find(published.name, description.name)
            what = f"{published.what} (optional)"
            table.add_row(*map(escape, (published.name, what, state(path, published), published.source)))
    return table


def state(path: Path | None, published: WeightFile | None) -> str:
    """``missing``; ``there``, where no sum is known; ``sum right`` or ``wrong sum``: damaged, or another file."""
    from eval.weights.catalogue import fault

    if path is None:
        return "missing"
    if published is None or not (published.sha256 or published.git_blob):
        return "there"
    return WRONG if fault(published, path) else "sum right"


@models.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say what FILE is: by its content, its sha256 and, where it is known, the sum that it should have."""
    from deltaedit.errors import CheckpointError
    from eval.errors import UsageError
    from eval.weights.catalogue import by_file_name, fault, sha256
    from eval.weights.verdict import verdict

    if not file.is_file():
        raise UsageError(f"There is no file {file}; `deltabench models` lists those that are known.")
    try:
        click.echo(f"{file}: {verdict(file)}")
    except CheckpointError as error:
        click.echo(str(error))
    click.echo(f"sha256 {sha256(file)}")
    published = by_file_name(file)
    if published is None:
        return
    wrong = fault(published, file)
    known = bool(published.sha256 or published.git_blob)
    verified = "the published sum" if known else "no sum of it is published"
    click.echo(f"{wrong}." if wrong else f"'{published.name}' ({published.what}): {verified}.")
