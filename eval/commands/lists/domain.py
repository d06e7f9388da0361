"""`deltabench domain`: render, train or show a domain of known attributes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from eval.commands import COUNT, SEED, Group
from eval.commands.lists.domain_label import label
from eval.commands.machine.options import device_option
from eval.errors import UsageError, unknown

if TYPE_CHECKING:
    from eval.domains.avatars.factors import Portraits


@click.group(cls=Group)
def domain() -> None:
    """Render, train, show or label a domain."""


domain.add_command(label)


def _needs_avatars(name: str) -> None:
    """Only the embedded domain has a renderer."""
    _needs_recipes(name)
    if name != "avatars":
        raise UsageError(f"The domain '{name}' has no renderer; only avatars has.")


def _needs_recipes(name: str) -> None:
    """The networks of other domains come as checkpoints."""
    from eval.domains import DOMAINS

    if name not in DOMAINS:
        raise unknown("domain", name, DOMAINS, "deltabench domains")
    if name not in ("avatars", "faces"):
        raise UsageError(f"The domain '{name}' has no recipes; only avatars and faces have.")


@domain.command()
@click.argument("name")
@click.option("--count", default=16, show_default=True, type=COUNT, help="How many portraits.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Same seed, same portraits.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the PNG files and factors.csv.")
def render(name: str, count: int, seed: int, out: Path) -> None:
    """Render random portraits of the domain NAME."""
    _needs_avatars(name)
    from PIL import Image

    from eval.domains.avatars.factors import sample_portraits
    from eval.domains.avatars.renderer import render as render_portraits

    people = sample_portraits(count, seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(render_portraits(people)):
            Image.fromarray(picture).save(out / f"{number:05d}.png")
        _write_factors(people, out / "factors.csv")
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror or error}); choose another --out.") from None
    click.echo(f"{count} portraits and factors.csv are in {out}")


def _write_factors(people: Portraits, path: Path) -> None:
    """One row a portrait: file, the value of every factor in words, the geometry."""
    import csv

    from eval.domains.avatars.factors import FACTOR_NAMES, GEOMETRY, VALUES

    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", *FACTOR_NAMES, *GEOMETRY])
        for number, (values, geometry) in enumerate(zip(people.values, people.geometry, strict=True)):
            words = [VALUES[factor][value] for factor, value in zip(FACTOR_NAMES, values, strict=True)]
            rows.writerow([f"{number:05d}.png", *words, *(f"{measure:.6g}" for measure in geometry)])


@domain.command()
@click.argument("name")
@click.option("--network", required=True, help="Which network.")
def train(name: str, network: str) -> None:
    """Train a network of the domain NAME by its recipe; a broken-off training goes on where it was."""
    _needs_recipes(name)
    from importlib import import_module

    recipes = import_module(f"eval.domains.{name}.recipes")
    if network not in recipes.NETWORKS:
        raise unknown(f"network of {name}", network, recipes.NETWORKS)
    click.echo(recipes.train_network(network, _print_progress))


def _print_progress(network: str, done: int, total: int, losses: dict[str, float]) -> None:
    recent = ", ".join(f"{name} {loss:.4g}" for name, loss in losses.items())
    click.echo(f"{network}: step {done} of {total}  {recent}", err=True)


@domain.command()
@click.argument("name")
@device_option
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Picture to write; default NAME.png.")
def show(name: str, device: str | None, out: Path | None) -> None:
    """Draw a sheet of the domain NAME: its images, samples, counterfactuals where known, measured quality."""
    _needs_recipes(name)
    from eval.domains import load_domain
    from eval.folders import check_file
    from reports.figures.pictures.domain_sheet import draw_sheet

    path = out or Path(f"{name}.png")
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"--out must be a .png, .pdf or .svg file. Got '{path}' instead.")
    check_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_sheet(cast(Any, load_domain(name, device=device)), path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); choose another --out.") from None
    click.echo(f"The sheet is {path}")
