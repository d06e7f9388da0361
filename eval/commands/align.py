"""`deltabench align`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import COUNT, SEED
from eval.commands.machine.options import device_option, say_device
from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.studies.alignment.measures import Pairs
    from eval.studies.alignment.prompts import PromptAlignment
    from reports.writers.layout import Table

CLIPS = ("judge", "editing")  # of eval.studies.alignment.pairs, which the help must not import
PROMPT_IMAGES = 200  # edited exactly by every prompt


@click.command()
@click.option("--features", type=click.Path(path_type=Path), help="Folder with *_i, *_t, *_deltai and *_deltat.npy.")
@click.option("--domain", help="Instead of --features: renders and captions of this domain.")
@click.option("--clip", type=click.Choice(CLIPS), default=CLIPS[0], show_default=True, help="Which CLIP of the domain.")
@click.option("--pairs", "count", type=COUNT, help="Only the first so many pairs.")
@click.option(
    "--seed", default=0, show_default=True, type=SEED, help="Of captions, partners, folds, bootstrap draws and t-SNE."
)
@device_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: deltabench-runs/align-NAME.")
def align(
    features: Path | None,
    domain: str | None,
    clip: str,
    count: int | None,
    seed: int,
    device: str | None,
    out: Path | None,
) -> int:
    """Measure how well CLIP's images and texts match: raw, centred and as deltas.

    Example: deltabench align --features DIR
    """
    from eval.folders import check_place
    from eval.studies.alignment.projections import NO_TSNE, has_tsne
    from reports.studies.alignment_run import run_alignment

    if out is not None:
        check_place(out)
    pairs, prompts, name = _measured(features, domain, clip, count, seed, device)
    folder = out or Path("deltabench-runs") / f"align-{name}"
    found = run_alignment(pairs, name, folder, seed, prompts)
    show(found.tables[0], f"{name}: {len(pairs)} pairs")
    if prompts:
        show(found.tables[2], "counterfactuals and the texts of the prompts")
    if not has_tsne():
        click.echo(NO_TSNE)
    for path in found.files:
        click.echo(f"  {path}")
    return 0


def _measured(
    features: Path | None, domain: str | None, clip: str, count: int | None, seed: int, device: str | None
) -> tuple[Pairs, tuple[PromptAlignment, ...], str]:
    """The pairs that were asked for, what was measured of a domain's prompts, and what to call them."""
    from eval.studies.alignment.pairs import load_features, pairs_of_domain

    if features is not None and domain is None:
        return load_features(features, count), (), features.resolve().name
    if domain is None or features is not None:
        raise UsageError(
            "`deltabench align` needs either --features DIR or --domain NAME; see `deltabench align --help`."
        )
    from eval.domains import load_domain
    from eval.studies.alignment.prompts import encoded_counterfactuals, measure_prompts

    loaded = load_domain(domain, device=device)
    say_device(loaded)
    pairs = pairs_of_domain(loaded, count, seed, clip)
    network = loaded.judges.clip if clip == "judge" else loaded.editing.clip
    edits = encoded_counterfactuals(loaded, min(len(pairs), PROMPT_IMAGES), network)
    names = tuple(prompt.name for prompt in loaded.prompts)
    return pairs, measure_prompts(edits, names, seed), f"{domain}-{clip}"


def show(table: Table, title: str) -> None:
    """Print the table and its notes."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    block = table.blocks[0]
    printed = RichTable(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    printed.add_column(block.header[0], no_wrap=True)
    for heading in block.header[1:]:
        printed.add_column(heading, justify="right")
    for row in block.rows:
        printed.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(printed)
    for note in table.notes:
        console.print(note, highlight=False, markup=False)
