"""A paper as one Markdown file beside its tables and figures."""

from __future__ import annotations

from reports.paper.parts import FigurePart, Paper, Part, numbered
from reports.writers.layout import Block


def markdown(paper: Paper) -> str:
    """The text of ``paper.md``; pictures are the png files in ``figures/``, files of tables are linked."""
    labels = numbered(paper)
    parts = [f"# {paper.title}", *paper.abstract]
    for section in paper.sections:
        parts += [f"## {section.title}", *section.paragraphs]
        for part in section.parts:
            parts += _part(part, labels)
    return "\n\n".join(parts) + "\n"


def _part(part: Part, labels: dict[tuple[str, str], str]) -> list[str]:
    if isinstance(part, FigurePart):
        label = labels[("Figure", part.name)]
        image = f"![{label}](figures/{part.name}.png)"
        return [image, f"**{label}.** {part.caption} ([pdf](figures/{part.name}.pdf))"]
    table, label = part.table, labels[("Table", part.table.name)]
    caption = f"**{label}.** {part.caption} ([csv](tables/{table.name}.csv), [md](tables/{table.name}.md))"
    return [caption, *(text for block in table.blocks for text in _block(block)), *table.notes]


def _block(block: Block) -> list[str]:
    return ([f"*{block.title}*"] if block.title else []) + [block.markdown()]
