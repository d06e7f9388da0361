"""`deltabench models`: which weight files are there, which are missing, where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import Group

if TYPE_CHECKING:
    from rich.table import Table

    from eval.domains.photos.description import Description
    from eval.weights.catalogue import WeightFile
    from eval.weights.packages import Package, PackageFile

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
    from eval.weights.packages import PACKAGES

    names = [domain] if domain is not None else list(dict.fromkeys([*DOMAINS, *PACKAGES]))
    for number, name in enumerate(names):
        if name not in PACKAGES:
            check_name(name)
        click.echo("" if number else None, nl=bool(number))
        _print_domain(name)
    if not set(names) <= {"avatars", *PACKAGES}:
        places = " and ".join(map(str, folders()))
        click.echo(f"\nOther files are looked for in {places} (${FOLDER_VARIABLE}); none is fetched.")


def _print_domain(name: str) -> None:
    from rich.console import Console

    from eval.domains.photos import described
    from eval.weights.packages import PACKAGES

    if name in PACKAGES:
        click.echo(f"{name}: {packages_summary(name)}")
        Console(width=max(Console().width, 120)).print(packages_table(PACKAGES[name]))
        return
    description = described(name)
    if description is None:
        click.echo(f"{name}: its networks come with this package.")
        return
    click.echo(f"{description.label}: {summary(description)}")
    Console(width=max(Console().width, 120)).print(files_table(description))


def packages_summary(domain: str) -> str:
    """``ready``, or which packages are missing and the command that gets them."""
    from eval.weights.packages import PACKAGES, root

    missing = [package.name for package in PACKAGES[domain] if root(package) is None]
    return f"{', '.join(missing)} missing; `deltabench models fetch {domain}` gets them" if missing else "ready"


def packages_table(packages: Sequence[Package]) -> Table:
    """The files that a domain takes out of packages, with their licences."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("file", no_wrap=True)
    for heading in ("what it is", "licence", "state", "package"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "state")
    for package in packages:
        for number, file in enumerate(package.files):
            cells = (file.name, file.what, file.licence, packaged_state(package, file))
            table.add_row(*map(escape, cells), "" if number else f"{package.name} {package.version}")
    return table


def packaged_state(package: Package, file: PackageFile) -> str:
    """``installed`` or ``fetched``, where the whole package is; else ``missing``, ``sum right`` or ``wrong sum``."""
    from eval.weights.packages import is_right, packages_folder, root, roots

    folder = root(package)
    if folder:
        return "fetched" if folder.parent == packages_folder() else "installed"
    paths = [folder / file.inside for folder in roots(package) if (folder / file.inside).is_file()]
    return ("sum right" if any(is_right(path, file) for path in paths) else WRONG) if paths else "missing"


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
def check(file: Path) -> int:
    """Say what FILE is: by its content, its sha256 and, where it is known, the sum that it should have.

    The exit code is 2 where a reader would refuse the file.
    """
    from deltaedit.tools.errors import CheckpointError
    from eval.errors import UsageError
    from eval.weights.catalogue import by_file_name, fault, sha256
    from eval.weights.verdict import verdict

    if not file.is_file():
        raise UsageError(f"There is no file {file}; `deltabench models` lists those that are known.")
    refused = False
    try:
        click.echo(f"{file}: {verdict(file)}")
    except CheckpointError as error:
        refused = True
        click.echo(str(error), err=True)
    click.echo(f"sha256 {sha256(file)}")
    published = by_file_name(file)
    if published is not None:
        wrong = fault(published, file)
        known = bool(published.sha256 or published.git_blob)
        verified = "the published sum" if known else "no sum of it is published"
        click.echo(f"{wrong}." if wrong else f"'{published.name}' ({published.what}): {verified}.", err=bool(wrong))
        refused = refused or bool(wrong)
    return 2 if refused else 0


@models.command()
@click.argument("domain")
def fetch(domain: str) -> None:
    """Get the packages that hold the files of DOMAIN by pip, and keep only those files."""
    from eval.domains import DOMAINS
    from eval.errors import UsageError, unknown
    from eval.weights.fetching import fetch as fetch_package
    from eval.weights.packages import BEFORE_USE, PACKAGES, root

    if domain not in PACKAGES:
        if domain not in DOMAINS:
            raise unknown("domain whose files can be fetched", domain, PACKAGES, "deltabench models")
        raise UsageError(f"Nothing of '{domain}' is fetched; `deltabench models --domain {domain}` lists its files.")
    click.echo(BEFORE_USE[domain])
    for package in PACKAGES[domain]:
        for licence in dict.fromkeys(file.licence for file in package.files):
            click.echo(
                f"  {package.name}: {', '.join(f.name for f in package.files if f.licence == licence)}: {licence}"
            )
    for package in PACKAGES[domain]:
        folder = root(package)
        if folder is None:
            click.echo(f"{package.name} {package.version}: {package.size_mb} MB, by pip ...")
            click.echo(f"{package.name}: its files are in {fetch_package(package)}")
        else:
            click.echo(f"{package.name}: already there, in {folder}")
    click.echo(f"{domain}: {packages_summary(domain)}")
