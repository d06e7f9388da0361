"""Statistics of cells: clustered intervals, paired tests, corrected p-values, groups that cannot be told apart.

``docs/statistics.md`` says which method answers which question, and what simulations found.
"""

from eval.statistics.bootstrap import Estimates, image_bootstrap, two_way_bootstrap
from eval.statistics.cells import (
    LIKE_THESE,
    POPULATIONS,
    THESE_PROMPTS,
    Grid,
    grid_of,
    metric_columns,
    paired_differences,
    with_setting,
)
from eval.statistics.comparison import compare_editors, compare_paired, summarise, verdict
from eval.statistics.groups import indistinguishable_groups, letters
from eval.statistics.intervals import Interval, interval_of_mean, overlap
from eval.statistics.permutation import holm, sign_flip_p
from eval.statistics.power import clusters_needed, minimum_detectable_effect, smallest_p, too_small

__all__ = [
    "LIKE_THESE",
    "POPULATIONS",
    "THESE_PROMPTS",
    "Estimates",
    "Grid",
    "Interval",
    "clusters_needed",
    "compare_editors",
    "compare_paired",
    "grid_of",
    "holm",
    "image_bootstrap",
    "indistinguishable_groups",
    "interval_of_mean",
    "letters",
    "metric_columns",
    "minimum_detectable_effect",
    "overlap",
    "paired_differences",
    "sign_flip_p",
    "smallest_p",
    "summarise",
    "too_small",
    "two_way_bootstrap",
    "verdict",
    "with_setting",
]
