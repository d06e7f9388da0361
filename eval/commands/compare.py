"""`deltabench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import SEED
from eval.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from eval.studies.compare import Comparison

WIDTH = 124  # columns of the widest table
POPULATIONS = ("these-prompts", "prompts-like-these")  # of eval.statistics, which the help must not import


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path), required=False)
@click.option(
    "--editors",
    metavar="A,B",
    help="An editor of RUN_A and one of RUN_B; default: each one with itself, or the only two.",
)
@click.option("--metric", "metrics", multiple=True, help="Metric to compare; may be repeated; default: all.")
@click.option(
    "--population",
    type=click.Choice(POPULATIONS),
    default=POPULATIONS[0],
    show_default=True,
    help="What the verdict speaks of: exactly these prompts, or also others like them.",
)
@click.option("--seed", default=0, show_default=True, type=SEED, help="Of the bootstrap and the sign flips.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file; default: in RUN_A/tables.")
def compare(
    run_a: Path,
    run_b: Path | None,
    editors: str | None,
    metrics: tuple[str, ...],
    population: str,
    seed: int,
    out: Path | None,
) -> int:
    """Compare run folder RUN_A with RUN_B cell by cell, or two editors of RUN_A.

    Differences are paired (same prompt, same image), intervals and tests respect that cells share an image, and
    p-values are corrected for the number of tests (Holm).
    """
    from eval.folders import check_file
    from eval.progress import activity
    from eval.studies.compare import compare_runs

    pair = _editor_pair(editors)
    if run_b is None and pair is None:
        raise UsageError("`deltabench compare` needs a second run folder, or two editors of the first: --editors A,B.")
    run_b = run_b or run_a
    path = out or run_a / "tables" / f"compare--{run_b.resolve().name}.csv"
    if path.suffix.lower() != ".csv":
        raise UsageError(f"--out must be a .csv file. Got '{path}' instead.")
    check_file(path)
    with activity("comparing"):
        found = compare_runs(run_a, run_b, editors=pair, metrics=metrics, population=population, seed=seed)
    show(found, run_a, run_b, population)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found.table.to_csv(path, index=False, lineterminator="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); choose another --out.") from None
    click.echo(f"  {path}")
    return 0


def _editor_pair(text: str | None) -> tuple[str, str] | None:
    """``A,B`` as two labels; commas inside brackets belong to the label."""
    import re

    if text is None:
        return None
    parts = [part.strip() for part in re.split(r",(?![^\[]*\])", text)]
    if len(parts) != 2 or not all(parts):
        raise UsageError(f"--editors must be two names A,B, got '{text}'; see `deltabench methods`.")
    return parts[0], parts[1]


def show(found: Comparison, run_a: Path, run_b: Path, population: str) -> None:
    """Print one table per pair of editors and setting, and what the numbers mean."""
    from rich.console import Console

    console = Console(width=max(Console().width, WIDTH))  # narrower, words and numbers would be broken
    table = found.table
    console.print(f"A: {run_a}\nB: {run_b}", highlight=False, markup=False, soft_wrap=True)
    for (first, second, setting), rows in table.groupby(["editor_a", "editor_b", "setting"], sort=False):
        heading = first if first == second else f"A {first} against B {second}"
        console.print(_rich_table(f"{heading}, {setting}", rows))
    prompts = "these prompts" if population == POPULATIONS[0] else "prompts like these"
    console.print(
        f"Difference: A - B on the same cells, with its 95 % interval for images like these and {prompts}. "
        f"p: Holm over {int(table['p'].notna().sum())} tests. "
        "Would find: the difference that a single test finds with 80 % probability.",
        highlight=False,
    )
    if found.too_small:
        console.print(found.too_small, highlight=False)
    for editor, in_a, in_b in found.versions:
        console.print(f"{editor} is version {in_a} in A and {in_b} in B: another edit under one name.", highlight=False)
    if found.unpaired:
        console.print(f"{found.unpaired} cells of only one side are left out.", highlight=False)


def _rich_table(title: str, rows: pd.DataFrame) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("metric")
    for name in ("mean A", "mean B", "difference", "95 % interval", "p (Holm)", "would find"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in rows.itertuples():
        digits = _digits(row.low, row.high, row.difference)
        table.add_row(
            row.metric,
            _number(row.mean_a, digits),
            _number(row.mean_b, digits),
            _number(row.difference, digits, sign=True),
            f"{_number(row.low, digits, sign=True)} to {_number(row.high, digits, sign=True)}",
            _probability(row.p_holm),
            _number(row.detectable, digits),
            row.verdict,
        )
    return table


def _digits(low: float, high: float, difference: float) -> int:
    """Decimals that show an interval with two significant digits."""
    import math

    width = high - low if math.isfinite(high - low) and high > low else abs(difference)
    return min(6, max(0, 1 - math.floor(math.log10(width)))) if math.isfinite(width) and width > 0 else 3


def _number(value: float, digits: int, sign: bool = False) -> str:
    """A number for people; n/a where there is none."""
    if value != value:
        return "n/a"
    value = round(value, digits) + 0.0  # no negative zero
    return f"{value:+.{digits}f}" if sign and value else f"{value:.{digits}f}"


def _probability(value: float) -> str:
    """A p-value for people.

    >>> _probability(0.00005), _probability(0.0423), _probability(1.0), _probability(float("nan"))
    ('< 0.001', '0.042', '1.000', 'n/a')
    """
    if value != value:
        return "n/a"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
