"""One plain sentence for every heading: those of metrics from the book, the others stated here."""

from __future__ import annotations

from pathlib import Path

from eval.metrics.book import Metric, metrics
from eval.runs.reader import Run
from reports.tables.prompts import MASTERED

LIMIT = "at N → ∞"
WORDS = {  # what is no metric: heading -> sentence
    "editor": "The method that edits; controls do nothing, or anything, and say what that scores.",
    "strength": "How the editor's one knob was set: published default, calibrated on other images, matched, or given.",
    "prompts mastered": f"Prompts with {MASTERED}.",
    "prompts reached": "Prompts for which some strength has the target effect on the calibration images.",
    "edits that attain it": "Share of the eligible edits, over all prompts, with at least half of the target effect.",
    LIMIT: "The Fréchet distance that a line through smaller sets predicts for endlessly many pictures.",
    "eligible": "There is something to do: the reconstruction lacks the value, and it would show if it were there.",
    "inversion": "The image as encoder and generator give it back before any edit: what doing nothing scores.",
    "counterfactual": "The exactly right picture: the same person with what the text asks for, where that is known.",
    "oracle": "The counterfactual through the inversion: the best that an editor of this generator can score.",
    "matched": "Each editor and prompt has the strength whose mean effect on the calibration images is the goal.",
    "±": "Half of the 95 % interval over source images.",
    "bold": "Best of its kind of strength, controls apart, with an interval that overlaps no other editor's.",
}
COLUMNS = {  # of the explorer's tables -> heading in WORDS
    "prompts_mastered": "prompts mastered",
    "prompts_reached": "prompts reached",
    "reach_edits": "edits that attain it",
}


def glossary(run: Run) -> dict[str, str]:
    """Heading -> sentence: the metrics, then the other words."""
    known = [record for record in metrics().values() if not record.per_factor]
    return {_heading(run, record): record.meaning for record in known} | WORDS


def meaning(run: Run, column: str) -> str:
    """The sentence of a column of the explorer; empty if it has none.

    Args:
        run: whose name of the Fréchet distance counts.
        column: of a table or a chunk.
    """
    distance = str(run.manifest["frechet_name"])
    if column == f"{distance}_extrapolated":
        return WORDS[LIMIT]
    record = metrics().get("frechet" if column in (distance, "same", "others") else column)
    return record.meaning if record is not None else WORDS.get(COLUMNS.get(column, ""), "")


def write_glossary(run: Run) -> Path:
    """Write ``tables/glossary.md`` into the run folder; returns its path."""
    path = run.folder / "tables" / "glossary.md"
    path.write_text(markdown(run), encoding="utf-8", newline="\n")
    return path


def other_words() -> list[tuple[str, str]]:
    """Heading and sentence of what is no column of the explorer, whose columns bring their own."""
    return [(word, text) for word, text in WORDS.items() if word not in (*COLUMNS.values(), LIMIT)]


def markdown(run: Run) -> str:
    """A list in the order of the alphabet."""
    entries = sorted(glossary(run).items(), key=lambda entry: entry[0].casefold())
    return "\n".join(["# What does each heading mean?", "", *(f"* **{word}**: {text}" for word, text in entries), ""])


def _heading(run: Run, record: Metric) -> str:
    return str(run.manifest["frechet_name"]) if record.name == "frechet" else record.heading
