"""What others published, beside what this run measured (``reports/paper/published.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from reports.paper.parts import TablePart
from reports.writers.layout import Block, Table, Value

COLUMNS = (
    "method",
    "metric",
    "published",
    "unit",
    "ours",
    "ours_text",
    "our_column",
    "source",
    "evidence",
    "measured_on",
)
MARK = "†"
WARNING = (
    "Published numbers were measured on other images, with other networks and on other machines: "
    "they say what was claimed, and cannot be compared with the numbers beside them."
)


class Published(NamedTuple):
    """One published number; the fields of ``published.toml``."""

    method: str
    metric: str
    column: str
    value: str
    unit: str
    source: str
    evidence: str
    on: str

    @property
    def text(self) -> str:
        """Value with its unit, as printed there."""
        return f"{self.value} {self.unit}".strip()


@cache
def published() -> tuple[Published, ...]:
    """All numbers of ``published.toml``, in its order."""
    path = Path(__file__).with_name("published.toml")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["number"]
    return tuple(Published(**entry) for entry in entries)


def published_text(method: str, column: str) -> str:
    """What was published for an editor's column, marked; blank if nothing is known.

    >>> published_text("styleclip-global", "per_edit_s"), published_text("deltaedit", "per_edit_s")
    ('72 ms †', '')
    """
    found = [number for number in published() if (number.method, number.column) == (method, column)]
    return f"{found[0].text} {MARK}" if found else ""


def published_part(ours: Mapping[tuple[str, str], tuple[Value, str]], editors: tuple[str, ...]) -> TablePart | None:
    """The numbers of the methods that a run has, ours beside them.

    Args:
        ours: (editor, column) -> our number and its text.
        editors: of the run; "styleclip", whose variant is not stated, is taken with any of StyleCLIP's.

    Returns:
        None where nothing was published of these editors.
    """
    families = {editor.split("-")[0] for editor in editors}
    shown = [n for n in published() if n.method in editors or (n.method == "styleclip" and "styleclip" in families)]
    if not shown:
        return None
    data, rows = [], []
    for number in shown:
        value, text = ours.get((number.method, number.column), (None, ""))
        data.append(
            {
                "method": number.method,
                "metric": number.metric,
                "published": number.value,
                "unit": number.unit,
                "ours": value,
                "ours_text": text,
                "our_column": number.column,
                "source": number.source,
                "evidence": number.evidence,
                "measured_on": number.on,
            }
        )
        rows.append((number.method, number.metric, number.source, number.on, number.text, text))
    header = ("method", "metric", "source", "measured on", "published", "this run")
    block = Block("", header, tuple(rows), texts=4)
    table = Table("published", "What did others measure?", COLUMNS, tuple(data), (block,), (WARNING,))
    blank = sum(not text for *_, text in rows)
    levels = ", ".join(dict.fromkeys(number.evidence for number in shown))
    caption = (
        f"Published numbers of the methods of this run ({len(rows)}), with their sources (evidence: {levels}). "
        f"{blank} of "
        "them have no number of this run beside them. What no source is known for is left out."
    )
    return TablePart(table, caption)
