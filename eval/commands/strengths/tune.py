"""`deltabench tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import COUNT
from eval.commands.machine.options import device_option, say_device
from eval.errors import UsageError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from eval.studies.tuning import Tuned

RECORD = "tuning.json"


@click.command()
@click.option("--methods", required=True, help="Editors that have a grid, with commas between them.")
@click.option("--domain", default="avatars", show_default=True, help="Whose calibration images.")
@click.option("--prompts", default=None, help="Names, a TOML file, or a set; default all of the domain.")
@click.option("--images", default=20, show_default=True, type=COUNT, help="How many calibration images, 50 at most.")
@device_option
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Folder; default deltabench-runs/tune-…")
def tune(methods: str, domain: str, prompts: str | None, images: int, device: str | None, out: Path | None) -> int:
    """Choose one hyper-parameter of each editor by the same rule for all, on calibration images.

    DeltaEdit's τ, the global direction's β, the mapper's λ, StyleMC's preset. The same command again goes on.

    Example: deltabench tune --methods deltaedit,styleclip-global --prompts glasses,smile
    """
    from rich.console import Console

    from eval.domains import load_domain
    from eval.folders import check_place
    from eval.runs.names import file_name
    from eval.runs.plan import CALIBRATION_IMAGES
    from eval.runs.request import chosen_prompts
    from eval.runs.store import Store
    from eval.studies.claim import claim
    from eval.studies.tuning import GRIDS
    from eval.studies.tuning import tune as try_all

    names = list(dict.fromkeys(name.strip() for name in methods.split(",") if name.strip()))
    for name in names:
        if name not in GRIDS:
            raise unknown("editor with a grid", name, GRIDS)
    if not names or not 2 <= images <= CALIBRATION_IMAGES:
        raise UsageError(
            f"--methods must name an editor, and --images be from 2 to {CALIBRATION_IMAGES}. Got {images}."
        )
    folder = out or Path("deltabench-runs") / file_name(f"tune-{domain}-{images}")
    check_place(folder)
    loaded = load_domain(domain, device=device)
    chosen = chosen_prompts(loaded, prompts)
    asked = {"domain": domain, "images": images, "prompts": [vars(prompt) for prompt in chosen]}
    store = Store(folder)
    with store.lock():
        say_device(loaded)
        claim(store, RECORD, "tuning", {**asked, "fingerprints": dict(loaded.fingerprints)})
        found = try_all(loaded, names, chosen, images, store, lambda text: click.echo(f"done: {text}", err=True))
    Console(width=max(Console().width, 100)).print(tuning_table(found))
    picked = [f"{row.editor}[{row.parameter}={row.value}]" for row in found if row.chosen]
    click.echo(f"Run with these: deltabench run --domain {domain} --methods '{','.join(picked)}'")
    return 0


def tuning_table(found: Sequence[Tuned]) -> Table:
    """One row a value: clean success, how far behind the best, and what the rule takes."""
    from rich import box
    from rich.table import Table

    from eval.studies.tuning import RULE

    title = f"Clean success on the calibration images, each prompt at its calibrated strength. Chosen: {RULE}."
    table = Table("editor", "parameter", title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("value", "clean success", "behind the best"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in found:
        difference, noise = row.behind
        behind = "" if difference == 0 else f"{difference:.3f} ± {noise:.3f}"
        words = [word for word, holds in (("chosen", row.chosen), ("published", row.published)) if holds]
        table.add_row(row.editor, row.parameter, str(row.value), f"{row.clean:.3f}", behind, ", ".join(words))
    return table
