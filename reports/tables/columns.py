"""What a column of a table is: which number, over which cells, with which interval. Each table lists its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eval.metrics.book import ALL, ELIGIBLE, metric_of

__all__ = ["ALL", "ELIGIBLE", "Column", "cost", "count", "label", "mean", "names", "verdict"]

LABEL, COUNT, MEAN, FRECHET, COST, VERDICT = "label", "count", "mean", "frechet", "cost", "verdict"
BY_IMAGE = "95 %, for images like these and exactly these prompts (docs/statistics.md)"
BY_POPULATION = "95 %, for the population of the row (docs/statistics.md)"
BY_PERSON = "95 %, linear bootstrap by source image, centred on the distance"
DRAWS = {BY_IMAGE: 2000, BY_POPULATION: 2000}  # of those that a table draws with SEED
SEED = 0
TABLES_DOC = "docs/tables.md"
_EARLIER = {"kid": "frechet", "cmmd": "clip_score_judge"}  # whose recipe stands in manifests that lack theirs


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        kind: ``label``, ``count``, ``mean``, ``frechet``, ``cost`` or ``verdict``.
        formula: in one line.
        source: document and heading that explain it.
        measure: the number of a cell that is averaged; '' if none is.
        over: which cells.
        recipes: metrics whose recipes it has, as the manifest names them.
        interval: how its bounds are found; '' if it has none.
        bound: ``low`` or ``high`` if it is a bound itself.
    """

    kind: str
    formula: str
    source: str
    measure: str = ""
    over: str = ""
    recipes: tuple[str, ...] = ()
    interval: str = ""
    bound: str = ""


def label(formula: str) -> Column:
    """A column of words."""
    return Column(LABEL, formula, TABLES_DOC)


def count(formula: str, over: str = "", recipes: tuple[str, ...] = ()) -> Column:
    """A column of whole numbers."""
    return Column(COUNT, formula, TABLES_DOC, over=over, recipes=recipes)


def cost(formula: str, section: str = "Run time") -> Column:
    """A column of seconds or bytes, or of what a check of an editor found."""
    return Column(COST, formula, f"docs/metrics.md, {section}")


def mean(name: str, over: str, interval: str = BY_IMAGE) -> Column:
    """The mean of a metric of the book."""
    record = metric_of(name)
    recipes = {"error": ("counterfactual_psnr_db",)}.get(name, _recipes(name))
    return Column(MEAN, f"mean over {over} of: {record.formula}", record.source, name, over, recipes, interval)


def _recipes(name: str) -> tuple[str, ...]:
    if name.endswith("_error"):
        return ("counterfactual_psnr_db", "inversion_psnr_db") if name == "edit_error" else ("inversion_psnr_db",)
    return ("clean_success", "success", "preservation", "identity") if name == "clean_success" else (name,)


def verdict(formula: str, section: str, over: str = "", recipes: tuple[str, ...] = (), measure: str = "") -> Column:
    """A column that judges, and so rests on numbers of other columns."""
    return Column(VERDICT, formula, f"{TABLES_DOC}, {section}", measure, over, recipes)


EDITOR, KIND = label("label of the editor"), label("how the strength was chosen")
STRENGTH = label("the strength used; 'per prompt' where every prompt has its own")


def names(columns: Mapping[str, Column]) -> tuple[str, ...]:
    """The columns of the csv: those with an interval are followed by its ends.

    >>> names({"editor": EDITOR, "identity": mean("identity", ALL)})
    ('editor', 'identity', 'identity_low', 'identity_high')
    """
    ends = {name: ("", "_low", "_high") if column.interval else ("",) for name, column in columns.items()}
    return tuple(f"{name}{end}" for name, column_ends in ends.items() for end in column_ends)


def manifest_names(column: Column, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics whose recipes a column has, by the manifest's names: ``frechet`` is ``fid`` or ``fd_<domain>``."""
    known = manifest.get("recipes", {})
    found = (name if name in known else _EARLIER.get(name, name) for name in column.recipes)
    return tuple(str(manifest.get("frechet_name", name)) if name == "frechet" else name for name in found)
