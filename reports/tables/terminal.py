"""The end of ``deltabench run`` on the screen: main table, prompts at the bar, matched strength, failures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from eval.runs.reader import Run, opened
from reports.equal_effect.terminal import matched_summary
from reports.tables.determinism import MARK, unsteady
from reports.writers.layout import number

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WIDTH = 120  # columns of a terminal that the table must fit
SHOWN_FAILURES = 5
COLUMNS = (
    # csv column, heading, decimals, with its interval
    ("success", "success ↑", 2, True),
    ("kept", "kept ↑", 2, True),
    ("target_effect", "effect ↑ σ", 2, False),
    ("ad_mean", "AD ↓ σ", 2, False),
    ("identity", "ident. ↑", 2, False),
    ("clip_score_judge", "CLIP ↑", 1, False),
    ("counterfactual_psnr_db", "PSNR ↑ dB", 1, False),
    ("outside_psnr_db", "outside ↑", 1, False),
)


def summary(run: Run | Path) -> RenderableType:
    """What to print after ``write_tables``, which it reads; at most 120 columns wide.

    Raises:
        ValueError: the folder is no run or has no tables yet.
    """
    from rich.console import Group
    from rich.markup import escape

    run = opened(run)
    mastered, failures = (
        [escape(line) for line in lines] for lines in (_mastered(run, _read(run, "prompts")), _failures(run))
    )
    matched = matched_summary(_read(run, "matched")) if run.matched else []
    notes = [escape(f"{MARK} {label}: {verdict} (table determinism)") for label, verdict in unsteady(run).items()]
    return Group(_main(run, _read(run, "main")), *notes, *mastered, *matched, *failures)


def _read(run: Run, name: str) -> list[dict[str, str]]:
    path = run.folder / "tables" / f"{name}.csv"
    if not path.is_file():
        raise ValueError(f"The run folder has no {path}; write the tables with `deltabench report {run.folder}`.")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _main(run: Run, rows: list[dict[str, str]]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    name = run.manifest["frechet_name"]
    title = f"{run.manifest['domain']}: {len(run.prompts)} prompts × {len(run.names)} images"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("editor", overflow="fold", min_width=16, max_width=20)
    table.add_column("strength", no_wrap=True)
    for _, heading, _, _ in COLUMNS:
        table.add_column(heading.replace(" ", "\n", 1), justify="right", no_wrap=True)
    table.add_column(name.replace("_", "\n", 1) + " ↓", justify="right", no_wrap=True)
    table.add_column("bar", justify="right", no_wrap=True)
    unsteady_editors = unsteady(run)
    for row in rows:
        strength = {"reference": ""}.get(row["kind"], row["strength"] if row["kind"] == "given" else row["kind"])
        values = [_rounded(row, column, digits, spread) for column, _, digits, spread in COLUMNS]
        at_bar = f"{row['prompts_at_bar']}/{row['prompts']}" if row["prompts_at_bar"] else ""
        style = "dim" if row["kind"] == "reference" else ""
        mark = f" {MARK}" if row["editor"] in unsteady_editors else ""
        table.add_row(
            escape(row["editor"] + mark), strength, *values, _rounded(row, name, 2, False), at_bar, style=style
        )
    return table


def _rounded(row: dict[str, str], column: str, digits: int, spread: bool) -> str:
    if not row[column]:
        return ""
    text = number(float(row[column]), digits)
    low, high = row.get(f"{column}_low", ""), row.get(f"{column}_high", "")
    if not spread or not low or low == "n/a":
        return text
    return f"{text} ±{number((float(high) - float(low)) / 2, digits)}"


def _mastered(run: Run, rows: list[dict[str, str]]) -> list[str]:
    lines = []
    for setting in run.headlines:
        mine = [row for row in rows if (row["editor"], row["kind"]) == (setting.editor, setting.kind)]
        if setting.kind == "given":
            mine = [row for row in mine if f"{float(row['strength']):g}" == setting.strength]
        names = [row["prompt"] for row in mine if row["at_bar"] == "True"]
        listed = f": {', '.join(names)}" if names else ""
        lines.append(f"{setting.label}: {len(names)} of {len(run.prompts)} prompts at the bar{listed}")
    return lines


def _failures(run: Run) -> list[str]:
    failures = run.failures
    if not failures:
        return []
    count = "1 chunk" if len(failures) == 1 else f"{len(failures)} chunks"
    lines = [f"{count} failed; the same command again tries once more:"]
    lines += [f"  {failure['id']}: {failure['error']}" for failure in failures[:SHOWN_FAILURES]]
    return lines + (["  …"] if len(failures) > SHOWN_FAILURES else [])
