from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from deltaedit.train import train_mapper
from tests.deltaedit.tools.shared_training import LAYOUT, SETTINGS, training_set

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("shared_training.py")


def run(folder: Path, steps: int) -> list[dict[str, torch.Tensor]]:
    """The weights that two processes end with."""
    root = Path(__file__).resolve().parents[3]
    port = str(20_000 + os.getpid() % 20_000)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port", port]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(PROGRAM), str(folder), str(steps)], env=environment, cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"weights-{rank}.pt", weights_only=True) for rank in range(2)]


def test_two_processes_train_what_one_trains_and_go_on_where_they_were(tmp_path: Path) -> None:
    alone = train_mapper(training_set(), LAYOUT, SETTINGS).state
    run(tmp_path, 4)  # stops after 4 of the 8 steps, as a killed one would
    assert (tmp_path / "state.pt").exists()
    first, second = run(tmp_path, 8)
    for name, weights in alone.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], weights, rtol=1e-3, atol=1e-4)
    assert any((weights != 0).any() for weights in first.values())
