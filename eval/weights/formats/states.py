"""State dicts: where a file has them, and whether names, shapes and numbers are those of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eval.errors import shortened
from eval.weights.formats.files import CheckpointError, describe_names

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # that all of torch computes with

# Under which a checkpoint may hold its state dict, the averaged network before the last one.
OUTER_KEYS = ("state_dict", "g_ema", "params_ema", "params", "model", "generator", "network")


def plain_state(payload: Any) -> dict[str, Tensor]:
    """The state dict in a payload: its own tensors, or those under a usual outer key, without ``module.`` in front."""
    if not isinstance(payload, dict):
        return {}
    nested = (tensors_of(payload.get(key)) for key in OUTER_KEYS)
    return without_module(next((state for state in nested if state), tensors_of(payload)))


def without_module(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as it was before ``DataParallel`` put ``module.`` before every name."""
    wrapped = bool(state) and all(name.startswith("module.") for name in state)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()} if wrapped else state


def check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse numbers that are none: one of them makes every picture NaN.

    Raises:
        CheckpointError: it names the first tensor.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            count = int((~torch.isfinite(tensor)).sum())
            raise CheckpointError(
                f"{path} is damaged: {count} of {tensor.numel()} numbers of '{name}' are NaN or infinite."
            )


def tensors_of(payload: Any) -> dict[str, Tensor]:
    """The tensors by name of a loaded state dict; whatever else is in it is left out."""
    items = payload.items() if isinstance(payload, dict) else ()
    plain = ((str(name), plain_tensor(value)) for name, value in items)
    return {name: tensor for name, tensor in plain if tensor is not None}


def plain_tensor(value: Any) -> Tensor | None:
    """A tensor as one of real numbers in rows; None for what is no tensor or holds no real numbers (complex, meta)."""
    if not isinstance(value, Tensor) or value.is_meta or value.is_complex() or value.is_nested:
        return None
    tensor = value.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.float() if tensor.is_floating_point() and tensor.dtype not in DTYPES else tensor


def check_names(
    path: Path,
    got: dict[str, Tensor],
    wanted: dict[str, tuple[int, ...]],
    what: str,
    contents: Iterable[str] | None = None,
) -> None:
    """Compare names and shapes.

    Args:
        path: the file, for the sentence.
        got: its tensors.
        wanted: shape by name.
        what: what the file should be, for example ``a Delta Mapper for this generator``.
        contents: names that tell what the file is instead; those of ``got`` by default.

    Raises:
        CheckpointError: a layer is missing, unexpected, of another shape or type, or not finite; it names the first.
    """
    looks = f"the file looks like {describe_names(got if contents is None else contents)}"
    missing, unexpected = sorted(wanted.keys() - got.keys()), sorted(got.keys() - wanted.keys())
    wrong = [name for name in wanted if name in got and tuple(got[name].shape) != wanted[name]]
    whole = [name for name, tensor in got.items() if not tensor.is_floating_point() and tensor.numel() > 1]
    if missing:
        reason = f"layer '{missing[0]}' {wanted[missing[0]]} is missing"
    elif unexpected:
        reason = f"layer '{shortened(unexpected[0])}' {tuple(got[unexpected[0]].shape)} is unexpected"
    elif wrong:
        reason = f"layer '{wrong[0]}' has shape {tuple(got[wrong[0]].shape)}, expected {wanted[wrong[0]]}"
    elif whole:
        reason = f"layer '{whole[0]}' has numbers of the type {got[whole[0]].dtype}, expected are floats"
    else:
        return check_finite(path, got)
    raise CheckpointError(f"{path} is not {what}: {reason}; {looks}.")
