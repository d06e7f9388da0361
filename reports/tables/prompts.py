"""Which prompts does each editor master?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.metrics.book import metric_of
from eval.runs.reader import Run, Setting
from eval.statistics import Interval
from reports.means import eligible, means_of
from reports.tables.columns import EDITOR, ELIGIBLE, KIND, count, label, mean, names, verdict
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text

if TYPE_CHECKING:
    from pandas import DataFrame

MASTERED_SUCCESS = 0.80  # share of eligible edits that the judge must see as asked
MASTERED_PRESERVATION = 0.90  # share of the other visible factors that must stay
ROUNDING = 1e-9  # a mean of 0.9s may come out a digit below 0.9
MASTERED = (
    f"success at least {MASTERED_SUCCESS:.2f} and preservation at least {MASTERED_PRESERVATION:.2f} over eligible cells"
)
COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "prompt": label("name of the prompt"),
    "target": label("its target text"),
    "attribute": label("the factor that it asks to change"),
    "value": label("the value that it asks for"),
    "strength": label("the strength used for this prompt"),
    "eligible": count("number of eligible cells", ELIGIBLE, ("eligible",)),
    "clean_success": mean("clean_success", ELIGIBLE),
    "success": mean("success", ELIGIBLE),
    "preservation": mean("preservation", ELIGIBLE),
    "mastered": verdict(MASTERED, "prompts", ELIGIBLE, ("success", "preservation")),
}
MARK = "✓"
SHOWN = ("clean_success", "success", "preservation")


@dataclass(frozen=True)
class PromptResult:
    """One editor on one prompt at one strength.

    Attributes:
        prompt: its name.
        strength: the one used.
        clean: clean success, over eligible cells.
        success: over eligible cells.
        preservation: over eligible cells.
    """

    prompt: str
    strength: float
    clean: Interval
    success: Interval
    preservation: Interval

    @property
    def mastered(self) -> bool | None:
        """Whether both shares are reached; None without an eligible cell."""
        if self.success.mean is None or self.preservation.mean is None:
            return None
        return _is_mastered(self.success.mean, self.preservation.mean)


def _is_mastered(success: float, preservation: float) -> bool:
    return success >= MASTERED_SUCCESS - ROUNDING and preservation >= MASTERED_PRESERVATION - ROUNDING


def prompt_means(cells: DataFrame) -> DataFrame:
    """Success and preservation of each prompt over its eligible cells, without intervals; those that have both."""
    return eligible(cells).groupby("prompt", sort=False)[["success", "preservation"]].mean().dropna()


def count_mastered(cells: DataFrame) -> int:
    """Of how many prompts both shares are reached."""
    return sum(_is_mastered(*means) for means in prompt_means(cells).itertuples(index=False))


def prompt_results(run: Run, setting: Setting, names: Collection[str] | None = None) -> list[PromptResult]:
    """The prompts of a setting, in the order of the prompt set; those without a finished cell are left out.

    Args:
        run: opened.
        setting: one of its settings.
        names: of the prompts that are wanted; None: all.
    """
    columns = [name for name in SHOWN if name in run.rows]
    cells = run.rows.loc[setting.rows, ["prompt", "strength", "eligible", "source", *columns]]
    parts = dict(iter(cells.groupby("prompt", sort=False)))
    return [
        PromptResult(name, float(parts[name]["strength"].iloc[0]), *means_of(eligible(parts[name]), SHOWN).values())
        for name in (prompt["name"] for prompt in run.prompts)
        if name in parts and (names is None or name in names)
    ]


def prompts_table(run: Run) -> Table:
    """Success, preservation and the strength used, for each editor, kind of strength and prompt."""
    prompts = {prompt["name"]: prompt for prompt in run.prompts}
    data: list[dict[str, Value]] = []
    blocks = []
    for setting in run.settings:
        results = prompt_results(run, setting)
        data += [_data(prompts[result.prompt], setting, result) for result in results]
        blocks.append(_block(run, setting, results))
    note = (
        f"{MARK}: success ≥ {MASTERED_SUCCESS:.2f} and preservation ≥ {MASTERED_PRESERVATION:.2f}, "
        "at one strength for all images of a prompt. Both are over eligible cells."
    )
    return Table(
        "prompts", "Which prompts does each editor master?", names(COLUMNS), tuple(data), tuple(blocks), (note,)
    )


def _data(prompt: dict[str, str], setting: Setting, result: PromptResult) -> dict[str, Value]:
    return {
        "editor": setting.editor,
        "kind": setting.kind,
        "prompt": result.prompt,
        **{field: prompt[field] for field in ("target", "attribute", "value")},
        "strength": result.strength,
        "eligible": result.success.cells,
        **interval_columns("clean_success", result.clean),
        **interval_columns("success", result.success),
        **interval_columns("preservation", result.preservation),
        "mastered": result.mastered,
    }


def _block(run: Run, setting: Setting, results: list[PromptResult]) -> Block:
    targets = {prompt["name"]: prompt["target"] for prompt in run.prompts}
    rows = tuple(
        (
            result.prompt,
            targets[result.prompt],
            f"{result.strength:g}",
            str(result.success.cells),
            interval_text(result.clean, 2),
            interval_text(result.success, 2),
            interval_text(result.preservation, 2),
            MARK if result.mastered else "",
        )
        for result in results
    )
    count = sum(bool(result.mastered) for result in results)
    title = f"{setting.label}: {count} of {len(run.prompts)} prompts mastered"
    header = (
        "prompt",
        "text",
        "strength",
        "eligible cells",
        *(metric_of(name).title for name in SHOWN),
        "mastered",
    )
    return Block(title, header, rows, texts=2)
