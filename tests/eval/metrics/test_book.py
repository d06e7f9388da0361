"""The records that everything reads, and the table of the documentation that is written from them."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from eval.metrics.book import ALL, CELL, ELIGIBLE, GROUPS, column_names, grouped, metric_of, metrics

DOCS = Path(__file__).parents[3] / "docs"


def test_distances_fall_and_similarities_rise():
    assert {name for name, record in metrics().items() if record.arrow == "↓"} == {
        *("ad_mean", "ad_max", "outside_l1", "error", "edit_error", "frechet", "kid", "cmmd"),
        *("prepare_s", "fit_s", "per_edit_s", "edit_s", "peak_memory_mib"),
    }
    assert metric_of("counterfactual_ssim").arrow == "↑"


def test_the_effect_is_matched_not_maximised():
    effect = metric_of("target_effect")
    assert (effect.direction, effect.arrow, effect.sign, effect.title) == ("matched", "", 0, "target effect (σ)")


def test_units_in_names_are_units():
    for name, record in metrics().items():
        assert (record.unit == "dB") == name.endswith("_db")
        assert record.bounds[0] < record.bounds[1]
        assert record.meaning.endswith(".") and record.formula and record.heading


def test_columns_of_factors():
    assert (metric_of("effect.top").unit, metric_of("effect.top").sign) == ("σ", 0)
    assert metric_of("preservation.hair_color").formula == "1 if the judge reads hair color as before the edit, else 0"
    assert metric_of("preservation.top").is_share and metric_of("preservation.top").heading == "preservation of top"
    for name in ("beauty", "beauty.top"):
        with pytest.raises(KeyError):
            metric_of(name)


def test_the_columns_of_a_chunk_keep_their_order():
    assert column_names(["hair", "mouth"]) == (
        *(
            "eligible",
            "success",
            "target_effect",
            "ad_mean",
            "ad_max",
            "preservation",
            "preservation.hair",
            "preservation.mouth",
        ),
        *("effect.hair", "effect.mouth", "identity", "clip_score_editing", "clip_score_judge"),
        *("directional_editing", "directional_judge", "counterfactual_psnr_db", "counterfactual_ssim"),
        *("counterfactual_identity", "inversion_psnr_db", "inversion_ssim"),
        *("outside_psnr_db", "outside_l1", "edit_l1", "clean_success", "success_by_attributes"),
        *("success_by_second", "real", "success_by_counterfactual"),
    )


def test_what_attributes_became_is_over_eligible_cells():
    for name, record in metrics().items():
        if record.kind == CELL and name != "eligible":
            seen = record.judge == "attribute-judge" or name.startswith("success_by_") or name == "real"
            assert record.population == (ELIGIBLE if seen else ALL), name
    assert [record.name for record in grouped(GROUPS[0])] == [
        *("success", "target_effect", "ad_mean", "ad_max", "preservation", "clean_success")
    ]
    assert [record.name for record in grouped(GROUPS[1])] == [
        *("success_by_attributes", "success_by_second", "real", "success_by_counterfactual")
    ]


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match=r"The direction of the metric identity must be one of 'more', .* Got 'up'"):
        replace(metric_of("identity"), direction="up")


def test_the_table_of_the_documentation_is_current(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    page_with, table = importlib.import_module("generated").page_with, importlib.import_module("metrics_table").table
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert page == page_with(page, "metrics_table.py", table()), "write it anew with `python docs/metrics_table.py`"
    headings = {line[3:].split(" (")[0].split(":")[0] for line in page.splitlines() if line[:3] == "## "}
    assert {record.section for record in metrics().values()} <= headings
