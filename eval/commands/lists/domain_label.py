"""`deltabench domain label`: label samples of a domain by looking at them, on a page of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands import COUNT
from eval.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from eval.labelling.server import LabelServer
    from eval.labelling.sheets import Sheets


@click.command()
@click.argument("name")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="CSV file; gone on with.")
@click.option("--attribute", "attributes", multiple=True, help="Only this; may be repeated, and be a new one.")
@click.option(
    "--first", default=0, show_default=True, type=click.IntRange(0, COUNT.max), help="The first seed to look at."
)
@click.option("--count", default=1000, show_default=True, type=COUNT, help="How many seeds.")
@click.option(
    "--propose",
    type=click.Choice(["boundary", "yes", "no"]),
    help="Show first those about which a classifier of the labels so far is unsure, or sure.",
)
@click.option("--sheet", default=40, show_default=True, type=click.IntRange(1, 400), help="Pictures on a sheet.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Default: a free one.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
def label(
    name: str,
    out: Path,
    attributes: Sequence[str],
    first: int,
    count: int,
    propose: str | None,
    sheet: int,
    port: int,
    open_page: bool,
) -> None:
    """Label samples of the domain NAME by looking at them; a page on this machine shows sheets to click on."""
    from eval.domains import check_name
    from eval.labelling.server import LabelServer

    check_name(name)
    if name != "faces":
        reason = "its attributes are known exactly" if name == "avatars" else "it has no samples of seeds"
        raise UsageError(f"'{name}' is not labelled: {reason}; `deltabench domain label faces` labels faces.")
    sheets, questions = face_sheets(out, attributes, range(first, first + count), propose or "")
    with LabelServer(sheets, {question: question.replace("_", " ") for question in questions}, sheet, port) as server:
        serve(server, out, open_page)


def serve(server: LabelServer, labels: Path, open_page: bool, then: str = "") -> None:
    """Serve the page until Ctrl-C.

    Args:
        server: of the sheets.
        labels: file that keeps them.
        open_page: in the browser.
        then: what one can do afterwards, for the end of the last sentence.
    """
    click.echo(f"Open {server.address} and click; labels are kept in {labels} at once, Ctrl-C ends.")
    if open_page:
        click.launch(server.address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo(f"\nThe same command goes on from here{then}.")


def face_sheets(
    out: Path, attributes: Sequence[str], seeds: Sequence[int], propose: str
) -> tuple[Sheets, tuple[str, ...]]:
    """Samples of `faces` to look at, and the questions that are put about each.

    Args:
        out: file of the labels.
        attributes: the questions; empty for all that the file or the domain has.
        seeds: of the samples.
        propose: order of the samples, one of ``eval.labelling.sheets.PROPOSALS`` or ''.

    Raises:
        UsageError: files of the domain are missing, or ``out`` is no file of labels.
    """
    from functools import partial

    import numpy as np

    from eval.domains.faces.captions import ATTRIBUTES
    from eval.domains.faces.generator import FaceGenerator
    from eval.labelling.labels import Labels
    from eval.labelling.sheets import Item, Sheets

    labels = Labels(out, "seed", attributes or ATTRIBUTES)
    questions = tuple(attributes) or labels.questions
    wrong = [item for item in labels.items if not item.isdecimal()]
    if wrong:
        raise UsageError(f"{out} has '{wrong[0]}' where a seed, a whole number, is wanted.")
    generator = FaceGenerator()

    def picture(seed: int) -> bytes:
        return png(generator.pictures(generator.w([seed]))[0])

    def features(ids: Sequence[str]) -> np.ndarray:
        w: Tensor = generator.w([int(seed) for seed in ids])
        return np.asarray(w, dtype=np.float64)

    items = [Item(str(seed), questions, partial(picture, seed)) for seed in seeds]
    return Sheets(items, labels, propose, features), questions


def png(pixels: Tensor) -> bytes:
    """A picture uint8 [3, H, W] as a PNG file."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "PNG", compress_level=1)
    return file.getvalue()
