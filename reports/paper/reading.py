"""Tables that other commands wrote, read back from their Markdown and csv."""

from __future__ import annotations

import csv
from pathlib import Path

from reports.writers.layout import Block, Table


def read_table(folder: Path, name: str, new_name: str) -> Table | None:
    """A table that was written by ``reports.writers.layout.Table.write``.

    Args:
        folder: where its files are.
        name: of the files, without ending.
        new_name: of the table that is returned.

    Returns:
        The table with its texts as printed and its csv as text; None where one of the files is missing.

    Raises:
        ValueError: the Markdown holds no table.
    """
    text, data = folder / f"{name}.md", folder / f"{name}.csv"
    if not text.is_file() or not data.is_file():
        return None
    with data.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = tuple(dict(row) for row in reader)
        columns = tuple(reader.fieldnames or ())
    question, blocks, notes = _parts(text.read_text(encoding="utf-8"))
    if not blocks:
        raise ValueError(f"{text} holds no table; give the command that wrote it again.")
    return Table(new_name, question, columns, rows, blocks, notes)


def _parts(text: str) -> tuple[str, tuple[Block, ...], tuple[str, ...]]:
    """Question, blocks and notes of a table's Markdown."""
    question, title = "", ""
    blocks: list[Block] = []
    notes: list[str] = []
    for part in text.strip().split("\n\n"):
        if part.startswith("# "):
            question = part[2:].strip()
        elif part.startswith("## "):
            title = part[3:].strip()
        elif part.startswith("|"):
            blocks.append(_block(title, part.splitlines()))
            title = ""
        else:
            notes.append(part)
    return question, tuple(blocks), tuple(notes)


def _block(title: str, lines: list[str]) -> Block:
    header, rule, *rows = (tuple(_cells(line)) for line in lines)
    texts = sum(not cell.endswith(":") for cell in rule)
    return Block(title, header, tuple(rows), texts)


def _cells(line: str) -> list[str]:
    r"""Cells of a pipe table's line.

    >>> _cells(r"| a \| b |  | 1 |")
    ['a | b', '', '1']
    """
    inner = line.strip().removeprefix("|").removesuffix("|").replace("\\|", "\0")
    return [cell.strip().replace("\0", "|") for cell in inner.split("|")]
