"""Training the Delta Mapper (DeltaEdit, section 3.3): loss, loop, validation, resumption.

    L = 1.0 · MSE(Δŝ, Δs) + 1.0 · (1 - mean over pairs of cos(Δŝ, Δs))

The released loop has neither validation nor resumption. Here a share of the *images* is held out, so that no image of
a validation pair was ever trained on, and the checkpoint with the lowest validation loss is the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.synthesis import StyleLayer
from deltaedit.domain import TrainingSet
from deltaedit.mapper import DeltaMapper
from deltaedit.pairs import Pairs, draw_pairs
from deltaedit.settings import Settings
from deltaedit.tools.files import keep
from deltaedit.tools.precision import autocast

Report = Callable[[int, int, dict[str, float]], None]
VALIDATION_BATCH = 256  # a matter of memory only
STATE_FORMAT = 3  # of the file that a training goes on from; counted up whenever its content changes


@dataclass(frozen=True)
class TrainedMapper:
    """The outcome of a training.

    Attributes:
        state: state dict of the mapper at its best validation.
        best_step: when that was.
        curve: (step, mean training loss since the last row, validation loss) of every validation.
    """

    state: dict[str, Tensor]
    best_step: int
    curve: tuple[tuple[int, float, float], ...]


def mapper_losses(predicted: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error, and 1 - mean cosine of the rows, of float [B, C]: two scalars.

    >>> mse, cosine = mapper_losses(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    >>> float(mse), float(cosine)
    (2.5, 1.0)
    """
    return F.mse_loss(predicted, wanted), 1 - F.cosine_similarity(predicted, wanted, dim=-1).mean()


def learning_rate(settings: Settings, step: int) -> float:
    """Adam's learning rate in a step counted from 0.

    >>> [learning_rate(Settings(steps=4, schedule="cosine"), step) for step in (0, 2, 4)]
    [0.5, 0.25, 0.0]
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


def split_images(origin: Sequence[str], images: int, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows held out, int64, disjoint, of ``images`` whose origin is given or empty.

    Raises:
        ValueError: fewer than two images would be left on either side.
    """
    rows = np.random.default_rng((settings.training_seed, 0)).permutation(images)
    if settings.origin != "both":
        rows = rows[np.asarray(origin)[rows] == settings.origin] if len(origin) == images else rows[:0]
    rows = rows[: settings.training_images] if settings.training_images else rows
    held_out = max(2, round(len(rows) * settings.validation_share))
    if len(rows) < held_out + 2:
        raise ValueError(
            f"Training a Delta Mapper needs 4 images or more of origin '{settings.origin}'. Got {len(rows)} instead."
        )
    return rows[held_out:], rows[:held_out]


class Training:
    """Everything that one training holds, and that is stored to resume it; see ``train_mapper`` for the arguments."""

    def __init__(
        self,
        images: TrainingSet,
        layout: Sequence[StyleLayer],
        settings: Settings,
        device: torch.device,
        state_file: Path | None = None,
    ) -> None:
        self.images, self.settings, self.device, self.state_file = images, settings, device, state_file
        self.rows, held_out = split_images(images.origin, len(images.s), settings)
        self.centre = images.features[torch.from_numpy(self.rows)].mean(0)
        draws = np.random.default_rng((settings.training_seed, 1))
        self.validation = draw_pairs(images, held_out, settings.validation_pairs, draws, settings.arm, self.centre)
        with torch.random.fork_rng(devices=[]):  # the layers draw their weights from the global generator
            torch.manual_seed(settings.training_seed)
            self.mapper = DeltaMapper(layout, images.features.shape[1], settings.levels).to(device)
        betas = (settings.beta1, settings.beta2)
        self.optimizer = torch.optim.Adam(self.mapper.parameters(), settings.learning_rate, betas, fused=True)
        self.step = self.best_step = 0
        self._best: dict[str, Tensor] = {}  # where there is no file for it
        self.curve: list[tuple[int, float, float]] = []

    def loss(self, pairs: Pairs) -> Tensor:
        """Weighted sum of the two losses: scalar."""
        with autocast(self.device, self.settings.bfloat16):
            predicted = self.mapper(pairs.s.to(self.device), pairs.condition.to(self.device))
        wanted = pairs.delta_s.to(self.device)
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
        """Validation loss; the weights are remembered when it is the lowest so far."""
        total, pairs = 0.0, self.validation
        for start in range(0, len(pairs.s), VALIDATION_BATCH):
            at = slice(start, start + VALIDATION_BATCH)
            part = Pairs(pairs.s[at], pairs.condition[at], pairs.delta_s[at])
            total += float(self.loss(part)) * len(part.s)
        loss = total / len(pairs.s)
        if not math.isfinite(loss):
            raise ValueError(
                f"Training the Delta Mapper diverged at step {self.step} (validation loss {loss}); "
                f"take a 'learning_rate' below {self.settings.learning_rate}."
            )
        if not self.curve or loss < min(row[2] for row in self.curve):
            self.best_step, state = self.step, self.mapper.state_dict()
            path = self.state_file
            if path is not None and not keep(best_file(path), lambda file: torch.save(state, file)):
                self.state_file = None  # in memory then
            if self.state_file is None:
                self._best = {name: value.to("cpu", copy=True) for name, value in state.items()}
        self.curve.append((self.step, training_loss, loss))
        return loss

    def save(self) -> None:
        """Store all of it, whole or not at all."""
        if self.state_file is not None:
            own = {name: getattr(self, name) for name in ("step", "best_step", "curve")}
            networks = {"mapper": self.mapper.state_dict(), "optimizer": self.optimizer.state_dict()}
            about = {"format": STATE_FORMAT, "settings": self.settings.training_key()}
            keep(self.state_file, lambda file: torch.save({**about, **networks, **own}, file))

    def load(self) -> None:
        """Go on where ``save`` was called, if it was.

        Raises:
            ValueError: the file is of other settings, or of another version of this program.
        """
        path = self.state_file
        if path is None or not path.exists():
            return
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if state["settings"] != self.settings.training_key():
            raise ValueError(f"{path} belongs to a training with other settings; delete it or name another file.")
        if state.get("format") != STATE_FORMAT or not best_file(path).exists():
            raise ValueError(f"{path} cannot be resumed by this version; delete it and train anew.")
        self.mapper.load_state_dict(state["mapper"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best_step = state["step"], state["best_step"]
        self.curve = [tuple(row) for row in state["curve"]]

    def finish(self) -> TrainedMapper:
        """The outcome; the training is over then, and its memory is given back before the best weights are read."""
        del self.mapper, self.optimizer
        if self.state_file is not None:
            self._best = torch.load(best_file(self.state_file), map_location="cpu", weights_only=True)
        return TrainedMapper(self._best, self.best_step, tuple(self.curve))


def best_file(state_file: Path) -> Path:
    """Where the best weights of a training lie that is stored in ``state_file``."""
    return state_file.with_name(f"{state_file.name}.best")


def forget_training(state_file: Path) -> None:
    """Remove what a training has stored."""
    for path in (state_file, best_file(state_file)):
        path.unlink(missing_ok=True)


def train_mapper(
    training_set: TrainingSet,
    layout: Sequence[StyleLayer],
    settings: Settings | None = None,
    state_file: Path | None = None,
    report: Report | None = None,
    device: torch.device | str = "cpu",
) -> TrainedMapper:
    """Train a Delta Mapper.

    Args:
        training_set: styles and CLIP features of images.
        layout: the generator's ``Synthesis.layout``.
        settings: default ``Settings()``.
        state_file: written at every validation; when it exists already, the training goes on from there and ends with
            the same weights, bit for bit, as an unbroken one. ``forget_training`` removes it.
        report: called with (step, steps, {"train": loss, "validation": loss}) at every validation.
        device: where to train; the training set may stay elsewhere.

    Raises:
        ValueError: too few images, a state file that does not fit, or a loss that is no longer finite.
    """
    settings = settings or Settings()
    training = Training(training_set, layout, settings, torch.device(device), state_file)
    training.load()
    while training.step < settings.steps:
        end = min(settings.steps, (training.step // settings.evaluate_every + 1) * settings.evaluate_every)
        losses = [training.advance() for _ in range(training.step, end)]
        train_loss = float(torch.stack(losses).mean())
        validation_loss = training.validate(train_loss)
        training.save()
        if report is not None:
            report(training.step, settings.steps, {"train": train_loss, "validation": validation_loss})
    return training.finish()
