"""A paper as LaTeX: one document, and one ``tabular`` a file that can be taken into another document."""

from __future__ import annotations

import re

from reports.paper.parts import FigurePart, Paper, Section
from reports.writers.latex import escaped, latex_row
from reports.writers.layout import Block, Table
from reports.writers.style import wrapped

PREAMBLE = r"""% Written by `deltabench paper`; compile with `pdflatex paper.tex`, twice.
\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[letterpaper,margin=0.8in]{geometry}
\usepackage{amssymb}
\usepackage{booktabs}
\usepackage{graphicx}
\setcounter{topnumber}{4}
\setcounter{totalnumber}{6}
\renewcommand{\topfraction}{0.95}
\renewcommand{\textfraction}{0.05}
\renewcommand{\floatpagefraction}{0.6}
\emergencystretch=2em
\setlength{\belowcaptionskip}{6pt}
% A box that is wider than the line is shrunk to it.
\newsavebox{\fitbox}
\newcommand{\fit}[1]{\sbox{\fitbox}{#1}%
  \ifdim\wd\fitbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\fitbox}}\else\usebox{\fitbox}\fi}
"""
SHORTEST_HEADING = 9  # letters a line of a heading may always have


def latex(paper: Paper) -> str:
    """The text of ``paper.tex``; needs ``tables/*.tex`` and ``figures/*.pdf`` beside it."""
    parts = [
        PREAMBLE,
        rf"\title{{{escaped(paper.title)}}}" + "\n\\author{}\n\\date{}",
        r"\begin{document}",
        r"\maketitle",
    ]
    parts += map(escaped, paper.abstract)
    for section in paper.sections:
        parts += _section(section)
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def _section(section: Section) -> list[str]:
    return [
        rf"\section{{{escaped(section.title)}}}",
        *map(escaped, section.paragraphs),
        *(
            _figure(part) if isinstance(part, FigurePart) else _table(part.table, part.caption)
            for part in section.parts
        ),
        *([r"\clearpage"] if section.parts else []),
    ]


def _figure(part: FigurePart) -> str:
    lines = [
        r"\begin{figure}[htbp]",
        r"\centering",
        # a figure keeps its own size, so that its letters stay readable, unless it is too large for the page
        rf"\fit{{\includegraphics{{figures/{part.name}.pdf}}}}",
        rf"\caption{{{escaped(part.caption)}}}",
        rf"\label{{fig:{part.name}}}",
        r"\end{figure}",
    ]
    return "\n".join(lines)


def _table(table: Table, caption: str) -> str:
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        r"\small",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{tab:{table.name}}}",
    ]
    for name, block in zip(tabular_names(table), table.blocks, strict=True):
        if block.title:
            lines.append(rf"\par\medskip\textit{{{escaped(block.title)}}}\par\smallskip")
        lines.append(rf"\fit{{\input{{tables/{name}.tex}}}}")
    if table.notes:
        lines.append(
            rf"\par\medskip\begin{{minipage}}{{\linewidth}}\footnotesize "
            rf"{' '.join(map(escaped, table.notes))}\end{{minipage}}"
        )
    return "\n".join([*lines, r"\end{table}"])


def tabular_names(table: Table) -> list[str]:
    """Names of the files of a table's blocks: the table's own, with a number where there are several.

    >>> tabular_names(Table("a", "?", (), (), (Block("", (), ()), Block("", (), ()))))
    ['a_1', 'a_2']
    """
    if len(table.blocks) == 1:
        return [table.name]
    return [f"{table.name}_{number + 1}" for number in range(len(table.blocks))]


def tabular(table: Table, block: Block) -> str:
    """The text of one file: a ``tabular`` with booktabs' rules."""
    columns = "l" * block.texts + "r" * (len(block.header) - block.texts)
    rows = [*map(latex_row, header_lines(block)), r"\midrule", *map(latex_row, block.rows)]
    lines = [
        f"% {_comment(table.question)}" + (f" {_comment(block.title)}" if block.title else ""),
        "% Needs \\usepackage{booktabs,amssymb}",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}%",
    ]
    return "\n".join(lines) + "\n"


def header_lines(block: Block) -> list[tuple[str, ...]]:
    """The headings of a block broken into lines no wider than the column's cells need; short ones stand at the bottom.

    >>> header_lines(Block("", ("editor", "edits that attain it"), (("a", "0.74 ±0.06"),)))
    [('', 'edits that'), ('editor', 'attain it')]
    """
    columns = zip(map(_tied, block.header), *block.rows, strict=True)
    broken = [
        wrapped(head, max([SHORTEST_HEADING, *map(_shown_length, cells)])).splitlines() for head, *cells in columns
    ]
    lines = max(map(len, broken))
    padded = [[""] * (lines - len(parts)) + parts for parts in broken]
    return [tuple(parts[line] for parts in padded) for line in range(lines)]


def _tied(heading: str) -> str:
    """An arrow or a unit stays with its word."""
    return re.sub(r" (?=[↑↓])", "\u00a0", heading)


def _shown_length(cell: str) -> int:
    return len(cell.strip("*`"))


def _comment(text: str) -> str:
    return text.replace("\n", " ")
