"""What others published (``reports/paper/published.toml``): a table of its own, as none was measured as a run is."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from reports.paper.parts import TablePart
from reports.writers.layout import Block, Table

COLUMNS = (
    "method",
    "metric",
    "published",
    "unit",
    "source",
    "evidence",
    "measured_on",
)
WARNING = (
    "None of these numbers may be set beside one of this run: they were measured on other images, with other networks "
    "(an FID on Inception's features is not a distance on this domain's features) and on other machines. They say what "
    "was claimed."
)


class Published(NamedTuple):
    """One published number; the fields of ``published.toml``."""

    method: str
    metric: str
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


def published_part(editors: tuple[str, ...]) -> TablePart | None:
    """The numbers of the methods that a run has.

    Args:
        editors: of the run; "styleclip", whose variant is not stated, is taken with any of StyleCLIP's.

    Returns:
        None where nothing was published of these editors.
    """
    families = {editor.split("-")[0] for editor in editors}
    shown = [n for n in published() if n.method in editors or (n.method == "styleclip" and "styleclip" in families)]
    if not shown:
        return None
    data = tuple(
        dict(zip(COLUMNS, (n.method, n.metric, n.value, n.unit, n.source, n.evidence, n.on), strict=True))
        for n in shown
    )
    rows = tuple((n.method, n.metric, n.source, n.on, n.text) for n in shown)
    block = Block("", ("method", "metric", "source", "measured on", "published"), rows, texts=4)
    table = Table("published", "What did others measure?", COLUMNS, data, (block,), (WARNING,))
    levels = ", ".join(dict.fromkeys(number.evidence for number in shown))
    caption = (
        f"Published numbers of the methods of this run ({len(rows)}), with their sources (evidence: {levels}). "
        "What no source is known for is left out."
    )
    return TablePart(table, caption)
