"""What is done as a whole, by one worker, and lost as a whole if that worker is killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eval.runs.plan import Chunk

FIT, CALIBRATION, CHUNK = "fit", "calibration", "chunk"


@dataclass(frozen=True)
class Unit:
    """One unit of work of a run.

    Attributes:
        task: ``fit`` (an editor for a prompt), ``calibration`` (of the strengths of both) or ``chunk``.
        editor: label; that of the oracle for its chunks.
        prompt: name.
        edits: about how many it makes, for the progress.
        chunk: which; None for the other tasks.
    """

    task: str
    editor: str
    prompt: str
    edits: int = 0
    chunk: Chunk | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """Prompt and editor."""
        return self.prompt, self.editor


@dataclass(frozen=True)
class Outcome:
    """How a unit ended.

    Attributes:
        unit: which.
        error: why it failed, in one sentence; '' if it was done.
        trace: the traceback.
        costs: of the editor, after it was fitted; None otherwise.
        stops: the folder cannot be written, so that no other unit could be stored either.
    """

    unit: Unit
    error: str = ""
    trace: str = ""
    costs: Mapping[str, Any] | None = None
    stops: bool = False
