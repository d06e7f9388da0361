"""The strip: one row a picture, one column a strength, labelled; written without loss."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.edits.pictures import RGB
from eval.errors import UsageError
from eval.letters import drawable, font_file

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

SMALLEST_PX = 128  # smaller pictures are enlarged, for people to see something
PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)


@dataclass(frozen=True)
class Column:
    """One column of a strip.

    Attributes:
        heading: for example ``0.25``.
        pictures: one uint8 [H, W, 3] a row.
        notes: what stands below each; may be empty.
    """

    heading: str
    pictures: Sequence[RGB]
    notes: Sequence[str] = ()


def draw_strip(title: str, rows: Sequence[str], columns: Sequence[Column], panel_px: int | None = None) -> Image:
    """The strip as a picture.

    Args:
        title: stands above everything.
        rows: names, left of each row.
        columns: from left to right.
        panel_px: side of a picture; default its own, times a whole number if it is small.
    """
    from PIL import Image, ImageDraw, ImageFont

    font_path = font_file("".join([title, *rows]))
    title, *rows = (drawable(text, font_path) for text in (title, *rows))
    side = panel_px or shown_side(columns[0].pictures[0].shape[0])
    size = max(12, min(36, side // 11))
    font, gap = ImageFont.truetype(font_path, size), max(4, size // 3)
    line = round(size * 1.35)
    left = max((round(font.getlength(name)) for name in rows), default=0) + 2 * gap
    foot = line if any(column.notes for column in columns) else 0
    width = left + len(columns) * (side + gap) + gap
    title_lines = wrapped(title, font, width - 2 * gap)
    head = gap + line * len(title_lines) + line + gap
    image = Image.new("RGB", (width, head + len(rows) * (side + foot + gap) + gap), PAPER)
    pen = ImageDraw.Draw(image)
    for number, text in enumerate(title_lines):
        pen.text((gap, gap + number * line), text, INK, font)
    for row, name in enumerate(rows):
        pen.text((gap, head + row * (side + foot + gap) + side // 2), name, INK, font, anchor="lm")
    for number, column in enumerate(columns):
        x = left + number * (side + gap)
        _centred(pen, (x, head - line - gap // 2, side), column.heading, INK, font)
        for row, picture in enumerate(column.pictures):
            y = head + row * (side + foot + gap)
            image.paste(scaled(picture, side), (x, y))
            if column.notes:
                _centred(pen, (x, y + side, side), column.notes[row], FAINT, font)
    return image


def shown_side(side_px: int) -> int:
    """Side of a picture in the strip: its own, or the first multiple that is large enough.

    >>> shown_side(64), shown_side(48), shown_side(1024)
    (128, 144, 1024)
    """
    return side_px * max(1, -(-SMALLEST_PX // side_px))


def scaled(picture: RGB, side_px: int) -> Image:
    """A picture at another size: whole multiples repeat pixels and so lose nothing, others are filtered."""
    from PIL import Image

    found = Image.fromarray(np.ascontiguousarray(picture))
    if found.size == (side_px, side_px):
        return found
    whole = side_px % found.size[0] == 0
    return found.resize((side_px, side_px), Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS)


def wrapped(text: str, font: FreeTypeFont, width_px: int) -> list[str]:
    """Lines of a text that fit a width."""
    letters = max(8, int(width_px / max(1.0, font.getlength("n"))))
    return textwrap.wrap(text, letters) or [""]


def save(image: Image, path: Path) -> None:
    """Write a picture.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        image.save(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); choose another --out.") from None


def _centred(pen: ImageDraw, place: tuple[int, int, int], text: str, ink: tuple[int, int, int], font: object) -> None:
    x, y, side = place
    pen.text((x + side / 2, y), text, ink, font, anchor="ma")  # type: ignore[arg-type]
