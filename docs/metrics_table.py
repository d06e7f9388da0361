"""Writes the table of docs/metrics.md from the book of metrics: ``python docs/metrics_table.py``."""

from __future__ import annotations

from math import isinf
from pathlib import Path

from eval.metrics.book import MATCHED, Metric, metrics

PAGE = Path(__file__).with_name("metrics.md")
BEGIN, END = "<!-- begin: python docs/metrics_table.py -->", "<!-- end -->"


def table() -> str:
    """One line a metric, in the order of the book."""
    rows = [
        ("column", "heading", "what it says", "unit", "range", "better", "over", "judge"),
        ("---",) * 8,
        *(_row(record) for record in metrics().values()),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(record: Metric) -> tuple[str, ...]:
    better = "to be matched" if record.direction == MATCHED else record.arrow or "–"
    over = record.population.removesuffix(" cells") if record.kind in ("cell", "derived") else ""
    meaning = record.meaning.replace("|", "\\|")
    return (
        f"`{record.name}`",
        record.heading.replace("<factor>", "a factor"),
        meaning,
        record.unit,
        _range(*record.bounds),
        better,
        over,
        record.judge,
    )


def _range(low: float, high: float) -> str:
    """The possible values.

    >>> _range(0, float("inf")), _range(-1, 1), _range(-float("inf"), float("inf"))
    ('≥ 0', '[-1, 1]', 'any')
    """
    if isinf(low):
        return "any"
    return f"≥ {low:g}" if isinf(high) else f"[{low:g}, {high:g}]"


def page_with_table(text: str) -> str:
    """The page with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
