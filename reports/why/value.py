"""What a user may write for a value, and which number of a table it names.

``main:deltaedit:calibrated:success``, the same as ``main.success[deltaedit,calibrated]``: a table, words that tell its
rows apart, and a column, in any order behind the table; a bound with ``_low`` or ``_high``.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from eval.runs.names import current_name
from reports.tables.recipes import column_of, known_tables

Rows = list[dict[str, str]]  # of a csv
KEYS = {
    "main": ("editor", "kind", "strength"),
    "prompts": ("editor", "kind", "strength", "prompt"),
    "attributes": ("editor", "kind", "strength", "target", "attribute"),
    "counterfactual": ("editor", "kind", "strength"),
    "runtime": ("editor",),
    "strengths": ("editor", "prompt", "strength"),
    "matched": ("goal", "editor"),
    "pareto": ("axis", "editor", "goal"),
    "frechet": ("editor", "kind", "strength"),
    "originals": ("editor", "kind", "strength"),
    "real_values": ("editor", "kind", "strength", "prompt"),
    "frechet_sizes": ("editor", "kind", "strength", "n"),
    "determinism": ("editor",),
}
SHOWN = 12  # candidates in one message


class Number(NamedTuple):
    """One number of a table.

    Attributes:
        table: name.
        row: of its csv.
        column: name.
    """

    table: str
    row: dict[str, str]
    column: str

    @property
    def name(self) -> str:
        """How to write it."""
        return written(self.table, self.row, self.column)


def find_value(folder: Path, text: str) -> Number:
    """The number that a text names.

    Args:
        folder: of a run with tables.
        text: what the user wrote.

    Raises:
        ValueError: nothing or more than one number fits; the sentence names the nearest ones.
    """
    table, words = _parted(text)
    tables = tables_of(folder)
    if table not in tables:
        raise ValueError(no_such("table", table, tables, f"write for example {_example(folder)}"))
    if table not in KEYS:
        raise ValueError(
            f"The table {table} has no explanation; there is one for {', '.join(t for t in tables if t in KEYS)}."
        )
    rows = read_table(folder, table)
    columns = [name for name in rows[0] if name not in KEYS[table]] if rows else []
    found = list(_readings(table, rows, columns, words))
    if len(found) == 1:
        return found[0]
    raise ValueError(_complaint(table, rows, columns, words, found))


def tables_of(folder: Path) -> list[str]:
    """Names of the tables that a run folder has."""
    order = known_tables()
    names = [
        path.stem for path in (folder / "tables").glob("*.csv") if path.stem != "recipes" and "--" not in path.stem
    ]
    if not names:
        raise ValueError(f"{folder} has no tables; write them with `deltabench report {folder}`.")
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def read_table(folder: Path, table: str) -> Rows:
    """The rows of a table's csv, its columns under today's names."""
    with (folder / "tables" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [{current_name(name): text for name, text in row.items()} for row in csv.DictReader(file)]


def written(table: str, row: dict[str, str], column: str) -> str:
    """A value as one may write it.

    >>> written("matched", {"goal": "1.0", "editor": "deltaedit"}, "preservation")
    'matched:1:deltaedit:preservation'
    """
    words = [_short(row[key]) for key in KEYS[table] if row.get(key)]
    return ":".join([table, *words, column])


def _short(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _parted(text: str) -> tuple[str, list[str]]:
    """The table and the other words.

    >>> _parted("main.success[deltaedit[threshold=0.05], calibrated]")
    ('main', ['success', 'deltaedit[threshold=0.05]', 'calibrated'])
    >>> _parted("main:deltaedit:success")
    ('main', ['deltaedit', 'success'])
    """
    text = text.strip()
    shaped = re.fullmatch(r"(\w+)\.([\w.]+)(?:\[(.*)\])?", text)
    if shaped and ":" not in text.split("[")[0]:
        return shaped[1], [shaped[2], *_split(shaped[3] or "", ",")]
    words = _split(text, ":")
    return (words[0] if words else ""), words[1:]


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks, but not between those inside brackets."""
    parts = re.split(mark + r"(?![^\[\]]*\])", text)
    return [part.strip() for part in parts if part.strip()]


def _readings(table: str, rows: Rows, columns: Sequence[str], words: Sequence[str]) -> Iterable[Number]:
    """Every number that the words fit: one of them is a column, the others are labels of a row.

    A word may be both (``identity`` is an editor and a column), so every word is tried, the last one first; the first
    reading that leaves one row counts.
    """
    several: list[Number] = []
    for place in reversed(range(len(words))):
        if words[place] not in columns:
            continue
        others = [word for number, word in enumerate(words) if number != place]
        found = [Number(table, row, words[place]) for row in rows if _fits(table, row, others)]
        if len(found) == 1:
            return found
        several = several or found
    return several


def _fits(table: str, row: dict[str, str], words: Sequence[str]) -> bool:
    """Whether every word is a label of the row, each of another column."""
    keys = list(KEYS[table])
    for word in words:
        name, _, value = word.partition("=")
        named = name in KEYS[table] and bool(value)
        match = next((k for k in keys if (not named or k == name) and _equal(value if named else word, row[k])), None)
        if match is None:
            return False
        keys.remove(match)
    return True


def _equal(word: str, label: str) -> bool:
    if word.lower() == label.lower():
        return True
    try:
        return float(word.removesuffix("σ")) == float(label)
    except ValueError:
        return False


def _complaint(table: str, rows: Rows, columns: Sequence[str], words: Sequence[str], found: Sequence[Number]) -> str:
    """One sentence about words that fit no number, or several."""
    if found:
        names = [number.name for number in found]
        return f"{':'.join([table, *words])} fits {len(names)} values: {listed(names)}; add what tells them apart."
    labels = list(dict.fromkeys(_short(row[key]) for row in rows for key in KEYS[table] if row[key]))
    strange = [w for w in words if w not in columns and not any(_fits(table, row, [w]) for row in rows)]
    if strange:
        return no_such(
            f"column or row in the table {table}",
            strange[0],
            [*labels, *columns],
            f"its columns are {listed(plain(columns))}",
        )
    if any(word in columns for word in words):
        return f"No row of the table {table} has all of {', '.join(words)}; its rows are {listed(_rows(table, rows))}."
    fitting = [row for row in rows if _fits(table, row, words)] or rows
    return (
        f"{':'.join([table, *words])} names no column; there are {listed(plain(columns), len(columns))}, for example "
        f"{written(table, fitting[0], columns[-1] if len(columns) == 1 else _first_number(table, columns))}."
    )


def plain(columns: Sequence[str]) -> list[str]:
    """The columns without their bounds."""
    return [name for name in columns if not name.endswith(("_low", "_high"))]


def _first_number(table: str, columns: Sequence[str]) -> str:
    """A column with an interval, for examples."""
    for name in columns:
        column = column_of(table, name)
        if column is not None and column.interval:
            return name
    return columns[0]


def _rows(table: str, rows: Rows) -> list[str]:
    return [":".join(_short(row[key]) for key in KEYS[table] if row[key]) for row in rows]


def listed(names: Sequence[str], most: int = SHOWN) -> str:
    """Names with commas between them, not too many.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    shown, more = names[:most], len(names) - most
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def no_such(what: str, got: str, allowed: Sequence[str], more: str) -> str:
    """The sentence for a name that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(got, allowed, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    return f"There is no {what} '{got}'{guess} There are: {listed(allowed)}; {more}."


def _example(folder: Path) -> str:
    tables = tables_of(folder)
    rows = read_table(folder, "main") if "main" in tables else []
    return written("main", rows[0], "success") if rows else "main:deltaedit:default:success"


def overview(folder: Path) -> list[tuple[str, str, list[str]]]:
    """What can be looked up: table, an example, its columns."""
    found = []
    for table in tables_of(folder):
        rows = read_table(folder, table)
        if rows and table in KEYS:
            columns = [name for name in rows[0] if name not in KEYS[table]]
            found.append((table, written(table, rows[0], _first_number(table, columns)), plain(columns)))
    return found
