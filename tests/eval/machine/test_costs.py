from __future__ import annotations

from typing import Any

import pytest
import torch

from eval.machine.costs import known_costs, predicted, store_costs
from eval.machine.operations import Operation, macs_of, markdown
from eval.runs.plan import Arguments, Strength

COSTS = {
    "source_s": 1.0, "counterfactual_s": 2.0, "synthesis_s": 0.5, "judge_s": 0.25, "sweep_judge_s": 0.125,
    "identity": {"prepare_s": 3.0, "fit_s": 4.0, "edit_s": 0.75, "offset_s": 0.0},
    "peak_memory_mib": 900.0,
    "source_bytes": 1000.0, "counterfactual_bytes": 100.0, "picture_bytes": 10.0, "cell_bytes": 1.0,
}  # fmt: skip


def test_predictions_are_the_sums_by_hand(tiny_domain: Any) -> None:
    arguments = Arguments("tiny", ("identity",), tiny_domain.prompts[:2], 20, (Strength("default", 1.0),))
    found = predicted(arguments, COSTS)
    seconds = 20 * (1 + 2 * 2) + 3 + 2 * 4 + 2 * 20 * (0.75 + 0.5 + 0.25)
    assert found["seconds"] == pytest.approx(seconds) and found["memory_mib"] == 900
    disk = 20 * (1000 + 2 * 100) + 2 * (20 * 1 + 16 * 10)
    assert found["disk_mib"] == pytest.approx(disk / 2**20)
    unknown = predicted(Arguments("tiny", ("deltaedit",), tiny_domain.prompts, 20), COSTS)
    assert "seconds" not in unknown


def test_costs_hold_for_this_machine_and_these_networks_only(
    tiny_domain: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path))
    assert known_costs(tiny_domain) == {}
    store_costs(tiny_domain, {"judge_s": 1.0, "identity": {"edit_s": 2.0}})
    store_costs(tiny_domain, {"judge_s": 3.0})
    assert known_costs(tiny_domain)["judge_s"] == 3.0 and known_costs(tiny_domain)["identity"] == {"edit_s": 2.0}
    monkeypatch.setattr("eval.machine.costs.hardware_name", lambda device: "another machine")
    assert known_costs(tiny_domain) == {}


def test_multiplications_are_counted_and_tabulated() -> None:
    images, kernel = torch.zeros(2, 3, 8, 8), torch.zeros(5, 3, 3, 3)
    assert macs_of(lambda: torch.nn.functional.conv2d(images, kernel)) == 2 * 5 * 6 * 6 * 3 * 3 * 3
    table = markdown([Operation("synthesis", "picture", 0.02, 1e9), Operation("edit", "image", 0.001, None)], 1e11)
    assert table.splitlines()[2:] == ["| synthesis | picture | 20 | 1 | 10 | 50% |", "| edit | image | 1 |  |  |  |"]
