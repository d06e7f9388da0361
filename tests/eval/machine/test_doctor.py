from __future__ import annotations

import json
from typing import Any

import pytest

from eval.cli import main
from eval.machine.slow import slow_points

FACTS: dict[str, Any] = {
    "processor": {"usable": 8.0, "load": 0.1, "vectors": "AVX512"},
    "threads": {"torch": 8},
    "memory": {"free_gib": 20.0, "swap_used_gib": 0.0},
    "cache": {"free_gib": 100.0, "folder": "/cache"},
    "devices": [{"device": "cuda:0"}, {"device": "cpu"}],
    "versions": {"torch": "2.9"},
    "blas": {"torch": "mkl", "numpy": "mkl-sdl"},
}


def test_a_good_machine_has_no_slow_points() -> None:
    assert list(slow_points(FACTS)) == []


@pytest.mark.parametrize(
    ("part", "values", "told"),
    [
        ("processor", {"vectors": "DEFAULT"}, "uses no AVX2"),
        ("processor", {"usable": 2.0}, "8 threads for 2 usable cores: set OMP_NUM_THREADS=2"),
        ("processor", {"load": 7.5}, "7.5 busy threads share 8 cores"),
        ("memory", {"free_gib": 0.5}, "Only 0.5 GiB of memory"),
        ("memory", {"swap_used_gib": 3.0}, "3.0 GiB are swapped out"),
        ("cache", {"free_gib": 0.1}, "free in /cache"),
        ("blas", {"numpy": "scipy-openblas"}, "PyTorch multiplies with mkl, NumPy with scipy-openblas"),
    ],
)
def test_what_is_slow_is_told_with_what_to_do(part: str, values: dict[str, Any], told: str) -> None:
    facts = {**FACTS, part: {**FACTS[part], **values}}
    assert any(told in sentence for sentence in slow_points(facts))
    assert all(len(sentence) <= 300 for sentence in slow_points(facts))


def test_the_table_fits_80_columns_and_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80 and any(line.startswith("computes on ") for line in lines)
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["weights"]["avatars"] == "ready" and found["processor"]["cores"] >= 1
