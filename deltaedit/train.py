"""Training the Delta Mapper (DeltaEdit, section 3.3): loss, loop, validation.

    L = 1.0 · MSE(Δŝ, Δs) + 1.0 · (1 - mean over pairs of cos(Δŝ, Δs))

The released loop does not validate. Here a share of the *images* is held out, so that no image of a validation pair was
ever trained on, and the checkpoint with the lowest validation loss is the result.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.synthesis import StyleLayer
from deltaedit.mapper import DeltaMapper
from deltaedit.pairs import Pairs, draw_pairs
from deltaedit.settings import Settings
from deltaedit.tools.distributed import own_share, shared
from deltaedit.tools.domain import TrainingSet
from deltaedit.tools.precision import autocast
from deltaedit.tools.state_file import StateFile

Report = Callable[[int, int, dict[str, float]], None]
VALIDATION_BATCH = 256  # a matter of memory only


@dataclass(frozen=True)
class TrainedMapper:
    """The outcome of a training."""

    state: dict[str, Tensor]  # state dict of the mapper at its best validation
    best_step: int  # when that was
    curve: tuple[tuple[int, float, float], ...]  # (step, mean training loss since the last row, validation loss)


def mapper_losses(predicted: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error, and 1 - mean cosine of the rows, of float [B, C]: two scalars.

    >>> mse, cosine = mapper_losses(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    >>> float(mse), float(cosine)
    (2.5, 1.0)
    """
    return F.mse_loss(predicted, wanted), 1 - F.cosine_similarity(predicted, wanted, dim=-1).mean()


def learning_rate(settings: Settings, step: int) -> float:
    """Adam's learning rate in a step counted from 0."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


def split_images(origin: Sequence[str], images: int, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows held out, int64, disjoint, two or more each; ``origin`` of the images may be empty."""
    rows = np.random.default_rng((settings.training_seed, 0)).permutation(images)
    if settings.origin != "both":
        rows = rows[np.asarray(origin)[rows] == settings.origin] if len(origin) == images else rows[:0]
    rows = rows[: settings.training_images or None]
    held_out = max(2, round(len(rows) * settings.validation_share))
    if len(rows) < held_out + 2:
        raise ValueError(
            f"Training a Delta Mapper needs 4 images or more of origin '{settings.origin}'. Got {len(rows)} instead."
        )
    return rows[held_out:], rows[:held_out]


class Training:
    """Everything that one training holds; see ``train_mapper`` for the arguments."""

    def __init__(
        self,
        images: TrainingSet,
        layout: Sequence[StyleLayer],
        settings: Settings,
        device: torch.device,
        state_file: Path | None = None,
    ) -> None:
        self.images, self.settings, self.device = images, settings, device
        self.rows, held_out = split_images(images.origin, len(images.s), settings)
        self.centre = images.features[torch.from_numpy(self.rows)].mean(0)
        draws = np.random.default_rng((settings.training_seed, 1))
        self.validation = draw_pairs(images, held_out, settings.validation_pairs, draws, settings.arm, self.centre)
        with torch.random.fork_rng(devices=[]):  # the layers draw their weights from the global generator
            torch.manual_seed(settings.training_seed)
            self.mapper = DeltaMapper(layout, images.features.shape[1], settings.levels).to(device)
        self.network, betas = shared(self.mapper, device), (settings.beta1, settings.beta2)
        self.optimizer = torch.optim.Adam(self.mapper.parameters(), settings.learning_rate, betas, fused=True)
        self.step = self.best_step = 0
        self.curve: list[tuple[int, float, float]] = []
        self.stored = StateFile(state_file, settings.training_key())
        if state := self.stored.load(device):
            self.mapper.load_state_dict(state["mapper"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.best_step = state["step"], state["best_step"]
            self.curve = [tuple(row) for row in state["curve"]]

    def loss(self, pairs: Pairs) -> Tensor:
        """Weighted sum of the two losses: scalar."""
        s, condition, delta_s = own_share((pairs.s, pairs.condition, pairs.delta_s))  # all, where one process trains
        with autocast(self.device, self.settings.bfloat16):
            predicted = self.network(s.to(self.device), condition.to(self.device))
        wanted = delta_s.to(self.device)
        mse, cosine = mapper_losses(predicted.to(wanted.dtype), wanted)
        return self.settings.mse_weight * mse + self.settings.cosine_weight * cosine

    def advance(self) -> Tensor:
        """One step of the optimizer on pairs that only seed and step determine; its loss, a scalar."""
        draws = np.random.default_rng((self.settings.training_seed, 2, self.step))
        pairs = draw_pairs(self.images, self.rows, self.settings.batch, draws, self.settings.arm, self.centre)
        self.optimizer.param_groups[0]["lr"] = learning_rate(self.settings, self.step)
        loss = self.loss(pairs)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return loss.detach()

    @torch.no_grad()
    def validate(self, training_loss: float) -> float:
        """Validation loss; the weights are stored when it is the lowest so far, and in any case where to go on."""
        parts = (self.validation.s, self.validation.condition, self.validation.delta_s)
        batches = map(Pairs, *(part.split(VALIDATION_BATCH) for part in parts))
        loss = sum(float(self.loss(batch)) * len(batch.s) for batch in batches) / len(self.validation.s)
        if not math.isfinite(loss):
            raise ValueError(
                f"Training the Delta Mapper diverged at step {self.step} (validation loss {loss}); "
                f"take a 'learning_rate' below {self.settings.learning_rate}."
            )
        weights = self.mapper.state_dict()
        if not self.curve or loss < min(row[2] for row in self.curve):
            self.best_step = self.step
            self.stored.save_best(weights)
        self.curve.append((self.step, training_loss, loss))
        where = {"step": self.step, "best_step": self.best_step, "curve": self.curve}
        self.stored.save(mapper=weights, optimizer=self.optimizer.state_dict(), **where)
        return loss


def train_mapper(
    training_set: TrainingSet,  # may stay on another device
    layout: Sequence[StyleLayer],  # the generator's ``Synthesis.layout``
    settings: Settings | None = None,  # default ``Settings()``
    state_file: Path | None = None,
    report: Report | None = None,  # called with (step, steps, {"train": loss, "validation": loss}) at every validation
    device: torch.device | str = "cpu",  # where to train
) -> TrainedMapper:
    """Train a Delta Mapper.

    ``state_file`` is written at every validation; when it exists already, the training goes on from there and ends with
    the same weights, bit for bit, as an unbroken one. ``forget_training`` removes it.

    Raises:
        ValueError: too few images, a state file that does not fit, or a loss that is no longer finite.
    """
    settings = settings or Settings()
    training = Training(training_set, layout, settings, torch.device(device), state_file)
    while training.step < settings.steps:
        end = min(settings.steps, (training.step // settings.evaluate_every + 1) * settings.evaluate_every)
        losses = [training.advance() for _ in range(training.step, end)]
        train_loss = float(torch.stack(losses).mean())
        validation_loss = training.validate(train_loss)
        if report is not None:
            report(training.step, settings.steps, {"train": train_loss, "validation": validation_loss})
    stored, best_step, curve = training.stored, training.best_step, tuple(training.curve)
    del training  # its memory is given back before the best weights are read
    return TrainedMapper(stored.load_best(), best_step, curve)
