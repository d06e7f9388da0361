"""What a paper is made of: sections with tables, figures and sentences, before they become Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reports.writers.layout import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class TablePart:
    """A table with its caption.

    Attributes:
        table: its ``name`` becomes the files' name.
        caption: first sentence says what it shows; every number in it is computed.
    """

    table: Table
    caption: str


@dataclass(frozen=True)
class FigurePart:
    """A figure with its caption: drawn here, or made by another command and copied.

    Attributes:
        name: of the files, without ending.
        caption: as of a table.
        draw: makes the figure, called in the house style; None gives no figure.
        files: instead of ``draw``, a pdf and a png to copy.
    """

    name: str
    caption: str
    draw: Callable[[], Figure | None] | None = None
    files: tuple[Path, ...] = ()


Part = TablePart | FigurePart


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and what stands below them.

    Attributes:
        title: of the heading.
        paragraphs: plain text; ``code`` in backticks.
        parts: tables and figures in order.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Paper:
    """Everything, in order."""

    title: str
    abstract: tuple[str, ...]
    sections: tuple[Section, ...]


def numbered(paper: Paper) -> dict[tuple[str, str], str]:
    """(``Table`` or ``Figure``, name) -> ``Table 3`` or ``Figure 2``, counted in order."""
    counts = {"Table": 0, "Figure": 0}
    labels = {}
    for section in paper.sections:
        for part in section.parts:
            kind = "Table" if isinstance(part, TablePart) else "Figure"
            counts[kind] += 1
            name = part.table.name if isinstance(part, TablePart) else part.name
            labels[(kind, name)] = f"{kind} {counts[kind]}"
    return labels


def sentence_list(names: list[str]) -> str:
    """Names as a sentence has them.

    >>> sentence_list(["a"]), sentence_list(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "image"), counted(1200, "cell")
    ('1 image', '1,200 cells')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
