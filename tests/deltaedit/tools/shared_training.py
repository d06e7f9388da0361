"""What ``test_distributed`` starts twice by torchrun: a tiny Delta Mapper, trained in two processes on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.settings import Settings
from deltaedit.tools.domain import TrainingSet
from deltaedit.train import Training, train_mapper

LAYOUT = StyleGAN2(16, (8, 8, 4), 8).layout
SETTINGS = Settings(steps=8, batch=8, evaluate_every=4, validation_pairs=16)


def training_set() -> TrainingSet:
    generator = torch.Generator().manual_seed(3)
    s = torch.randn(60, LAYOUT[-1].stop, generator=generator)
    return TrainingSet(s, F.normalize(torch.randn(60, 6, generator=generator), dim=1))


def main(folder: Path, steps: int) -> None:
    torch.distributed.init_process_group("gloo")
    rank, state = torch.distributed.get_rank(), folder / "state.pt"
    if steps < SETTINGS.steps:
        training = Training(training_set(), LAYOUT, SETTINGS, torch.device("cpu"), state)
        losses = [training.advance() for _ in range(steps)]
        training.validate(float(torch.stack(losses).mean()))
        weights = training.mapper.state_dict()
    else:
        weights = train_mapper(training_set(), LAYOUT, SETTINGS, state).state
    torch.save(weights, folder / f"weights-{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
