"""One table in three files: csv (every digit, for machines), md and tex (rounded, for readers)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.statistics import Interval
from reports.writers.latex import latex_row

NOT_AVAILABLE = "n/a"  # a number that cannot be had from this few images
Value = str | float | int | bool | None  # None: not measured, printed as a blank


@dataclass(frozen=True)
class Block:
    """A printed table.

    Attributes:
        title: one line.
        header: one text a column, with ↑ or ↓ where more or less is better, and the unit.
        rows: one text a cell; ``**text**`` is bold.
        texts: how many columns from the left hold words; the others hold numbers and are set to the right.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1

    def markdown(self) -> str:
        """The rows as GitHub's pipe table, without the title."""
        rule = ["---" if column < self.texts else "---:" for column in range(len(self.header))]
        return "\n".join(map(_pipes, (self.header, rule, *self.rows)))


@dataclass(frozen=True)
class Table:
    """The answer to one question.

    Attributes:
        name: file name without ending.
        question: what it answers, one sentence.
        columns: of the csv.
        data: rows of the csv; a column that a row lacks is blank.
        blocks: what md and tex show.
        notes: sentences below it.
    """

    name: str
    question: str
    columns: tuple[str, ...]
    data: tuple[Mapping[str, Value], ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()

    def write(self, folder: Path) -> list[Path]:
        """Write ``<name>.csv``, ``.md`` and ``.tex`` into an existing folder."""
        texts = {"csv": self.csv(), "md": self.markdown(), "tex": self.latex()}
        paths = []
        for ending, text in texts.items():
            path = folder / f"{self.name}.{ending}"
            path.write_text(text, encoding="utf-8", newline="\n")
            paths.append(path)
        return paths

    def csv(self) -> str:
        """Comma-separated, every digit, blanks for what is missing."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([csv_text(row.get(column)) for column in self.columns] for row in self.data)
        return out.getvalue()

    def markdown(self) -> str:
        """GitHub's pipe tables."""
        parts = [f"# {self.question}"]
        for block in self.blocks:
            parts += ([f"## {block.title}"] if block.title else []) + [block.markdown()]
        return "\n\n".join([*parts, *self.notes]) + "\n"

    def latex(self) -> str:
        """One ``tabular`` a block, to be placed in a table; needs the packages booktabs and amssymb."""
        parts = [f"% {self.question}\n% Needs \\usepackage{{booktabs,amssymb}}"]
        for block in self.blocks:
            lines = [f"% {block.title}"] if block.title else []
            lines += [
                rf"\begin{{tabular}}{{{'l' * block.texts}{'r' * (len(block.header) - block.texts)}}}",
                r"\toprule",
            ]
            lines += [latex_row(block.header), r"\midrule", *map(latex_row, block.rows), r"\bottomrule"]
            parts.append("\n".join([*lines, r"\end{tabular}"]))
        return "\n\n".join([*parts, *(f"% {note}" for note in self.notes)]) + "\n"


def interval_columns(name: str, value: Interval) -> dict[str, Value]:
    """A mean and its bounds as csv columns; the bounds are "n/a" for fewer than two images.

    >>> interval_columns("preservation", Interval(0.5, None, None, 3, 1))
    {'preservation': 0.5, 'preservation_low': 'n/a', 'preservation_high': 'n/a'}
    """
    if value.mean is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    few = value.low is None
    return {
        name: value.mean,
        f"{name}_low": NOT_AVAILABLE if few else value.low,
        f"{name}_high": NOT_AVAILABLE if few else value.high,
    }


def interval_text(value: Interval, digits: int) -> str:
    """A mean and half of its interval's width.

    >>> interval_text(Interval(0.512, 0.40, 0.60, 9, 3), 2)
    '0.51 ±0.10'
    >>> interval_text(Interval(0.512, None, None, 3, 1), 2)
    '0.51 ±n/a'
    """
    if value.mean is None:
        return ""
    if value.low is None or value.high is None:
        return f"{number(value.mean, digits)} ±{NOT_AVAILABLE}"
    if math.isinf(value.mean):
        return number(value.mean, digits)
    if math.isinf(value.high):
        return f"{number(value.mean, digits)} ±∞"
    return f"{number(value.mean, digits)} ±{number((value.high - value.low) / 2, digits)}"


def number(value: float | None, digits: int) -> str:
    """A number of so many decimals; blank for None and NaN.

    >>> number(1.25, 1), number(None, 1), number(float("inf"), 1), number(-0.001, 1)
    ('1.2', '', '∞', '0.0')
    """
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def csv_text(value: Value) -> str:
    """A value as the csv has it: every digit of a number, blank for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
