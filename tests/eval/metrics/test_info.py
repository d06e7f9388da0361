import pytest

from eval.metrics.info import METRICS, metric_info


def test_distances_fall_and_similarities_rise():
    assert {name for name in METRICS if METRICS[name].arrow == "↓"} == {
        *("ad_mean", "ad_max", "outside_l1", "frechet", "kid", "cmmd"),
        *("prepare_s", "fit_s", "edit_s", "peak_memory_mib"),
    }
    assert METRICS["counterfactual_ssim"].arrow == "↑"


def test_units_in_names_are_units():
    for name, info in METRICS.items():
        assert (info.unit == "dB") == name.endswith("_db")
        assert info.lower < info.upper


def test_columns_of_factors():
    assert metric_info("effect.top").unit == "σ"
    assert metric_info("effect.top").higher_is_better is None
    assert (metric_info("kept.top").lower, metric_info("kept.top").upper) == (0, 1)
    with pytest.raises(KeyError):
        metric_info("beauty")
