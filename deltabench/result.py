"""A run in Python: its tables, figures, cells and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from PIL.Image import Image

    from eval.runs.reader import Run as Stored
    from reports.writers.layout import Table


class Run:
    """What ``deltabench.run`` and ``deltabench.load_run`` give.

    Args:
        stored: the opened run folder.
        tables: its tables where they were just made; otherwise they are made from the cells when first looked at.

    Attributes:
        folder: where everything is stored.
    """

    def __init__(self, stored: Stored, tables: Sequence[Table] | None = None) -> None:
        self.stored = stored
        self.folder: Path = stored.folder
        self.tables = Tables(stored, tables)
        self.figures = Figures(stored, self.tables)

    @property
    def cells(self) -> DataFrame:
        """One row for each (editor, prompt, strength, image); docs/run_folder.md describes the columns."""
        return self.stored.rows

    @property
    def conclusions(self) -> tuple[str, ...]:
        """What the tests of the run allow to say, in two to four sentences (docs/tables.md)."""
        from reports.conclusions import conclusions

        return conclusions(self.stored)

    @property
    def failures(self) -> tuple[dict[str, Any], ...]:
        """The chunks that failed, with the reason of each."""
        return self.stored.failures

    def image(self, editor: str, prompt: str, image: int | str = 0, strength: str | float | None = None) -> Image:
        """A picture of the run.

        Args:
            editor: label of an editor, or ``original``, ``reconstruction``, ``counterfactual``.
            prompt: its name.
            image: number or name of the source image; the first 16 of a run are stored as pictures.
            strength: a number or a kind, such as ``default``; None for what the figures show.

        Raises:
            UsageError: the run has no such picture.
        """
        from PIL import Image as Pictures

        from eval.runs.pictures import stored_picture

        return Pictures.fromarray(stored_picture(self.stored, editor, prompt, image, strength))

    def _repr_html_(self) -> str:
        page = self.folder / "report.html"
        link = f'<p><a href="{escape(page.resolve().as_uri())}">report.html</a></p>' if page.exists() else ""
        return _html(self.tables.table("main")) + link

    def __repr__(self) -> str:
        return f"<deltabench.Run {self.folder}: {', '.join(self.stored.editors)}; {len(self.stored.prompts)} prompts>"


class Tables(Mapping[str, "DataFrame"]):
    """The tables of a run by name, as data frames with every digit."""

    def __init__(self, stored: Stored, tables: Sequence[Table] | None = None) -> None:
        self._stored = stored
        if tables is not None:
            self._by_name = {table.name: table for table in tables}

    @cached_property
    def _by_name(self) -> dict[str, Table]:
        from reports.report import tables_of

        return {table.name: table for table in tables_of(self._stored)}

    def table(self, name: str) -> Table:
        """The table as it is printed.

        Raises:
            UsageError: the run has no such table.
        """
        from eval.errors import unknown

        if name not in self._by_name:
            raise unknown("table", name, self._by_name)
        return self._by_name[name]

    def __getitem__(self, name: str) -> DataFrame:
        from pandas import DataFrame

        table = self.table(name)
        return DataFrame(table.data, columns=list(table.columns))

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


class Figures(Mapping[str, "Figure"]):
    """The figures of a run by name, drawn when looked at; a notebook shows them."""

    def __init__(self, stored: Stored, tables: Tables) -> None:
        self._stored = stored
        self._tables = tables

    @cached_property
    def _drawings(self) -> dict[str, Callable[[], Figure | None]]:
        from reports.figures import drawings

        return drawings(self._stored, [self._tables.table(name) for name in self._tables])

    def __getitem__(self, name: str) -> Figure:
        from eval.errors import UsageError, unknown
        from reports.writers.style import house_style

        if name not in self._drawings:
            raise unknown("figure", name, self._drawings)
        with house_style():
            figure = self._drawings[name]()
        if figure is None:
            raise UsageError(f"The run {self._stored.folder} holds nothing to draw for the figure '{name}'.")
        _show_in_notebooks()
        return figure

    def __contains__(self, name: object) -> bool:
        return name in self._drawings

    def __iter__(self) -> Iterator[str]:
        return iter(self._drawings)

    def __len__(self) -> int:
        return len(self._drawings)


def _show_in_notebooks() -> None:
    """Let a cell that ends with a figure show it: notebooks do so by themselves only for figures of pyplot."""
    from matplotlib.figure import Figure

    from eval.progress import in_notebook

    if in_notebook():
        from IPython import get_ipython

        get_ipython().display_formatter.formatters["image/png"].for_type(Figure, _png)


def _png(figure: Figure) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    return buffer.getvalue()


def _html(table: Table) -> str:
    """A printed table as HTML."""
    parts = [f"<p>{escape(table.question)}</p>"]
    for block in table.blocks:
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in block.rows)
        head = "".join(f"<th>{escape(heading)}</th>" for heading in block.header)
        parts.append(f"<p><b>{escape(block.title)}</b></p><table><tr>{head}</tr>{rows}</table>")
    return "".join(parts)


def _cell(text: str) -> str:
    bold = text.startswith("**") and text.endswith("**") and len(text) > 4
    return f"<td><b>{escape(text[2:-2])}</b></td>" if bold else f"<td>{escape(text)}</td>"
