"""How fast the parts of a run are on a device, and how fast they could be at best.

The limit is arithmetic alone: the multiplications of an operation (counted, not estimated) by how many a large matrix
product does in a second on the same device. Networks of small convolutions cannot reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from deltaedit.backbones.latents import Latents
from deltaedit.relevance import channel_statistics, relevance_matrix
from deltaedit.settings import Settings
from deltaedit.tools.domain import TrainingSet
from deltaedit.train import Training
from eval.device import clock
from eval.domains.base import Domain
from eval.judging.synthesis import synthesised
from eval.memory import pictures_at_once
from eval.metrics.frechet import frechet_distance

SIDE = {"cpu": 1024, "cuda": 8192, "mps": 4096}  # of the matrices, large enough to keep every unit busy
TURNS = 3
FEATURE_ROWS = 1000  # of each set, for the Fréchet distance
TRAINING_ROWS = 256
CHANNELS = 8  # of R_s, spread over all layers


@dataclass(frozen=True)
class Operation:
    """One measured operation.

    Attributes:
        name: for the table.
        per: what the numbers are of, for example ``picture``.
        seconds: the fastest of some turns.
        macs: multiplications, each with its addition; None where they are not counted.
    """

    name: str
    per: str
    seconds: float
    macs: float | None

    def limit_s(self, rate: float) -> float | None:
        """Seconds at best, at ``rate`` multiplications a second."""
        return None if self.macs is None else self.macs / rate


def multiplication_rate(device: torch.device) -> float:
    """Multiplications a second in a float32 matrix product."""
    side = SIDE.get(device.type, 1024)
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    return side**3 / fastest(device, lambda: left @ right, turns=5)


def fastest(device: torch.device, work: Callable[[], object], turns: int = TURNS) -> float:
    """Seconds of the fastest of some calls after a first one that does not count."""
    work()
    times = []
    for _ in range(turns):
        began = clock(device)
        work()
        times.append(clock(device) - began)
    return max(min(times), 1e-9)


def macs_of(work: Callable[[], object]) -> float:
    """Multiplications of the convolutions and matrix products of a call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops()) / 2


def operations(domain: Domain, most: int = 16) -> Iterator[Operation]:
    """Measure synthesis, both CLIPs, the judges, R_s, a step of the Delta Mapper and the Fréchet distance.

    Args:
        domain: whose networks.
        most: pictures at once.
    """
    editing, device = domain.editing, domain.editing.device
    count = pictures_at_once(editing.synthesis.resolution, device, most)
    latents = editing.sample(count, 0)
    pictures = synthesised(editing, latents)
    with torch.no_grad():
        works: list[tuple[str, Callable[[Tensor], object]]] = [
            ("editing CLIP", editing.clip.encode_images),
            ("judge CLIP", domain.judges.clip.encode_images),
            ("attribute judge", domain.judges.attributes),
            ("identity judge", domain.judges.identity),
            ("Fréchet features", domain.judges.frechet),
        ]
        one = macs_of(lambda: editing.images(latents[:1]))
        yield Operation("synthesis", "picture", fastest(device, lambda: synthesised(editing, latents)) / count, one)
        for name, network in works:
            macs = macs_of(partial(network, pictures[:1]))
            seconds = fastest(device, partial(network, pictures)) / count
            yield Operation(name, "picture", seconds, macs or None)
        yield _relevance(domain, latents[: min(4, count)])
    yield _mapper_step(domain)
    yield _frechet(pictures, domain)


def _relevance(domain: Domain, latents: Latents) -> Operation:
    editing, size = domain.editing, domain.editing.synthesis.s_size
    mean, std = channel_statistics(editing.sample, 100, 0)
    channels = torch.linspace(0, size - 1, CHANNELS).long()

    def work() -> Tensor:
        return relevance_matrix(editing.synthesis, editing.clip, latents, mean, std, channels=channels)

    rows = CHANNELS * len(latents)
    return Operation("R_s", "channel, image", fastest(editing.device, work, 1) / rows, macs_of(work) / rows)


def _mapper_step(domain: Domain) -> Operation:
    """A step of 64 pairs on random rows."""
    layout, device = domain.editing.synthesis.layout, domain.editing.device
    with torch.no_grad():
        width = domain.editing.clip.encode_texts(["face"]).shape[1]
    generator = torch.Generator().manual_seed(0)
    s, features = (torch.randn(TRAINING_ROWS, size, generator=generator) for size in (layout[-1].stop, width))
    training = Training(TrainingSet(s, features), layout, Settings(validation_pairs=2), device)
    return Operation("Delta Mapper", "step of 64", fastest(device, training.advance), macs_of(training.advance))


def _frechet(pictures: Tensor, domain: Domain) -> Operation:
    """Of two sets of random features, on the CPU, where it is always computed."""
    with torch.no_grad():
        width = domain.judges.frechet(pictures[:2]).shape[1]
    rng: Any = np.random.default_rng(0)
    first, second = (rng.standard_normal((FEATURE_ROWS, width)) for _ in range(2))
    seconds = fastest(torch.device("cpu"), lambda: frechet_distance(first, second), 1)
    return Operation("Fréchet distance", f"2 x {FEATURE_ROWS} rows", seconds, None)


def markdown(rows: list[Operation], rate: float) -> str:
    """A table to paste."""
    lines = ["| operation | of one | ms | GMAC | ms at best | of the best |", "|---|---|---|---|---|---|"]
    for row in rows:
        limit = row.limit_s(rate)
        best = "" if limit is None else f"{1e3 * limit:.3g}"
        share = "" if limit is None else f"{limit / row.seconds:.0%}"
        macs = "" if row.macs is None else f"{row.macs / 1e9:.3g}"
        lines.append(f"| {row.name} | {row.per} | {1e3 * row.seconds:.3g} | {macs} | {best} | {share} |")
    return "\n".join(lines)
