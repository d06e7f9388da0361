"""`deltabench edit`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.commands import COUNT, Finite
from eval.commands.machine.options import device_option
from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.edits.session import EditResult

FILE = click.Path(path_type=Path)


@click.command()
@click.option("--domain", default=None, help="Whose generator: avatars (the default); see `deltabench domains`.")
@click.option("--image", "images", multiple=True, type=FILE, help="Picture to edit; several times for several rows.")
@click.option("--seed", "seeds", multiple=True, help="Sample of the generator to edit, e.g. 3 or 1,2,3.")
@click.option("--latents", default=None, type=FILE, help="Codes to edit: npy, npz, pt or safetensors; W+, W or styles.")
@click.option("--limit", default=8, show_default=True, type=COUNT, help="At most so many of --latents.")
@click.option("--codes", default=None, type=click.Choice(["w", "w+"]), help="What [L, D] of --latents is; default w+.")
@click.option("--prompt", "prompts", multiple=True, help="What it should become; several add up (deltaedit).")
@click.option("--source-text", "source_texts", multiple=True, help="What it is; once, or once for each prompt.")
@click.option("--target-image", default=None, type=FILE, help="Instead of a prompt: towards this picture …")
@click.option("--source-image", default=None, type=FILE, help="… and away from this one (deltaedit).")
@click.option("--method", default="deltaedit", show_default=True, help="One editor, e.g. deltaedit[threshold=0.05].")
@click.option("--strength", default="0:2:0.25", show_default=True, help="start:stop:step, or numbers with commas.")
@click.option(
    "--frames",
    default=0,
    type=click.IntRange(0, COUNT.max),
    help="Instead of a strip: so many frames from 0 to the last strength.",
)
@click.option("--out", default=None, type=FILE, help="PNG file, default edit.png; for --frames a folder or x.gif.")
@click.option("--batch", default=None, type=COUNT, help="Pictures at a time; default by their size.")
@click.option("--panel-px", default=None, type=click.IntRange(16, 4096), help="Side of the pictures in the strip.")
@click.option(
    "--compute-minutes",
    default=30.0,
    show_default=True,
    type=Finite(0),
    help="Compute what an editor lacks (R_s, a mapper) if it takes at most so long.",
)
@click.option("--generator", default=None, type=FILE, help="Weights of a StyleGAN2, instead of --domain.")
@click.option("--clip", default=None, type=FILE, help="Weights of a CLIP, for --generator.")
@click.option("--clip-architecture", default=None, help="open_clip's name of it; default ViT-B-32-quickgelu.")
@click.option("--mapper", default=None, type=FILE, help="Delta Mapper, e.g. net_face.pth, for --generator.")
@click.option("--relevance", default=None, type=FILE, help="R_s, e.g. fs3.npy, for --generator.")
@click.option("--encoder", default=None, type=FILE, help="e4e, for --generator; --image needs it.")
@click.option("--identity", default=None, type=FILE, help="Face network for losses that need one, for --generator.")
@click.option("--styleclip-mapper", default=None, type=FILE, help="StyleCLIP's mapper of this prompt, for --generator.")
@click.option("--truncation", default=None, type=Finite(0, 1), help="ψ of --generator; default 0.7.")
@click.option("--noise", default=None, type=click.Choice(["fixed", "random", "none"]), help="Of --generator.")
@device_option
def edit(strength: str, seeds: tuple[str, ...], out: Path | None, frames: int, **options: Any) -> None:
    """Edit pictures and look at them: a strip of one row a picture and one column a strength.

    For example: deltabench edit --seed 3 --prompt "face with glasses" --out strip.png
    """
    from eval.edits.request import EditRequest
    from eval.edits.strengths import parse_strengths

    request = EditRequest(
        strengths=parse_strengths(strength),
        seeds=parse_seeds(seeds),
        out=out or Path("edit-frames" if frames else "edit.png"),
        frames=frames,
        **options,
    )
    from eval.progress import activity

    with activity("editing"):
        from eval.edits.session import run_request

        result = run_request(request, lambda sentence: click.echo(sentence, err=True))
    for line in result_lines(result):
        click.echo(line)


def parse_seeds(texts: tuple[str, ...]) -> tuple[int, ...]:
    """Seeds of ``--seed``, with or without commas.

    >>> parse_seeds(("3", "1,2"))
    (3, 1, 2)

    Raises:
        UsageError: something else.
    """
    parts = [part.strip() for text in texts for part in text.split(",")]
    wrong = next((part for part in parts if not re.fullmatch(r"-?[0-9]{1,99}", part)), None)
    if wrong is not None:
        raise UsageError(f"--seed must be whole numbers with commas between them, e.g. 1,2,3. Got '{wrong}' instead.")
    return tuple(int(part) for part in parts)


def result_lines(result: EditResult) -> list[str]:
    """What is printed at the end: what was done, the similarities as a table, what was written."""
    width = max(len("strength"), *map(len, result.names))
    lines = [f"Edited: {result.words}"]
    lines.append("  ".join([f"{'strength':{width}}", *(f"{strength:>6g}" for strength in result.strengths)]))
    for name, row in zip(result.names, result.similarities.tolist(), strict=True):
        lines.append("  ".join([f"{name:{width}}", *(f"{value:>6.3f}" for value in row)]))
    lines.append("The numbers are cosines in the CLIP that editors use: what an editor aims at, not a judgement.")
    lines.append(f"Written: {result.written}")
    return lines
