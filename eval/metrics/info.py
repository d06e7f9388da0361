"""What each number of a run is: its unit, its direction, its range. Reports print arrows and units from here."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class MetricInfo:
    """One metric.

    Attributes:
        name: the column's name.
        unit: for example ``dB``, ``σ``, ``s``; empty for a pure number.
        higher_is_better: None where neither direction is (a control, or a quantity to match).
        lower: smallest possible value.
        upper: largest possible value.
    """

    name: str
    unit: str
    higher_is_better: bool | None
    lower: float
    upper: float

    @property
    def arrow(self) -> str:
        """Which way is better.

        >>> METRICS["identity"].arrow, METRICS["ad_mean"].arrow, METRICS["target_effect"].arrow
        ('↑', '↓', '')
        """
        return "" if self.higher_is_better is None else "↑" if self.higher_is_better else "↓"


_INFOS = (
    MetricInfo("success", "", True, 0, 1),
    MetricInfo("target_effect", "σ", None, -inf, inf),
    MetricInfo("ad_mean", "σ", False, 0, inf),
    MetricInfo("ad_max", "σ", False, 0, inf),
    MetricInfo("kept", "", True, 0, 1),
    MetricInfo("identity", "", True, -1, 1),
    MetricInfo("clip_score_editing", "", True, 0, 100),
    MetricInfo("clip_score_judge", "", True, 0, 100),
    MetricInfo("directional_editing", "", True, -1, 1),
    MetricInfo("directional_judge", "", True, -1, 1),
    MetricInfo("counterfactual_psnr_db", "dB", True, 0, inf),
    MetricInfo("counterfactual_ssim", "", True, -1, 1),
    MetricInfo("counterfactual_identity", "", True, -1, 1),
    MetricInfo("inversion_psnr_db", "dB", None, 0, inf),
    MetricInfo("inversion_ssim", "", None, -1, 1),
    MetricInfo("outside_psnr_db", "dB", True, 0, inf),
    MetricInfo("outside_l1", "", False, 0, 2),
    MetricInfo("edit_l1", "", None, 0, 2),
    MetricInfo("frechet", "", False, 0, inf),
    MetricInfo("kid", "", False, -inf, inf),
    MetricInfo("cmmd", "", False, -inf, inf),
    MetricInfo("prepare_s", "s", False, 0, inf),
    MetricInfo("fit_s", "s", False, 0, inf),
    MetricInfo("edit_s", "s", False, 0, inf),
    MetricInfo("peak_memory_mib", "MiB", False, 0, inf),
)

METRICS: dict[str, MetricInfo] = {info.name: info for info in _INFOS}


def metric_info(column: str) -> MetricInfo:
    """What a column of the cell table is, also ``kept.<factor>`` and ``effect.<factor>``.

    ``effect.<factor>`` has no direction of its own: wanted for the target, unwanted for any other factor.

    Raises:
        KeyError: no metric of that name.

    >>> metric_info("kept.hair_color").arrow, metric_info("effect.hair_color").unit
    ('↑', 'σ')
    """
    kind, dot, _ = column.partition(".")
    if dot and kind == "kept":
        return MetricInfo(column, "", True, 0, 1)
    if dot and kind == "effect":
        return MetricInfo(column, "σ", None, 0, inf)
    return METRICS[column]
