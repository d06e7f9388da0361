"""Writes the table of docs/metrics.md from the book of metrics: ``python docs/metrics_table.py``."""

from __future__ import annotations

from math import isinf

from generated import write

from eval.metrics.book import MATCHED, Metric, metrics


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


if __name__ == "__main__":
    write("metrics.md", "metrics_table.py", table())
