"""The loop that every recipe shares: resumable to the step, with progress and a learning-rate schedule.

Batches are drawn from a generator seeded by (recipe seed, step), so a resumed training sees what an unbroken one would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from deltaedit.tools.files import keep
from eval.folders import cache_folder

SAVE_EVERY_S = 120.0
Report = Callable[[str, int, int, dict[str, float]], None]  # network, steps done, steps in all, recent losses


def print_report(network: str, done: int, steps: int, losses: dict[str, float]) -> None:
    """The plainest report: one line to standard output."""
    print(f"{network} {done}/{steps} " + " ".join(f"{k} {v:.4f}" for k, v in losses.items()), flush=True)


def schedule(step: int, steps: int, peak: float, warmup: int = 200, final: float = 0.02) -> float:
    """Learning rate: linear warm-up, flat for the first third, then a cosine down to ``final`` x peak."""
    progress = max(0.0, (step / steps - 1 / 3) * 1.5)
    return float(
        peak * min(1.0, (step + 1) / warmup) * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))
    )


def train(
    network: str,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    step: Callable[[int, np.random.Generator], dict[str, float]],
    steps: int,
    seed: int,
    report: Report = print_report,
    report_every: int = 100,
    domain: str = "avatars",
) -> float:
    """Run ``step`` from wherever an earlier training of this network stopped up to ``steps``.

    Args:
        network: name of the training; its state is ``<cache>/<domain>/training/<network>.pt``.
        modules: networks whose weights belong to the state.
        optimizers: likewise.
        step: does one step and returns its losses; called with the step number and that step's random generator.
        steps: how many in all.
        seed: of the recipe.
        report: where progress goes.
        report_every: steps between two reports.
        domain: whose network it is.

    Returns:
        Seconds of training, earlier sessions included.
    """
    state_file = cache_folder() / domain / "training" / f"{network}.pt"
    start, elapsed_s = 0, 0.0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        start, elapsed_s = state["step"], state["elapsed_s"]
        for name, module in modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
    began = last_save = time.perf_counter()
    recent: dict[str, float] = {}
    for number in range(start, steps):
        losses = step(number, np.random.default_rng((seed, number)))
        for name, value in losses.items():
            recent[name] = 0.98 * recent[name] + 0.02 * value if name in recent else value
        if (number + 1) % report_every == 0 or number + 1 == steps:
            report(network, number + 1, steps, recent)
        now = time.perf_counter()
        if now - last_save > SAVE_EVERY_S or number + 1 == steps:
            _save(state_file, number + 1, elapsed_s + now - began, modules, optimizers)
            last_save = now
    return elapsed_s + time.perf_counter() - began


def _save(
    path: Path,
    step: int,
    elapsed_s: float,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> None:
    state: dict[str, Any] = {
        "step": step,
        "elapsed_s": elapsed_s,
        "modules": {name: module.state_dict() for name, module in modules.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
    }
    keep(path, lambda file: torch.save(state, file))
