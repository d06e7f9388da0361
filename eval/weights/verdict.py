"""What a weight file is, by what the readers find in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from deltaedit.tools.errors import CheckpointError


def verdict(path: Path) -> str:
    """One line: what the file holds, and for which size.

    Nothing in the file is run. A network that has a reader is read whole, so that a missing layer shows.

    Raises:
        CheckpointError: the file is missing or damaged, or a layer of the network that it looks like does not fit.
    """
    from eval.weights.checkpoints import is_old_torch_file
    from eval.weights.codes import archive_arrays, check_rows, is_npz
    from eval.weights.formats.files import (
        PICKLE,
        ZIP,
        describe_file,
        existing,
        load_array,
        load_safetensors,
        load_torch,
    )
    from eval.weights.formats.torchscript import is_torchscript, read_torchscript

    kind = describe_file(existing(path))
    if kind == "a NumPy array":
        array = load_array(path)
        check_rows(path, array if array.dim() > 1 else array.reshape(1, -1))
        return _of_array(tuple(array.shape))
    if kind == ZIP and is_npz(path):
        return "; ".join(f"'{name}': {_of_array(array.shape)}" for name, array in archive_arrays(path).items())
    if kind == "a safetensors file":
        return _of_tensors(path, load_safetensors(path))
    if kind == ZIP and is_torchscript(path):
        return _of_tensors(path, read_torchscript(path))
    if kind == PICKLE and not is_old_torch_file(path):
        return _of_generator(path)
    if kind not in (ZIP, PICKLE):
        raise CheckpointError(f"{path} is no weight file; it looks like {kind}.")
    return _of_payload(path, load_torch(path))


def _of_array(shape: tuple[int, ...]) -> str:
    """What an array of a size is taken for."""
    text = f"an array of {' x '.join(map(str, shape))} numbers"
    if len(shape) == 2 and shape[1] == 512 and shape[0] in STYLE_SIZES:
        return f"{text}: R_s of a {STYLE_SIZES[shape[0]]} px generator, or {shape[0]} CLIP features"
    if len(shape) == 2 and shape[1] in STYLE_SIZES:
        return f"{text}: styles of {shape[0]} images of a {STYLE_SIZES[shape[1]]} px generator"
    if len(shape) == 2:
        return f"{text}: features of {shape[0]} images, perhaps"
    if len(shape) == 3 and shape[2] == 512 and shape[1] % 2 == 0:
        return f"{text}: W+ codes of {shape[0]} images of a {2 ** (shape[1] // 2 + 1)} px generator"
    return text


STYLE_SIZES = {6048: 1024, 5952: 512, 5760: 256}  # C of config-f -> side of its images in pixels


def _of_payload(path: Path, payload: Any) -> str:
    """What ``torch.save`` stored."""
    if isinstance(payload, Tensor):
        return _of_array(tuple(payload.shape))
    if not isinstance(payload, dict):
        raise CheckpointError(f"{path} holds a {type(payload).__name__}, which is no network and no codes.")
    from eval.weights.checkpoints import generator_state, read_styleclip_mapper
    from eval.weights.formats.states import plain_state, tensors_of, without_module

    nested = without_module(tensors_of(payload.get("state_dict")))
    if any(name.startswith("mapper.") for name in nested):
        mapper = read_styleclip_mapper(path)
        told = mapper.options.get("description")
        return f"a StyleCLIP mapper of kind '{mapper.kind}'" + (f' for "{told}"' if told else "")
    if any(name.startswith("encoder.") for name in nested):
        return _of_e4e(path, any(name.startswith("decoder.") for name in nested))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader says it again
        is_generator = "g_ema" in payload or "input.input" in generator_state(path, payload)
    if is_generator:
        return _of_generator(path)
    return _of_tensors(path, plain_state(payload))


def _of_e4e(path: Path, with_decoder: bool) -> str:
    from eval.weights.checkpoints import read_e4e

    encoder = read_e4e(path)
    rows = len(encoder.w_mean)
    kind = "an e4e" if encoder.from_first else "a pSp"
    text = f"{kind} encoder for a generator of {2 ** (rows // 2 + 1)} px ({rows} rows of W+)"
    return f"{text}, and its decoder" if with_decoder else text


def _of_generator(path: Path) -> str:
    from eval.weights.checkpoints import read_generator

    synthesis = read_generator(path).synthesis
    return (
        f"a StyleGAN2 generator of {synthesis.resolution} px: {synthesis.s_size} styles, "
        f"{synthesis.latents} rows of W+ of length {synthesis.w_dim}"
    )


def _of_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """What a bare state dict is."""
    from eval.weights.formats.files import describe_names
    from eval.weights.formats.states import check_finite

    if not tensors:
        raise CheckpointError(f"{path} holds no tensors, so no weights and no codes.")
    what = describe_names(tensors)
    # An archive of CLIP holds its mask of -inf, which is no weight.
    check_finite(path, {name: tensor for name, tensor in tensors.items() if not name.endswith("attn_mask")})
    readers: dict[str, Callable[[], str]] = {
        "a bare StyleGAN2 state dict of rosinality's code": lambda: _of_generator(path),
        "a generator of this library": lambda: _of_generator(path),
        "a Delta Mapper": lambda: _delta_mapper(tensors),
        "a CLIP model": lambda: f"a CLIP model{_clip_size(tensors)}",
    }
    if what in readers:
        return readers[what]()
    return f"{what}, {sum(tensor.numel() for tensor in tensors.values()):,} numbers"


def _delta_mapper(tensors: Mapping[str, Tensor]) -> str:
    """The widths of a Delta Mapper's three levels, and the generator that they fit if that is a config-f."""
    widths = []
    for level in ("coarse", "medium", "fine"):
        last = tensors.get(f"fm_{level}.mapping.3.bias")
        if last is None:
            raise CheckpointError(f"This is no whole Delta Mapper: layer 'fm_{level}.mapping.3.bias' is missing.")
        widths.append(len(last))
    side = (
        STYLE_SIZES.get(7 * 512 + widths[2]) if widths[:2] == [512, 512] else None
    )  # three coarse, four medium layers
    text = f"a Delta Mapper with levels of {widths[0]}, {widths[1]} and {widths[2]} styles"
    return f"{text}, for a {side} px generator" if side else text


def _clip_size(tensors: Mapping[str, Tensor]) -> str:
    """The patch and width of a vision transformer, which name the architecture."""
    patches = tensors.get("visual.conv1.weight")
    if patches is None or "visual.class_embedding" not in tensors:
        return ""
    known = {(768, 32): " (ViT-B/32)", (768, 16): " (ViT-B/16)", (1024, 14): " (ViT-L/14)"}
    return known.get((patches.shape[0], patches.shape[-1]), f" (patches of {patches.shape[-1]} px)")
