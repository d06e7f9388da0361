"""Readers for the weight files that users already have; docs/checkpoints.md lists them.

Nothing in a file is ever run: torch files are read with ``weights_only=True``, arrays with ``allow_pickle=False``,
NVIDIA's pickles by ``restricted_pickle``. Every reader checks names and shapes; a file that does not fit ends in one
sentence.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from deltaedit.backbones.encoder import Encoder4Editing
from deltaedit.backbones.generator import Generator
from eval.errors import shortened
from eval.weights.formats.files import (
    CheckpointError,
    describe_file,
    describe_names,
    existing,
    load_array,
    load_safetensors,
    load_torch,
)
from eval.weights.formats.restricted_pickle import class_name, mapping, named_modules, read_pickle, tensor
from eval.weights.formats.states import check_finite, check_names, plain_state, plain_tensor, tensors_of, without_module
from eval.weights.layouts import build_nvidia, build_ours, build_rosinality

__all__ = [
    "CheckpointError",
    "MapperCheckpoint",
    "is_old_torch_file",
    "load_safetensors",
    "read_delta_mapper",
    "read_e4e",
    "read_generator",
    "read_relevance",
    "read_styleclip_mapper",
]


@dataclass(frozen=True)
class MapperCheckpoint:
    """A latent mapper of StyleCLIP.

    Attributes:
        kind: ``single``, ``levels`` or ``style``.
        state: tensors by the names that the released networks have for them, without ``mapper.`` in front.
        options: what it was trained with, for example ``description``; empty where the file has none.
    """

    kind: str
    state: dict[str, Tensor]
    options: dict[str, Any]


def read_generator(path: Path | str) -> Generator:
    """A StyleGAN2 generator of any supported file.

    The content tells which: rosinality's ``.pt`` (or the decoder of an e4e checkpoint), NVIDIA's ``.pkl``, our
    ``.safetensors``.

    Returns:
        float32, on the CPU, in eval mode, without gradients.

    Raises:
        CheckpointError: the file is missing, damaged, or holds something else.
    """
    path = existing(path)
    kind = describe_file(path)
    if kind == "a safetensors file":
        return build_ours(path, load_safetensors(path))
    if kind == "a pickle" and not is_old_torch_file(path):
        return _read_nvidia(path)
    payload = load_torch(path)
    if not isinstance(payload, dict):
        raise CheckpointError(f"{path} holds a {type(payload).__name__}; expected is a StyleGAN2 generator.")
    state = generator_state(path, payload)
    if "input.input" not in state:
        raise CheckpointError(
            f"{path} holds no StyleGAN2 generator: key 'g_ema' is missing; it looks like "
            f"{describe_names(_names(payload))}."
        )
    return build_rosinality(path, state, plain_tensor(payload.get("latent_avg")))


def generator_state(path: Path, payload: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The names of rosinality's code: the averaged network, a decoder, or the last network, which is told."""
    if not tensors_of(payload.get("g_ema")):
        nested = without_module(tensors_of(payload.get("state_dict")))
        decoder = {name.removeprefix("decoder."): t for name, t in nested.items() if name.startswith("decoder.")}
        last = without_module(tensors_of(payload.get("g")))
        if decoder:
            return decoder
        if "input.input" in last:
            warnings.warn(f"{path} has no averaged generator 'g_ema'; its last one, 'g', is used.", stacklevel=3)
            return last
    return {name: t for name, t in plain_state(payload).items() if name != "latent_avg"}


def read_delta_mapper(path: Path | str, mapper: nn.Module) -> dict[str, Tensor]:
    """The state dict of a released Delta Mapper, ``net_face.pth``.

    Args:
        path: the file.
        mapper: the network that it is for; names and shapes must be its.

    Raises:
        CheckpointError: the file is missing or damaged, or a layer is missing, unexpected or of another shape.
    """
    path = existing(path)
    payload = load_torch(path)
    wanted = {name: tuple(t.shape) for name, t in mapper.state_dict().items()}
    got = plain_state(payload)
    check_names(path, got, wanted, "a Delta Mapper for this generator", _names(payload))
    return got


def read_relevance(path: Path | str, channels: int, embedding_size: int = 512) -> Tensor:
    """R_s of a ``fs3.npy``: float32 [channels, embedding_size].

    Raises:
        CheckpointError: the file is missing or damaged, or the array is of another size.
    """
    array = load_array(path)
    if tuple(array.shape) != (channels, embedding_size):
        raise CheckpointError(
            f"{path} is no R_s for this generator: its array is {tuple(array.shape)}, expected ({channels}, "
            f"{embedding_size}), one row a channel of the convolutions and one column a number of CLIP's feature."
        )
    check_finite(Path(path), {"R_s": array})
    return array


def read_styleclip_mapper(path: Path | str) -> MapperCheckpoint:
    """A latent mapper that StyleCLIP's code trained: single or levels in W+, or one mapper a layer in S.

    Raises:
        CheckpointError: the file is missing or damaged, or a layer is missing, unexpected or of another shape.
    """
    path = existing(path)
    payload = load_torch(path)
    state = _under("mapper.", payload)
    if not state:
        raise CheckpointError(
            f"{path} is no StyleCLIP mapper: 'state_dict' with names 'mapper.…' is missing; it looks like "
            f"{describe_names(_names(payload))}."
        )
    mappers = sorted({name.split(".mapping.")[0] if ".mapping." in name else name for name in state})
    kind = _mapper_kind(path, mappers)
    wanted: dict[str, tuple[int, ...]] = {}
    for mapper in mappers:
        size = state.get(f"{mapper}.mapping.1.bias")
        width = len(size) if size is not None and size.dim() == 1 else 512
        for layer in range(1, 5):  # 0 is the normalisation
            wanted[f"{mapper}.mapping.{layer}.weight"] = (width, width)
            wanted[f"{mapper}.mapping.{layer}.bias"] = (width,)
    check_names(path, state, wanted, f"a StyleCLIP mapper of kind '{kind}'", _names(payload))
    return MapperCheckpoint(kind, state, options_of(payload))


def _mapper_kind(path: Path, mappers: list[str]) -> str:
    levels = {"course_mapping", "medium_mapping", "fine_mapping"}  # spelt as released
    if mappers == ["mapping"]:
        return "single"
    if set(mappers) <= levels:
        return "levels"
    if all(re.fullmatch(r"mapper_\d+", name) for name in mappers):
        return "style"
    odd = next(name for name in mappers if name not in levels and not re.fullmatch(r"mapper_\d+", name))
    raise CheckpointError(
        f"{path} is no StyleCLIP mapper: layer 'mapper.{shortened(odd)}' is unexpected; expected are 'mapper.mapping', "
        "'mapper.course_mapping', 'mapper.medium_mapping', 'mapper.fine_mapping' or 'mapper.mapper_<number>'."
    )


# opts["encoder_type"] -> whether the rows of W+ are differences from the first one
ENCODER_TYPES = {"Encoder4Editing": True, "GradualStyleEncoder": False}


def read_e4e(path: Path | str) -> Encoder4Editing:
    """The encoder of ``e4e_ffhq_encode.pt`` or of pSp, its mean latent in it; ``read_generator`` gives its decoder.

    ``opts`` of the file decides what is computed: pSp predicts every row of W+ by itself, and without
    ``start_from_latent_avg`` no mean is added. A file without ``opts`` is read as the released e4e.

    Raises:
        CheckpointError: the file is missing or damaged, an encoder of another kind, or a layer is missing, unexpected
            or of another shape.
    """
    path = existing(path)
    payload = load_torch(path)
    state = _under("encoder.", payload)
    options = options_of(payload)
    kind = str(options.get("encoder_type", "Encoder4Editing"))
    if state and kind not in ENCODER_TYPES:
        raise CheckpointError(
            f"{path} is an encoder of the type '{shortened(kind)}'; read are {' and '.join(ENCODER_TYPES)}."
        )
    mean = plain_tensor(payload.get("latent_avg")) if isinstance(payload, dict) else None
    centred = bool(options.get("start_from_latent_avg", True))
    if not state or (centred and mean is None):
        part = "'latent_avg'" if state else "'state_dict' with names 'encoder.…'"
        raise CheckpointError(
            f"{path} is no e4e checkpoint: {part} is missing; it looks like {describe_names(_names(payload))}."
        )
    rows = sum(re.fullmatch(r"styles\.\d+\.linear\.weight", name) is not None for name in state)
    with torch.device("meta"):
        encoder = Encoder4Editing(rows, ENCODER_TYPES[kind])  # takes the file's tensors for its own, not a copy of 1 GB
    if not centred or mean is None:
        mean = torch.zeros(encoder.w_mean.shape)
    if mean.numel() and mean.numel() == mean.shape[-1]:  # one w for all rows
        mean = mean.reshape(1, -1).repeat(rows, 1)
    state["w_mean"] = mean
    shapes: dict[str, tuple[int, ...]] = {name: tuple(t.shape) for name, t in encoder.state_dict().items()}
    check_names(path, state, shapes, "an e4e encoder" if ENCODER_TYPES[kind] else "a pSp encoder")
    encoder.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()}, assign=True)
    return encoder.eval().requires_grad_(False)


def options_of(payload: Any) -> dict[str, Any]:
    """What a checkpoint says that it was trained with; empty where it does not."""
    options = payload.get("opts") if isinstance(payload, dict) else None
    if isinstance(options, argparse.Namespace):
        options = vars(options)
    items = options.items() if isinstance(options, dict) else ()
    return {str(name): value for name, value in items if value is None or isinstance(value, bool | int | float | str)}


def _under(prefix: str, payload: Any) -> dict[str, Tensor]:
    """The tensors of a payload's ``state_dict`` whose names begin with the prefix, by the rest of the name."""
    nested = without_module(tensors_of(payload.get("state_dict"))) if isinstance(payload, dict) else {}
    return {name.removeprefix(prefix): t for name, t in nested.items() if name.startswith(prefix)}


def _names(payload: Any) -> list[str]:
    """Names that tell what a payload is: its own, and those of its state dict."""
    if not isinstance(payload, dict):
        return []
    return [*tensors_of(payload.get("state_dict")), *map(str, payload)]


def is_old_torch_file(path: Path) -> bool:
    """Whether a pickle is what torch.save wrote before it wrote zip archives: it begins with the magic number."""
    magic = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    with path.open("rb") as file:
        return magic in file.read(32)


def _read_nvidia(path: Path) -> Generator:
    try:
        tensors: dict[str, Tensor] = {}
        clamps: set[Any] = set()
        with path.open("rb") as file:
            for prefix, state in named_modules(_ema_network(file)):
                _check_nvidia(prefix, state)
                if prefix.endswith((".conv0", ".conv1", ".torgb")):
                    clamps.add(state.get("conv_clamp"))
                for kind in ("_parameters", "_buffers"):
                    for name, value in mapping(state.get(kind)).items():
                        full = f"{prefix}.{name}" if prefix else str(name)
                        if value is not None:
                            tensors[full] = tensor(value, full)
        clamp = next(iter(clamps)) if len(clamps) == 1 else None
        if len(clamps) > 1 or not isinstance(clamp, int | float | None):
            raise CheckpointError(f"clips its layers differently: {clamps}")
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}; nothing of it was run.") from None
    return build_nvidia(path, tensors, clamp)


def _ema_network(file: BinaryIO) -> Any:
    """``G_ema`` of a pickle; its tensors, and those of the other networks, are still in the file."""
    content = read_pickle(file)
    network = mapping(content).get("G_ema")
    if class_name(network) != "Generator":
        found = ", ".join(map(str, mapping(content))) or class_name(content) or type(content).__name__
        raise CheckpointError(f"holds no network 'G_ema' of StyleGAN2; it holds: {found}")
    return network


def _check_nvidia(prefix: str, state: dict[Any, Any]) -> None:
    """Refuse the networks that share this format but are not StyleGAN2 as published."""
    if "filter_size" in state or re.fullmatch(r"synthesis\.L\d+_\d+_\d+", prefix):
        raise CheckpointError(
            f"is an alias-free StyleGAN3 network (layer '{prefix}'); only StyleGAN2 networks are read"
        )
    if state.get("c_dim"):
        raise CheckpointError(f"is a generator with class labels ('{prefix or 'G_ema'}'); only ones without are read")
    if state.get("architecture", "skip") != "skip":
        raise CheckpointError(f"has the architecture '{state['architecture']}' in '{prefix}'; expected is 'skip'")
