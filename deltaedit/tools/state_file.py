"""Trainings that are stored, so that one that was broken off goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deltaedit.tools.distributed import is_first, wait_for_all
from deltaedit.tools.files import keep, read_kept

STATE_FORMAT = 3  # counted up whenever the content of the file changes


class StateFile:
    """The state of one training on the disk, and beside it the best weights so far.

    Args:
        path: of the state; None to store nothing and to hold the best weights in memory.
        settings: of the training, as JSON values; the state of another one is refused.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, object]) -> None:
        self.path, self.settings = path, dict(settings)
        self._best: dict[str, Tensor] = {}  # where there is no file for it

    def save_best(self, weights: dict[str, Tensor]) -> None:
        """Store the best weights so far; in memory where the disk cannot take them."""
        if self.path is not None and not is_first():
            return
        if self.path is not None and not keep(best_file(self.path), lambda file: torch.save(weights, file)):
            self.path = None
        if self.path is None:
            self._best = {name: value.to("cpu", copy=True) for name, value in weights.items()}

    def load_best(self) -> dict[str, Tensor]:
        """The weights of the last ``save_best``, on the CPU."""
        wait_for_all()  # the first process of several writes them
        if self.path is not None:
            self._best = torch.load(best_file(self.path), map_location="cpu", weights_only=True)
        wait_for_all()  # and may remove them
        return self._best

    def save(self, **state: Any) -> None:
        """Store the state, whole or not at all."""
        if self.path is not None and is_first():
            whole = {"format": STATE_FORMAT, "settings": self.settings, **state}
            keep(self.path, lambda file: torch.save(whole, file))

    def load(self, device: torch.device) -> dict[str, Any]:
        """What ``save`` was given; empty where nothing is stored.

        Raises:
            ValueError: the file is of other settings, or of another version of this program.
        """
        path = self.path
        if path is None or not path.exists():
            return {}
        state: dict[str, Any] | None = read_kept(path, lambda at: _loaded(at, device))
        if state is None:
            return {}
        if state.get("settings") != self.settings:
            raise ValueError(f"{path} belongs to a training with other settings; delete it or name another file.")
        if state.get("format") == STATE_FORMAT and read_kept(best_file(path), lambda at: _loaded(at, device)) is None:
            return {}
        if state.get("format") != STATE_FORMAT:
            raise ValueError(f"{path} cannot be resumed by this version; delete it and train anew.")
        return state


def _loaded(path: Path, device: torch.device) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    if not isinstance(found, dict):
        raise ValueError("it holds something else")
    return found


def best_file(state_file: Path) -> Path:
    """Where the best weights of a training lie that is stored in ``state_file``."""
    return state_file.with_name(f"{state_file.name}.best")


def forget_training(state_file: Path) -> None:
    """Remove what a training has stored."""
    for path in (state_file, best_file(state_file)):
        path.unlink(missing_ok=True)
