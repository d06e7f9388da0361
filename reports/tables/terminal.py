"""The end of ``deltabench run`` on the screen, 80 columns wide: main table, prompts, equal effect, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eval.metrics.book import Metric, metric_of
from eval.runs.reader import Run
from reports.conclusions import conclusions
from reports.power import too_small_run
from reports.tables.determinism import MARK, unsteady
from reports.tables.main import measures
from reports.verdicts import orders
from reports.writers.layout import Table, Value, number

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable

WIDTH = 80  # columns of a terminal that everything fits
SHOWN_FAILURES = 5
SPREAD = ("clean_success", "success", "preservation")  # with ± half of the interval
COLUMNS = (*SPREAD, "target_effect", "identity")  # the most important ones; the rest is named below
MATCHED_COLUMNS = ("identity", "ad_mean", "preservation")
LETTERS = (
    "Letters: editors that share one cannot be told apart (a: the best). Reach: prompts\nwhose calibration attains the "
    "effect. ‡: not below the oracle."
)
Row = Mapping[str, Value]


def summary(run: Run, tables: Sequence[Table]) -> RenderableType:
    """What to print of the tables that were built of a run."""
    from rich.console import Group
    from rich.markup import escape

    rows = {table.name: table.data for table in tables}
    lines = [
        " ".join(conclusions(run)),
        *(f"{MARK} {label}: {verdict} (table determinism)" for label, verdict in unsteady(run).items()),
        *_mastered(run, rows["prompts"]),
        *orders(rows["main"]),
        *([small] if (small := too_small_run(run)) else []),
    ]
    matched: list[RenderableType] = []
    if "matched" in rows:
        matched = [_matched(rows["matched"], run.effect_unit), LETTERS]
    failures = [escape(line) for line in _failures(run)]
    lines = [*([run.unfinished] if run.unfinished else []), *lines]
    return Group(_main(run, rows["main"]), *map(escape, [*lines, _rest(run, rows["main"])]), *matched, *failures)


def _table(title: str) -> RichTable:
    from rich import box
    from rich.table import Table

    return Table(  # without edges the names of shipped editors fit 80 columns
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )


def _heading(record: Metric) -> str:
    unit = f" {record.unit}" if record.unit else ""
    return f"{record.label}\n{record.arrow}{unit}".rstrip()


def _main(run: Run, rows: Sequence[Row]) -> RichTable:
    from rich.markup import escape

    table = _table(f"{run.manifest['domain']}: {len(run.prompts)} prompts × {len(run.names)} images")
    table.add_column("editor", overflow="fold", min_width=12, max_width=16)
    table.add_column("strength", no_wrap=True)
    shown = _shown(rows)
    for name in shown:
        table.add_column(_heading(metric_of(name)), justify="right", no_wrap=True)
    table.add_column("mas-\ntered", justify="right", no_wrap=True)
    unsteady_editors = unsteady(run)
    for row in rows:
        strength = {"reference": ""}.get(str(row["kind"]), str(row["strength" if row["kind"] == "given" else "kind"]))
        mastered = "" if row["prompts_mastered"] is None else f"{row['prompts_mastered']}/{row['prompts']}"
        mark = f" {MARK}" if row["editor"] in unsteady_editors else ""
        values = [_cell(row, name, name in SPREAD) for name in shown]
        style = "dim" if row["kind"] == "reference" else ""
        if not style or any(values):
            table.add_row(escape(f"{row['editor']}{mark}"), strength, *values, mastered, style=style)
    return table


def _shown(rows: Sequence[Row]) -> list[str]:
    """Those of ``COLUMNS`` that the screen has room for: the effect, which ranks nobody, gives way to clean success."""
    known = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
    return [name for name in known if name != "target_effect" or "clean_success" not in known]


def _rest(run: Run, rows: Sequence[Row]) -> str:
    """The columns that the screen has no room for."""
    shown = _shown(rows)
    names = [record.heading for record in measures() if record.name not in shown]
    distance = str(run.manifest["frechet_name"])
    return (
        f"Further columns in tables/main.md: {'; '.join([*names, distance])}. Costs: tables/runtime.md. "
        "What each heading means: tables/glossary.md."
    )


def _cell(row: Row, name: str, spread: bool) -> str:
    """The mean, with half of its interval where there is one."""
    mean, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if not isinstance(mean, int | float):
        return ""
    digits = metric_of(name).digits
    text = number(mean, digits)
    if not spread or not isinstance(low, int | float) or not isinstance(high, int | float):
        return text
    return f"{text} ±{number((high - low) / 2, digits)}"


def _mastered(run: Run, rows: Sequence[Row]) -> list[str]:
    lines = []
    for setting in run.headlines:
        mine = [row for row in rows if (row["editor"], row["kind"]) == (setting.editor, setting.kind)]
        if setting.kind == "given":
            mine = [row for row in mine if f"{row['strength']:g}" == setting.strength]
        names = [str(row["prompt"]) for row in mine if row["mastered"] is True]
        listed = f": {', '.join(names)}" if names else ""
        lines.append(f"{setting.label}: {len(names)} of {len(run.prompts)} prompts mastered{listed}")
    return lines


def _matched(rows: Sequence[Row], unit: str) -> RichTable:
    """The table at equal effect: one block a goal."""
    from rich.markup import escape

    table = _table("At equal target effect")
    table.add_column(f"effect\n{unit}", justify="right")
    table.add_column("editor", overflow="fold", min_width=12, max_width=22)
    table.add_column("reach", justify="right")
    for name in MATCHED_COLUMNS:
        table.add_column(_heading(metric_of(name)), justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        new = place == 0 or rows[place - 1]["goal"] != row["goal"]
        last = place + 1 == len(rows) or rows[place + 1]["goal"] != row["goal"]
        mark = " ‡" if row.get("at_ceiling") else ""
        reached = "" if row.get("prompts_reached") is None else f"{row['prompts_reached']}/{row['prompts']}"
        values = [f"{_cell(row, name, True)} {row.get(f'{name}_group') or ''}".rstrip() for name in MATCHED_COLUMNS]
        table.add_row(
            f"{row['goal']:g}" if new else "",
            escape(f"{row['editor']}{mark}"),
            reached,
            *values,
            style="" if row["role"] == "compared" else "dim",
            end_section=last,
        )
    return table


def _failures(run: Run) -> list[str]:
    failures = run.failures
    if not failures:
        return []
    count = "1 chunk" if len(failures) == 1 else f"{len(failures)} chunks"
    lines = [f"{count} failed; the same command tries once more:"]
    lines += [f"  {failure['id']}: {failure['error']}" for failure in failures[:SHOWN_FAILURES]]
    return lines + (["  …"] if len(failures) > SHOWN_FAILURES else [])
