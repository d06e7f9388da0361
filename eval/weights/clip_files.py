"""A CLIP of a weights file that the user has: OpenAI's archives, state dicts, safetensors. Nothing is fetched."""

from __future__ import annotations

import difflib
import logging
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from deltaedit.backbones.clip import OPENAI_MEAN, OPENAI_STD, Clip
from eval.weights.formats.files import ZIP, CheckpointError, describe_file, existing, load_safetensors, load_torch
from eval.weights.formats.states import check_names, plain_state
from eval.weights.formats.torchscript import is_exact_gelu, is_torchscript, read_torchscript

# What OpenAI's archives hold besides the weights.
QUICK = "-quickgelu"  # how open_clip names the architectures with OpenAI's activation
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
        CheckpointError: there is no such architecture, its tokenizer is not on this machine, the file is missing or
            damaged, or its layers or its activation do not fit.
    """
    path = existing(path)
    configuration = _configuration(architecture)
    tokenizer = _tokenizer(architecture, configuration)
    _check_activation(path, architecture, bool(configuration.get("quick_gelu", False)))
    model = _empty_model(architecture)
    state = {name: tensor for name, tensor in _state(path).items() if not NO_WEIGHTS.fullmatch(name)}
    wanted: dict[str, tuple[int, ...]] = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    check_names(path, state, wanted, f"a CLIP of the architecture {architecture}")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    _fill_masks(model)
    return _clip(model.eval().requires_grad_(False), tokenizer, architecture)


def _state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by the names of the model."""
    if describe_file(path) == "a safetensors file":
        return load_safetensors(path)
    if describe_file(path) == ZIP and is_torchscript(path):
        return read_torchscript(path)
    return plain_state(load_torch(path))


def _configuration(architecture: str) -> dict[str, Any]:
    """What open_clip knows of an architecture.

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
    found: dict[str, Any] = open_clip.get_model_config(architecture)
    return found


def _tokenizer(architecture: str, configuration: dict[str, Any]) -> Callable[[list[str]], Tensor]:
    """The tokenizer of an architecture; one that lies on a hub is never fetched.

    Raises:
        CheckpointError: it is not on this machine.
    """
    import open_clip

    texts = configuration.get("text_cfg", {})
    on_hub = texts.get("hf_tokenizer_name") or texts.get("hf_model_name")
    if not on_hub and "siglip" not in architecture.lower():
        return _own_tokenizer(architecture)
    try:
        if texts.get("hf_model_name"):  # its text tower is described on the hub as well
            raise CheckpointError(f"the text tower '{texts['hf_model_name']}'")
        found: Callable[[list[str]], Tensor] = open_clip.get_tokenizer(architecture, local_files_only=True)
    except Exception:  # no transformers, or no such file on this machine
        raise CheckpointError(
            f"The CLIP {architecture} needs a file from a hub, the tokenizer '{on_hub or architecture}', and nothing "
            "is fetched; take an architecture with CLIP's own tokenizer, for example ViT-B-32."
        ) from None
    return found


@cache
def _own_tokenizer(architecture: str) -> Callable[[list[str]], Tensor]:
    """CLIP's own, whose 48,894 merges take a while to read."""
    import open_clip

    found: Callable[[list[str]], Tensor] = open_clip.get_tokenizer(architecture)
    return found


def _check_activation(path: Path, architecture: str, quick: bool) -> None:
    """Refuse an archive whose code has another activation than the architecture: its features would be wrong.

    A state dict does not tell its activation.

    Raises:
        CheckpointError: it names the architecture that fits.
    """
    import open_clip

    if describe_file(path) != ZIP or not is_torchscript(path):
        return
    exact = is_exact_gelu(path)
    if exact == (not quick):
        return
    fits = architecture.removesuffix(QUICK) if exact else f"{architecture}{QUICK}"
    take = f"; the architecture that fits is {fits}" if fits in open_clip.list_models() else ""
    which = "the exact GELU" if exact else "QuickGELU, as OpenAI's archives have,"
    raise CheckpointError(f"{path} was made with {which} but {architecture} is not{take}.")


class Preprocessing(NamedTuple):
    """How pictures in [0, 1] reach a CLIP: mean and standard deviation of the channels, filter of resizing."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str


def preprocessing(architecture: str) -> Preprocessing:
    """How open_clip prepares pictures for the weights that it publishes under this name.

    Of weights that differ in it most decide; that is said in a warning. OpenAI's where open_clip publishes none.
    """
    import open_clip

    found: Counter[Preprocessing] = Counter()
    for tag in open_clip.list_pretrained_tags_by_model(architecture):
        told = open_clip.get_pretrained_cfg(architecture, tag)
        mean, std = told.get("mean") or OPENAI_MEAN, told.get("std") or OPENAI_STD
        found[Preprocessing(tuple(mean), tuple(std), told.get("interpolation") or "bicubic")] += 1
    if len(found) > 1:
        warnings.warn(
            f"open_clip publishes weights of {architecture} with {len(found)} kinds of preprocessing; the commonest is "
            f"used: mean {found.most_common(1)[0][0].mean[0]:.3g}.",
            stacklevel=2,
        )
    return found.most_common(1)[0][0] if found else Preprocessing(OPENAI_MEAN, OPENAI_STD, "bicubic")


def _empty_model(architecture: str) -> nn.Module:
    """The model without memory for its weights."""
    import open_clip

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
                raise CheckpointError(
                    f"This CLIP architecture has a part '{name}' that no weights file holds; take another one."
                )


def _clip(model: nn.Module, tokenizer: Callable[[list[str]], Tensor], architecture: str) -> Clip:
    visual: Any = model.visual
    side = visual.image_size
    resolution = int(side[0] if isinstance(side, tuple | list) else side)
    mean, std, interpolation = preprocessing(architecture)
    return Clip(model, tokenizer, resolution, mean, std, interpolation)
