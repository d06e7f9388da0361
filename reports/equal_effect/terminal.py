"""The table at equal effect on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reports.writers.layout import number

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = Mapping[str, str]
COLUMNS = (
    # csv column, heading, decimals
    ("target_effect", "effect\nσ", 2),
    ("identity", "ident. ↑", 2),
    ("ad_mean", "AD ↓\nσ", 2),
    ("kept", "kept ↑", 2),
    ("counterfactual_psnr_db", "PSNR ↑\ndB", 1),
    ("counterfactual_identity", "ident. to\nanswer ↑", 2),
)
NOTE = (
    "Letters: editors that share one cannot be told apart (a: the best). Reach: prompts whose calibration attains the "
    "effect / test edits with at least half of it. ‡: not below the oracle."
)


def matched_summary(rows: Sequence[Row]) -> list[RenderableType]:
    """What to print of ``tables/matched.csv``: at most 120 columns wide.

    Args:
        rows: of the csv.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="At equal target effect", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("goal\nσ", justify="right")
    table.add_column("editor", overflow="fold", min_width=16, max_width=22)
    table.add_column("reach\nprompts", justify="right")
    table.add_column("reach\nedits", justify="right")
    for _, heading, _ in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("on\nprompts", justify="right")
    for place, row in enumerate(rows):
        new = place == 0 or rows[place - 1]["goal"] != row["goal"]
        last = place + 1 == len(rows) or rows[place + 1]["goal"] != row["goal"]
        mark = " ‡" if row["at_ceiling"] == "True" else ""
        reached = f"{row['prompts_reached']}/{row['prompts']}" if row["prompts_reached"] else ""
        table.add_row(
            f"{float(row['goal']):g}" if new else "",
            escape(row["editor"]) + mark,
            reached,
            number(float(row["reach_edits"]), 2) if row["reach_edits"] else "",
            *(_cell(row, column, digits) for column, _, digits in COLUMNS),
            row["prompts_compared"] if new else "",
            style="" if row["role"] == "compared" else "dim",
            end_section=last,
        )
    return [table, NOTE]


def _cell(row: Row, column: str, digits: int) -> str:
    """The mean, half of its interval and the letters of its groups."""
    if not row[column]:
        return ""
    text, low, high = number(float(row[column]), digits), row[f"{column}_low"], row[f"{column}_high"]
    if low not in ("", "n/a"):
        text += f" ±{number((float(high) - float(low)) / 2, digits)}"
    return f"{text} {row.get(f'{column}_group', '')}".rstrip()
