from __future__ import annotations

import csv
import io

from reports.studies.ablation_table import MEASURES, ArmResult, Difference, Mean, ablation_table

NAN = float("nan")


def mean(value, half=0.1):
    return Mean(value, value - half, value + half)


BASE = ArmResult("τ = 0.03", 24, 23, 0.391, 2.054, {name: mean(0.5) for name in MEASURES})
WORSE = ArmResult(
    "no mask",
    24,
    20,
    0.612,
    1.9,
    {**{name: mean(0.4) for name in MEASURES}, "counterfactual_ssim": mean(NAN)},
    {
        name: Difference(-0.1, -0.15, -0.05, 0.001, {"preservation": 0.004, "success": 0.05}.get(name, 0.9), 812)
        for name in MEASURES
    },
)
BETTER = ArmResult(
    "one seed",
    8,
    8,
    1.0,
    NAN,
    {name: Mean(0.6, NAN, NAN) for name in MEASURES},
    {name: Difference(0.1, NAN, NAN, NAN, NAN, 400) for name in MEASURES},
)
TABLE = ablation_table("mask", "What does it keep?", 1.0, "τ = 0.03", [BASE, WORSE, BETTER])


def test_means():
    block = TABLE.blocks[0]
    assert block.title == "Means at an effect of 1 σ"
    columns = {row[0]: dict(zip(block.header, row, strict=True)) for row in block.rows}
    base = columns["τ = 0.03 (baseline)"]
    assert [base[name] for name in ("matched", "strength", "effect at strength 1 (σ)")] == ["23 of 24", "0.39", "2.05"]
    assert base["success ↑"] == "0.50 ±0.10" and base["preservation ↑"] == "0.500 ±0.100"
    assert columns["no mask"]["counterfactual SSIM ↑"] == ""
    assert (
        columns["one seed"]["preservation ↑"] == "0.600 ±n/a" and columns["one seed"]["effect at strength 1 (σ)"] == ""
    )


def test_differences_are_bold_only_where_the_corrected_test_finds_them():
    block = TABLE.blocks[1]
    assert [row[0] for row in block.rows] == ["no mask", "one seed"]
    worse, better = (dict(zip(block.header, row, strict=True)) for row in block.rows)
    assert "target effect (σ)" not in worse  # it was made equal
    assert worse["shared cells"] == "812"
    assert worse["preservation ↑"] == "**-0.100 ±0.050**"
    assert worse["success ↑"] == "-0.10 ±0.05"  # 0.05 itself is not below 0.05
    assert better["preservation ↑"] == "+0.100 ±n/a"


def test_csv_holds_everything():
    base, worse, better = csv.DictReader(io.StringIO(TABLE.csv()))
    assert (base["arm"], base["baseline"], base["preservation_difference"]) == ("τ = 0.03", "True", "")
    assert (
        float(worse["preservation_difference_p_holm"]) == 0.004 and float(worse["preservation_difference_low"]) == -0.15
    )
    assert (worse["counterfactual_ssim"], better["preservation_low"]) == ("", "n/a")


def test_latex_knows_the_signs():
    assert r"$\tau$ = 0.03 (baseline)" in TABLE.latex()
    assert all(ord(letter) < 128 for line in TABLE.latex().splitlines() if line[:1] != "%" for letter in line)


def test_without_a_baseline_there_are_only_means():
    assert len(ablation_table("mask", "?", 1.0, "gone", [BASE]).blocks) == 1
