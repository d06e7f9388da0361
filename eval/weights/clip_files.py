"""A CLIP of a weights file that the user has: OpenAI's archives, state dicts, safetensors. Nothing is fetched."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deltaedit.backbones.clip import OPENAI_MEAN, OPENAI_STD, Clip
from eval.weights.files import (
    ZIP,
    CheckpointError,
    check_names,
    describe_file,
    existing,
    load_safetensors,
    load_torch,
    tensors_of,
)
from eval.weights.torchscript import is_torchscript, read_torchscript

# What OpenAI's archives hold besides the weights.
NO_WEIGHTS = re.compile(r"(.*\.)?attn_mask|input_resolution|context_length|vocab_size")


def read_clip(path: Path | str, architecture: str = "ViT-B-32-quickgelu") -> Clip:
    """A CLIP model of a weights file.

    Args:
        path: OpenAI's TorchScript archive (``ViT-B-32.pt``), a state dict of ``torch.save`` or a training checkpoint of
            open_clip, or safetensors.
        architecture: of open_clip. OpenAI's weights need the names that end in ``-quickgelu``.

    Returns:
        float32, on the CPU, in eval mode, without gradients.

    Raises:
        CheckpointError: there is no such architecture, the file is missing or damaged, or its layers do not fit.
    """
    path = existing(path)
    model = _empty_model(architecture)
    state = {name: tensor.float() for name, tensor in _state(path).items() if not NO_WEIGHTS.fullmatch(name)}
    wanted: dict[str, tuple[int, ...]] = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    check_names(path, state, wanted, f"a CLIP of the architecture {architecture}")
    model.load_state_dict(state, assign=True)
    _fill_masks(model)
    return _clip(model.eval().requires_grad_(False), architecture)


def _state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by the names of the model."""
    if describe_file(path) == "a safetensors file":
        return load_safetensors(path)
    if describe_file(path) == ZIP and is_torchscript(path):
        return read_torchscript(path)
    payload = load_torch(path)
    nested = tensors_of(payload.get("state_dict")) if isinstance(payload, Mapping) else {}
    state = nested or tensors_of(payload)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _empty_model(architecture: str) -> nn.Module:
    """The model without memory for its weights.

    Raises:
        CheckpointError: open_clip has no such architecture.
    """
    import open_clip

    known = open_clip.list_models()
    if architecture not in known:
        near = difflib.get_close_matches(architecture, known, n=3)
        guess = f"; did you mean {' or '.join(near)}?" if near else ""
        raise CheckpointError(
            f"There is no CLIP architecture '{architecture}' in open_clip {open_clip.__version__}"
            f"{guess or '.'} `python -c 'import open_clip; print(open_clip.list_models())'` lists them."
        )
    with _quiet(), torch.device("meta"):
        model: nn.Module = open_clip.create_model(architecture, pretrained=None, device="meta")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without open_clip's warning that no weights were loaded: they come next."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)


def _fill_masks(model: nn.Module) -> None:
    """The causal masks of the text towers, which are no weights and so in no file."""
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta and name == "attn_mask":
                mask = torch.full(buffer.shape, float("-inf")).triu_(1)
                module.register_buffer(name, mask, persistent=False)
            elif buffer.is_meta:
                raise CheckpointError(f"This CLIP architecture has a part '{name}' that no weights file holds.")


def _clip(model: nn.Module, architecture: str) -> Clip:
    import open_clip

    visual: Any = model.visual
    side = visual.image_size
    mean, std = getattr(visual, "image_mean", None), getattr(visual, "image_std", None)
    resolution = int(side[0] if isinstance(side, tuple | list) else side)
    return Clip(model, open_clip.get_tokenizer(architecture), resolution, mean or OPENAI_MEAN, std or OPENAI_STD)
