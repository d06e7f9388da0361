"""`deltabench judges`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from eval.commands.machine.options import device_option, say_device
from eval.errors import UsageError


@click.command()
@click.option("--domain", "domain_name", default="avatars", show_default=True, help="Domain whose judges to check.")
@click.option("--images", type=click.IntRange(8, 1000), default=200, show_default=True, help="Test images.")
@device_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: deltabench-runs/judges-DOMAIN.")
def judges(domain_name: str, images: int, device: str | None, out: Path | None) -> int:
    """Check the judges of a domain on edited pictures whose truth is known.

    Writes what they read right on counterfactuals, as rendered and through the inversion, and which cosine of the
    identity network means the same person: tables as csv, md and tex, and a figure. With a run folder as --out they
    stand beside the run's own. The exit code is 1 if a judge cannot be used.
    """
    from eval.domains import load_domain
    from eval.judging.quality import broken_promises, measure_judges
    from eval.progress import activity
    from eval.runs.store import storage_error
    from reports.studies.shipped_judges import store_judges

    with activity(f"loading {domain_name}"):
        domain = load_domain(domain_name, device=device)
    say_device(domain)
    folder = out or Path("deltabench-runs") / f"judges-{domain.name}"
    _refuse_other_judges(folder, domain.judges.fingerprints)
    with activity("judging counterfactuals"):
        found = measure_judges(domain, images, lambda prompt: click.echo(f"  {prompt}", err=True))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tables, written = store_judges(folder, found)
    except OSError as error:
        raise storage_error(Path(error.filename or folder), error) from error
    from rich.console import Console

    console = Console(width=max(Console().width, 100))
    for table in tables:
        console.print(table.markdown(), markup=False, highlight=False)
    for path in written:
        click.echo(f"  {path}")
    broken = broken_promises(found, domain.judges.accuracy)
    for sentence in broken:
        click.echo(sentence, err=True)
    return 1 if broken else 0


def _refuse_other_judges(folder: Path, fingerprints: Mapping[str, str]) -> None:
    """Numbers of other judges than a run's must not stand in its folder."""
    path = folder / "manifest.json"
    if not path.exists():
        return
    theirs = json.loads(path.read_text(encoding="utf-8")).get("fingerprints", {})
    other = [name for name, digest in fingerprints.items() if theirs.get(name, digest) != digest]
    if other:
        raise UsageError(
            f"The run {folder} was scored by other judges ({', '.join(other)}) than are there now; choose another "
            "--out."
        )
