"""Which prompts does each editor master?"""

from __future__ import annotations

from eval.runs.reader import Run, Setting
from reports.tables.bar import KEPT_BAR, SUCCESS_BAR, PromptResult, prompt_results
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text

COLUMNS = (
    *("editor", "kind", "prompt", "target", "attribute", "value", "strength", "eligible"),
    *("success", "success_low", "success_high", "kept", "kept_low", "kept_high", "at_bar"),
)
MARK = "✓"


def prompts_table(run: Run) -> Table:
    """Success, kept and the strength used, for each editor, kind of strength and prompt."""
    data: list[dict[str, Value]] = []
    blocks = []
    for setting in run.settings:
        results = prompt_results(run, setting)
        data += [_data(run, setting, result) for result in results]
        blocks.append(_block(run, setting, results))
    note = (
        f"{MARK}: success ≥ {SUCCESS_BAR:.2f} and kept ≥ {KEPT_BAR:.2f}, at one strength for all images of a prompt. "
        "Both are over eligible cells."
    )
    return Table("prompts", "Which prompts does each editor master?", COLUMNS, tuple(data), tuple(blocks), (note,))


def _data(run: Run, setting: Setting, result: PromptResult) -> dict[str, Value]:
    prompt = next(prompt for prompt in run.prompts if prompt["name"] == result.prompt)
    return {
        "editor": setting.editor,
        "kind": setting.kind,
        "prompt": result.prompt,
        **{field: prompt[field] for field in ("target", "attribute", "value")},
        "strength": result.strength,
        "eligible": result.success.cells,
        **interval_columns("success", result.success),
        **interval_columns("kept", result.kept),
        "at_bar": result.at_bar,
    }


def _block(run: Run, setting: Setting, results: list[PromptResult]) -> Block:
    targets = {prompt["name"]: prompt["target"] for prompt in run.prompts}
    rows = tuple(
        (
            result.prompt,
            targets[result.prompt],
            f"{result.strength:g}",
            str(result.success.cells),
            interval_text(result.success, 2),
            interval_text(result.kept, 2),
            MARK if result.at_bar else "",
        )
        for result in results
    )
    count = sum(bool(result.at_bar) for result in results)
    title = f"{setting.label}: {count} of {len(run.prompts)} prompts at the bar"
    header = ("prompt", "text", "strength", "eligible cells", "success ↑", "kept ↑", "at the bar")
    return Block(title, header, rows, texts=2)
