"""Texts of reports as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "✓": r"$\checkmark$",
    "±": r"$\pm$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "Δ": r"$\Delta$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "‡": r"$\ddagger$",
    "†": r"$\dagger$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "|": r"$|$",
    "³": r"$^3$",
    "é": r"\'e",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "’": "'",
    "‖": r"$\Vert$",
    "·": r"$\cdot$",
    "←": r"$\leftarrow$",
    "≤": r"$\leq$",
    "α": r"$\alpha$",
    "\u2212": r"$-$",
    "½": r"$\frac12$",
    "●": r"$\bullet$",
    "\u00a0": "~",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def latex_row(cells: Sequence[str]) -> str:
    """A row of a ``tabular``."""
    return " & ".join(map(escaped, cells)) + r" \\"


def escaped(text: str) -> str:
    r"""Text of a report as LaTeX: ``**bold**`` and code in backticks become commands.

    A letter that pdflatex cannot set is printed as its number, never left out.

    >>> print(escaped("**0.5 ±0.1** of a_b"), escaped("run `deltabench paper RUN_1`"), escaped("字"))
    \textbf{0.5 $\pm$0.1} of a\_b run \texttt{deltabench paper RUN\_1} [U+5B57]
    """
    pieces = re.split(r"(\*\*[^*]+\*\*|`[^`]+`)", text)
    return "".join(map(_piece, pieces))


def _piece(text: str) -> str:
    if len(text) > 4 and text.startswith("**") and text.endswith("**"):
        return rf"\textbf{{{_letters(text[2:-2])}}}"
    if len(text) > 2 and text.startswith("`") and text.endswith("`"):
        return rf"\texttt{{{_letters(text[1:-1])}}}"
    return _letters(text)


def _letters(text: str) -> str:
    minus = re.sub(r"(?<![\w-])-(?=\.?\d)", "\u2212", text)  # a hyphen before a number is a minus
    return "".join(map(_letter, minus))


def _letter(letter: str) -> str:
    known = LATEX.get(letter)
    if known:
        return known
    # Latin letters with accents are in the font; anything else would stop pdflatex
    return letter if ord(letter) < 0x180 else f"[U+{ord(letter):04X}]"
