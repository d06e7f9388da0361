"""Weight files: state dicts that are changed as training scripts and bad disks change them, and damaged files.

A changed network is read as the same network, or refused; it is never read as another one.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.mapper import DeltaMapper
from eval.weights.checkpoints import read_delta_mapper, read_e4e, read_generator, read_relevance, read_styleclip_mapper
from eval.weights.clip_files import read_clip
from eval.weights.verdict import verdict
from tests.eval.conftest import EMBEDDING, SIDE_PX, W_DIM, WIDTHS, write_weights
from tests.eval.weights.conftest import pickle_writer
from tests.fuzz.codes import saved
from tests.fuzz.damage import ODD_VALUES, damaged, odd
from tests.fuzz.trial import Refused, read

ENDINGS = (".pt", ".pkl", ".npy", ".npz", ".safetensors", ".png", "")
SAME = ("extra", "module", "double", "parameter", "strided", "sparse")  # the same numbers, and must be read
GONE = ("drop", "rename", "text", "odd", "complex", "meta")  # a map of noise or of blur may be missing
CHANGES = (*SAME, *GONE, "wrapped", "rank", "flat", "half", "nan", "integers", "true", "empty")


class Hostile:
    """Its pickle calls a function when it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.place),)


class Files:
    """Whole files of small networks of every kind, in a folder of their own."""

    def __init__(self) -> None:
        self.folder = TemporaryDirectory(prefix="deltabench-fuzz-")
        self.hostile = Path(self.folder.name, "was-run")
        place = Path(self.folder.name, "whole")
        place.mkdir()
        with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            self.paths: SimpleNamespace = write_weights(place)
            pickle_writer(patch)(place / "nvidia.pkl")
        own = {name: tensor.clone() for name, tensor in read_generator(self.paths.generator).state_dict().items()}
        (place / "own.safetensors").write_bytes(safetensors_bytes(own))
        self.every = [path.read_bytes() for path in sorted(place.iterdir()) if path.stat().st_size < 1 << 20]
        self.every += [pickle.dumps({"G_ema": Hostile(self.hostile)}), saved({"g_ema": {"input.input": 3}}), b""]
        self.every += [saved({"state_dict": {"encoder.a": torch.ones(1)}, "latent_avg": torch.ones(2)}), saved([1])]

    def damaged(self, draw: Random, mine: Sequence[bytes] = ()) -> bytes:
        """One of the files with damage; half the time one of ``mine``."""
        return damaged(draw.choice(mine if mine and draw.random() < 0.5 else self.every), draw)


@cache
def whole_files() -> Files:
    """The files, which are written once."""
    return Files()


class Network:
    """See ``Trial``; of a reader of networks.

    Args:
        folder: to work in.
    """

    key = ""  # of the state dict in the file
    has_verdict = True  # ``models check`` reads the same file

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, whole_files()
        path = self.whole(self.files.paths)
        self.mine = [path.read_bytes()]
        self.payload = torch.load(path, weights_only=True)
        self.right = tensors(self.reader(path))

    def whole(self, files: SimpleNamespace) -> Path:
        """The file of such a network."""
        raise NotImplementedError

    def reader(self, path: Path) -> Any:
        """What the reader makes of a file."""
        raise NotImplementedError

    def __call__(self, draw: Random) -> bool:
        try:
            return self._damaged(draw) if draw.random() < 0.5 else self._changed(draw)
        finally:
            assert not self.files.hostile.exists(), "a file was run"

    def _damaged(self, draw: Random) -> bool:
        path = self.folder / f"file{draw.choice(ENDINGS)}"
        path.write_bytes(self.files.damaged(draw, self.mine))
        try:
            found = read(lambda: self.reader(path), self.folder)
        except Refused:
            return False
        check_finite(found)
        return True

    def _changed(self, draw: Random) -> bool:
        change = draw.choice(CHANGES)
        state = self.payload[self.key] if self.key else self.payload
        if change == "wrapped":
            name, key = "all", draw.choice(("state_dict", "params_ema", "model", "generator"))
            payload = {
                **{each: self.payload[each] for each in self.payload if self.key and each != self.key},
                key: state,
            }
        else:
            state, name = changed(state, change, draw)
            payload = {**self.payload, self.key: state} if self.key else state
        path = self.folder / "changed.pt"
        path.write_bytes(saved(payload))
        try:
            found = tensors(read(lambda: self.reader(path), self.folder))
        except Refused as said:
            assert change not in SAME, f"{change} of '{name}' is refused: {said}"
            return False
        assert found.keys() == self.right.keys(), f"{change} of '{name}' is read as other layers"
        others = [each for each in found if not torch.equal(found[each].float(), self.right[each].float())]
        assert len(others) <= (change in GONE), f"{change} of '{name}' is read as another network: {others[:3]}"
        if self.has_verdict:
            read(lambda: verdict(path), self.folder)
        return True


class GeneratorFile(Network):
    """Rosinality's generators."""

    key = "g_ema"

    def whole(self, files: SimpleNamespace) -> Path:
        return Path(files.generator)

    def reader(self, path: Path) -> Any:
        return read_generator(path)


class DeltaMapperFile(Network):
    """Released Delta Mappers; this one has two levels, which ``models check`` takes for half of one."""

    has_verdict = False
    mapper = DeltaMapper(StyleGAN2(SIDE_PX, WIDTHS, W_DIM).layout, EMBEDDING)

    def whole(self, files: SimpleNamespace) -> Path:
        return Path(files.delta_mapper)

    def reader(self, path: Path) -> Any:
        return read_delta_mapper(path, self.mapper)


class StyleClipMapperFile(Network):
    """What StyleCLIP's code trained."""

    key = "state_dict"

    def whole(self, files: SimpleNamespace) -> Path:
        return Path(files.styleclip_mapper)

    def reader(self, path: Path) -> Any:
        return read_styleclip_mapper(path).state


class ClipFile(Network):
    """Open_clip's state dicts."""

    def whole(self, files: SimpleNamespace) -> Path:
        return Path(files.clip)

    def reader(self, path: Path) -> Any:
        return read_clip(path, self.files.paths.architecture).model


class EncoderFile:
    """See ``Trial``: no small file is a whole e4e or pSp, so that all are refused."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, whole_files()
        state = {"encoder.styles.0.linear.weight": torch.ones(2, 2), "encoder.input_layer.0.weight": torch.ones(3)}
        options = {"encoder_type": "Encoder4Editing", "start_from_latent_avg": True}
        self.payload = {"state_dict": state, "latent_avg": torch.ones(2, 512), "opts": options}

    def __call__(self, draw: Random) -> bool:
        path = self.folder / f"file{draw.choice(ENDINGS)}"
        path.write_bytes(saved(odd(self.payload, draw)) if draw.random() < 0.5 else self.files.damaged(draw))
        with suppress(Refused):
            read(lambda: read_e4e(path), self.folder)
            raise AssertionError("read as an encoder")
        assert not self.files.hostile.exists(), "a file was run"
        return False


class AnyFile:
    """See ``Trial``: what ``models check`` says of whatever it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, whole_files()

    def __call__(self, draw: Random) -> bool:
        path = self.folder / f"file{draw.choice(ENDINGS)}"
        path.write_bytes(self.files.damaged(draw))
        try:
            said = read(lambda: verdict(path), self.folder)
        except Refused:
            return False
        finally:
            assert not self.files.hostile.exists(), "a file was run"
        assert said.strip()
        return True


class Relevance:
    """See ``Trial``: R_s of 26 channels and 12 numbers of a feature."""

    shape = (26, 12)

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, whole_files()
        self.mine = [self.files.paths.relevance.read_bytes()]

    def __call__(self, draw: Random) -> bool:
        path = self.folder / f"file{draw.choice(ENDINGS)}"
        if draw.random() < 0.5:
            path.write_bytes(self.files.damaged(draw, self.mine))
            wanted = None
        else:
            shape = draw.choice((self.shape, self.shape, (12, 26), (26, 12, 1), (26,), (0, 12), ()))
            kind = draw.choice(("f2", "f4", "f8", ">f4", ">f8", "i4", "c8", "?", "U3", "O", "M8[s]"))
            array = np.random.default_rng(draw.randrange(2**32)).uniform(0, 9, shape).astype("i8").astype(kind)
            if draw.random() < 0.2 and array.size and array.dtype.kind == "f":
                array.flat[draw.randrange(array.size)] = draw.choice((np.nan, np.inf))
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=True)
            path.write_bytes(buffer.getvalue())
            fits = shape == self.shape and array.dtype.kind in "fi" and np.isfinite(array).all()
            wanted = array.astype(np.float32) if fits else np.zeros(0)
        try:
            found = read(lambda: read_relevance(path, *self.shape), self.folder)
        except Refused as said:
            assert wanted is None or not wanted.size, f"{shape} of {kind}: {said}"
            return False
        assert tuple(found.shape) == self.shape and torch.isfinite(found).all()
        assert wanted is None or np.array_equal(found.numpy(), wanted), f"{shape} of {kind} is read"
        return True


def tensors(found: Any) -> dict[str, Tensor]:
    """What a reader found, by name."""
    if isinstance(found, Tensor):
        return {"array": found}
    if isinstance(found, nn.Module):
        return dict(found.state_dict())
    return dict(found)


def check_finite(found: Any) -> None:
    """Refuse numbers that are none."""
    for name, tensor in tensors(found).items():
        masks = name.endswith("attn_mask")
        assert masks or not tensor.is_floating_point() or torch.isfinite(tensor).all(), f"'{name}' is not finite"


def changed(state: dict[str, Any], change: str, draw: Random) -> tuple[dict[str, Any], str]:
    """A changed copy of a state dict, and the name of the tensor that is changed."""
    names = [name for name, tensor in state.items() if tensor.is_floating_point() and tensor.numel() > 1]
    name, state = draw.choice(names), dict(state)
    one = state[name]
    if change == "extra":
        return state | {"optimizer": {"step": 3}, "opts": draw.choice([None, 3, "x"]), "lr": 0.1}, name
    if change == "module":
        return {f"module.{each}": tensor for each, tensor in state.items()}, name
    if change == "drop":
        del state[name]
        return state, name
    if change == "rename":
        return {f"{each}_" if each == name else each: tensor for each, tensor in state.items()}, name
    strange: dict[str, Callable[[], Any]] = {
        "double": one.double,
        "parameter": lambda: nn.Parameter(one.float()),
        "strided": lambda: one[None].expand(2, *one.shape)[1],
        "sparse": one.to_sparse,
        "rank": lambda: one[None, None].expand(2, 1, *one.shape),
        "flat": lambda: one.flatten().repeat(2),
        "half": lambda: one.flatten()[: max(1, one.numel() // 2)],
        "nan": lambda: torch.where(torch.arange(one.numel()).view(one.shape) == one.numel() // 2, torch.nan, one),
        "integers": lambda: (one * 9).long(),
        "text": lambda: "0.5",
        "odd": lambda: draw.choice(ODD_VALUES),
        "complex": lambda: one.float() + 1j,
        "meta": lambda: one.to("meta"),
        "true": lambda: one > 0,
        "empty": lambda: one[:0],
    }
    state[name] = strange[change]()
    return state, name
