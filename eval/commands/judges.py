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
@click.option("--edits", metavar="RUN", type=click.Path(path_type=Path), help="Instead: the judges on a run's edits.")
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --edits: what `deltabench label --export` wrote; default: RUN/labels and the shipped ones.",
)
def judges(
    domain_name: str, images: int, device: str | None, out: Path | None, edits: Path | None, labels: tuple[Path, ...]
) -> int:
    """Check the judges of a domain on counterfactuals, whose truth is known, or with --edits on what editors made.

    Writes what they read right on counterfactuals, as rendered and through the inversion, and which cosine of the
    identity network means the same person: tables as csv, md and tex, and a figure. With a run folder as --out they
    stand beside the run's own. The exit code is 1 if a judge cannot be used.

    --edits RUN compares the judges, on the edits of a run, with the nearest counterfactual and with what people said
    (`deltabench label RUN`): agreement, Cohen's kappa, by editor, with intervals.
    """
    if edits is not None:
        return _on_edits(edits, labels)
    if labels:
        raise UsageError("--labels goes with --edits RUN: labels are about the edits of a run.")
    from eval.domains import load_domain
    from eval.folders import check_place
    from eval.judging.quality import broken_promises, measure_judges
    from eval.progress import activity
    from eval.runs.store import storage_error
    from reports.studies.shipped_judges import store_judges

    if out is not None:
        check_place(out)
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


def _on_edits(folder: Path, exports: tuple[Path, ...]) -> int:
    """Print and write the table ``agreement`` of a run."""
    from rich.console import Console

    from eval.labelling.edits import labels_of, read_export
    from eval.labelling.shipped import shipped_labels
    from eval.runs.reader import Run
    from eval.runs.store import storage_error
    from reports.studies.agreement import agreement_table

    try:
        run = Run(folder)
        known = [one for path in exports for one in read_export(path)] or [*labels_of(run), *shipped_labels(run)]
        table = agreement_table(run, known)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not table.data:
        raise UsageError(
            f"{folder} has neither labels of its edits nor verdicts by counterfactual; make labels with "
            f"`deltabench label {folder}`, or give the same `deltabench run` again into another folder."
        )
    try:
        (folder / "tables").mkdir(exist_ok=True)
        written = table.write(folder / "tables")
    except OSError as error:
        raise storage_error(Path(error.filename or folder), error) from error
    console = Console(width=max(Console().width, 120))
    console.print(table.markdown(), markup=False, highlight=False)
    for path in written:
        click.echo(f"  {path}")
    return 0


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
