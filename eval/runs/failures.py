"""Chunks that could not be finished, and what a user is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.runs.plan import Chunk


@dataclass(frozen=True)
class Failure:
    """A chunk that could not be finished.

    Attributes:
        chunk: which.
        sentence: what went wrong, in one line.
    """

    chunk: Chunk
    sentence: str


def failure_lines(failures: Sequence[Failure], folder: object) -> list[str]:
    """One line for each different failure.

    Args:
        failures: of a run.
        folder: of the run.
    """
    groups: dict[tuple[str, str], list[Chunk]] = {}
    for failure in failures:
        groups.setdefault((failure.chunk.editor, failure.sentence), []).append(failure.chunk)
    lines = []
    for (editor, sentence), failed in groups.items():
        prompts = ", ".join(dict.fromkeys(chunk.prompt for chunk in failed))
        noun = "chunk" if len(failed) == 1 else "chunks"
        where = f"{folder}/chunks/{failed[0].id}.error.json"
        why = sentence.rstrip(".")
        lines.append(f"{editor} failed in {len(failed)} {noun} ({prompts}): {why}; the traceback is in {where}")
    return lines
