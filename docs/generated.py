"""Tables of pages that are made by scripts: each stands between a mark that names its script and an end mark."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end -->"


def page_with(text: str, script: str, table: str) -> str:
    """The page with the table of a script as it should be."""
    begin = f"<!-- begin: python docs/{script} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n\n{table}\n\n{END}{after}"


def write(page: str, script: str, table: str) -> None:
    """Put the table into a page of this folder."""
    path = Path(__file__).with_name(page)
    path.write_text(page_with(path.read_text(encoding="utf-8"), script, table), encoding="utf-8", newline="\n")
