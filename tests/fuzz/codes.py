"""Files of codes in every form that tools write: the right numbers, and damaged files."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from eval.weights.codes import read_codes
from tests.fuzz.damage import damaged
from tests.fuzz.trial import Refused, read

ROWS, SIZE, STYLES = 4, 5, 26
FITTING = ((3, 4, 5), (1, 4, 5), (4, 5), (2, 1, 4, 5), (1, 1, 4, 5), (1, 5), (3, 5), (7, 26), (26,), (5,), (3, 1, 5))
UNFIT = ((2, 4, 6), (2, 5, 4), (0, 4, 5), (), (4,), (3, 2, 5), (2, 2, 4, 5), (2, 27), (5, 4), (1, 1, 1))
FORMS = ("npy", "npz", "npz w_plus", "pt", "latent", "named", "big-endian", "fortran", "safetensors", "numpy in pt")
KINDS = (np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8)
NO_NUMBERS = (np.array([{}], dtype=object), np.array(["a", "b"]), np.array([True, False]), np.array([1j]))
NAMES = (".npy", ".npz", ".pt", ".safetensors", ".pkl", "")


class Codes:
    """See ``Trial``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        numbers = np.random.default_rng(0).standard_normal((3, ROWS, SIZE)).astype(np.float32)
        self.whole = [written(numbers, form) for form in FORMS]
        for array in NO_NUMBERS:
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=True)
            self.whole.append(buffer.getvalue())
        self.whole += [pickle.dumps({"w": numbers}), saved({"w": "x"}), saved([1]), saved({}), b"", b"1 2 3\n"]

    def __call__(self, draw: Random) -> bool:
        return self._damaged(draw) if draw.random() < 0.5 else self._odd(draw)

    def _damaged(self, draw: Random) -> bool:
        path = self.folder / f"codes{draw.choice(NAMES)}"
        path.write_bytes(damaged(draw.choice(self.whole), draw))
        try:
            found = read(lambda: read_codes(path, (ROWS, SIZE), STYLES), self.folder)
        except Refused:
            return False
        assert found.codes.dtype == torch.float32
        assert found.codes.shape[1:] in ((ROWS, SIZE), (STYLES,))
        assert len(found.codes) == found.count > 0
        assert torch.isfinite(found.codes).all()
        return True

    def _odd(self, draw: Random) -> bool:
        fits = draw.random() < 0.8
        shape = draw.choice(FITTING if fits else UNFIT)
        kind, form = draw.choice(KINDS), draw.choice(FORMS)
        numbers = (3 * np.random.default_rng(draw.randrange(2**32)).standard_normal(shape)).clip(0).astype(kind)
        bad = np.issubdtype(kind, np.floating) and numbers.size and draw.random() < 0.2
        if bad:
            numbers.flat[draw.randrange(numbers.size)] = draw.choice((np.nan, np.inf, -np.inf))
        path = self.folder / "codes"
        path.write_bytes(written(numbers, form))
        try:
            found = read(lambda: read_codes(path, (ROWS, SIZE), STYLES), self.folder)
        except Refused as said:
            assert bad or not fits, f"{shape} {kind.__name__} as {form}: {said}"
            return False
        assert fits and not bad, f"{shape} {kind.__name__} as {form} is read as {tuple(found.codes.shape)}"
        np.testing.assert_array_equal(found.codes.numpy(), meant(numbers).astype(np.float32))
        assert found.count == len(meant(numbers))
        return True


def meant(numbers: np.ndarray) -> np.ndarray:
    """The codes that an array means: [N, L, D] of W+, or [N, C] of styles."""
    if numbers.shape[-1] == STYLES:
        return numbers.reshape(-1, STYLES)
    if numbers.shape[-2:] == (ROWS, SIZE):
        return numbers.reshape(-1, ROWS, SIZE)
    return numbers.reshape(-1, 1, SIZE).repeat(ROWS, 1)  # W: the same vector in every row


def saved(payload: Any) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


def written(numbers: np.ndarray, form: str) -> bytes:
    """A file of codes as tools write it."""
    from safetensors.numpy import save

    buffer = io.BytesIO()
    if form.startswith("npz"):
        np.savez(buffer, **{form[4:] or "w": numbers, "seed": np.array(3)})
    elif form == "safetensors":
        return save({"latents": np.ascontiguousarray(numbers)}, {"made": "by hand"})
    elif form in ("pt", "latent", "named", "numpy in pt"):
        tensor = torch.from_numpy(np.array(numbers))
        table = {"latent": {"latent": tensor, "epoch": 3}, "named": {"a.png": tensor}, "numpy in pt": {"w": numbers}}
        return saved(table.get(form, tensor))
    else:
        orders = {"big-endian": numbers.astype(numbers.dtype.newbyteorder(">")), "fortran": np.asfortranarray(numbers)}
        np.save(buffer, orders.get(form, numbers))
    return buffer.getvalue()
