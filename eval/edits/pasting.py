"""Edited parts of a photograph, pasted back into it: a second row of the strip, and the photographs themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from eval.edits.pictures import RGB
from eval.edits.request import EditRequest
from eval.edits.sources import Photograph
from eval.edits.strip import Column, save


def paste_back(photograph: Photograph, columns: Sequence[Column], request: EditRequest) -> tuple[list[Column], str]:
    """Add the photograph to every column of a strip, and write it at full size for every strength.

    Args:
        photograph: whose part was edited.
        columns: of one row: the part as it was, then one of each strength.
        request: its strengths, and where the strip goes.

    Returns:
        The columns with a second row, and what was written, in words.

    Raises:
        UsageError: a photograph cannot be written.
    """
    from PIL import Image

    whole: list[RGB] = [photograph.pixels]
    for strength, column in zip(request.strengths, columns[1:], strict=True):
        whole.append(photograph.paste(column.pictures[0]))
        save(Image.fromarray(whole[-1]), request.out.with_name(f"{request.out.stem}-{strength:g}.png"))
    found = []
    for column, picture in zip(columns, whole, strict=True):
        seen = Image.fromarray(picture[photograph.window]).resize(column.pictures[0].shape[:2], Image.Resampling.BOX)
        pictures = [*column.pictures, np.asarray(seen)]
        found.append(dataclasses.replace(column, pictures=pictures, notes=[*column.notes, ""]))
    return found, f", and the photograph at each strength: {request.out.stem}-{request.strengths[-1]:g}.png, …"
