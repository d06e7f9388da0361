"""Whether a run is large enough for its comparisons to find anything."""

from __future__ import annotations

from itertools import combinations

from eval.runs.reader import Run
from eval.statistics import too_small
from reports.equal_effect.prompts import is_control

TESTED = (  # what report.html compares of every pair of editors
    *("clean_success", "success", "preservation", "target_effect", "ad_mean", "identity", "directional_judge"),
    *("counterfactual_psnr_db", "counterfactual_identity"),
)


def tested_columns(run: Run) -> list[str]:
    """Those of ``TESTED`` that the run has a number of."""
    return [name for name in TESTED if name in run.rows and run.rows[name].notna().any()]


def too_small_run(run: Run) -> str | None:
    """One sentence if the comparisons of one setting in report.html cannot show any difference; None if they can.

    Also None where there are no two editors to compare.
    """
    pairs = len(list(combinations([setting for setting in run.headlines if not is_control(setting.editor)], 2)))
    tests = pairs * len(tested_columns(run))
    return too_small(len(run.names), len(run.prompts), tests) if tests else None
