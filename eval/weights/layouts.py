"""How other code bases name the tensors of a StyleGAN2 generator, and how they become a ``Generator``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.generator import Generator
from eval.weights.formats.files import CheckpointError, describe_names
from eval.weights.formats.states import check_names

ROSINALITY = "a StyleGAN2 generator of rosinality's code"
NVIDIA = "a StyleGAN2 generator of NVIDIA's code"
OURS = "a StyleGAN2 generator of this library"


def rosinality_name(name: str) -> str | None:
    """The name that rosinality's code has for a tensor of ``Generator``; None for ``w_mean``, which stands beside them.

    >>> rosinality_name("synthesis.convs.0.affine.weight"), rosinality_name("synthesis.convs.1.noise_strength")
    ('conv1.conv.modulation.weight', 'convs.0.noise.weight')
    >>> rosinality_name("mapping.layers.0.bias")
    'style.1.bias'
    """
    if name == "w_mean":
        return None
    if name == "synthesis.constant":
        return "input.input"
    if found := re.fullmatch(r"noise_(\d+)", name):
        return f"noises.noise_{found[1]}"
    if found := re.fullmatch(r"mapping\.layers\.(\d+)\.(.+)", name):
        return f"style.{int(found[1]) + 1}.{found[2]}"  # style.0 is the normalisation of z
    found = re.fullmatch(r"synthesis\.(convs|to_rgbs)\.(\d+)\.(.+)", name)
    if found is None:
        raise KeyError(name)
    first = {"convs": "conv1", "to_rgbs": "to_rgb1"}[found[1]]
    layer = first if found[2] == "0" else f"{found[1]}.{int(found[2]) - 1}"
    bias = "activate.bias" if found[1] == "convs" else "bias"
    parts = {"conv.weight": "conv.weight", "noise_strength": "noise.weight", "bias": bias}
    return f"{layer}.{parts.get(found[3]) or found[3].replace('affine', 'conv.modulation')}"


def nvidia_name(name: str) -> str:
    """The name that stylegan2-ada-pytorch and stylegan3 have for a tensor of ``Generator``.

    >>> nvidia_name("synthesis.convs.0.affine.weight"), nvidia_name("synthesis.convs.1.noise_strength")
    ('synthesis.b4.conv1.affine.weight', 'synthesis.b8.conv0.noise_strength')
    >>> nvidia_name("synthesis.to_rgbs.2.conv.weight"), nvidia_name("noise_2")
    ('synthesis.b16.torgb.weight', 'synthesis.b8.conv1.noise_const')
    """
    if name == "w_mean":
        return "mapping.w_avg"
    if name == "synthesis.constant":
        return "synthesis.b4.const"
    if found := re.fullmatch(r"mapping\.layers\.(\d+)\.(.+)", name):
        return f"mapping.fc{found[1]}.{found[2]}"
    if found := re.fullmatch(r"noise_(\d+)", name):
        return f"{_nvidia_convolution(int(found[1]))}.noise_const"
    found = re.fullmatch(r"synthesis\.(convs|to_rgbs)\.(\d+)\.(.+)", name)
    if found is None:
        raise KeyError(name)
    layer = _nvidia_convolution(int(found[2])) if found[1] == "convs" else f"synthesis.b{4 * 2 ** int(found[2])}.torgb"
    return f"{layer}.{'weight' if found[3] == 'conv.weight' else found[3]}"


def _nvidia_convolution(number: int) -> str:
    """Name of a convolution: at 4 px there is only conv1, above conv0 doubles the side."""
    return f"synthesis.b{4 * 2 ** ((number + 1) // 2)}.conv{(number + 1) % 2}"


def build_rosinality(path: Path, tensors: Mapping[str, Tensor], w_mean: Tensor | None) -> Generator:
    """The generator of a rosinality state dict.

    Args:
        path: the file, for error messages.
        tensors: its ``g_ema``.
        w_mean: its ``latent_avg`` [D], [1, D] or [L, D]; None where the file has none: it is then measured.

    Raises:
        CheckpointError: a layer is missing, unexpected or of another shape.
    """
    named = dict(tensors)
    for name in [name for name in named if name.endswith((".blur.kernel", ".upsample.kernel"))]:
        _check_blur(path, name, named.pop(name), 4.0)
    depth = sum(re.fullmatch(r"style\.\d+\.weight", name) is not None for name in named)
    levels = 1 + sum(re.fullmatch(r"to_rgbs\.\d+\.bias", name) is not None for name in named)
    widths = ["conv1.conv.weight", *(f"convs.{2 * i}.conv.weight" for i in range(levels - 1))]
    generator = _empty(path, named, ROSINALITY, widths, "style.1.weight", depth, output_axis=1)
    _fill(path, generator, named, {name: rosinality_name(name) for name in generator.state_dict()}, ROSINALITY)
    generator.w_mean = generator.measure_w_mean() if w_mean is None else _mean_row(path, w_mean, generator)
    return generator


def build_nvidia(path: Path, tensors: Mapping[str, Tensor], clamp: float | None) -> Generator:
    """The generator of an NVIDIA state dict.

    Args:
        path: the file, for error messages.
        tensors: parameters and buffers by name.
        clamp: what the network clips its activations to.

    Raises:
        CheckpointError: a layer is missing, unexpected or of another shape.
    """
    named = dict(tensors)
    for name in [name for name in named if name.endswith("resample_filter")]:
        _check_blur(path, name, named.pop(name), 1.0)
    depth = sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in named)
    levels = sum(re.fullmatch(r"synthesis\.b\d+\.torgb\.bias", name) is not None for name in named)
    widths = [f"{_nvidia_convolution(2 * i)}.weight" for i in range(levels)]
    generator = _empty(path, named, NVIDIA, widths, "mapping.fc0.weight", depth, output_axis=0)
    _fill(path, generator, named, {name: nvidia_name(name) for name in generator.state_dict()}, NVIDIA)
    for layer in [*generator.synthesis.convs, *generator.synthesis.to_rgbs]:
        layer.clamp = clamp  # type: ignore[assignment]
    return generator


def build_ours(path: Path, tensors: Mapping[str, Tensor]) -> Generator:
    """The generator of our own state dict.

    Raises:
        CheckpointError: a layer is missing, unexpected or of another shape.
    """
    named = dict(tensors)
    depth = sum(re.fullmatch(r"mapping\.layers\.\d+\.weight", name) is not None for name in named)
    levels = sum(re.fullmatch(r"synthesis\.to_rgbs\.\d+\.bias", name) is not None for name in named)
    widths = [f"synthesis.convs.{2 * i}.conv.weight" for i in range(levels)]
    generator = _empty(path, named, OURS, widths, "mapping.layers.0.weight", depth, output_axis=0)
    _fill(path, generator, named, {name: name for name in generator.state_dict()}, OURS)
    return generator


def _empty(
    path: Path, named: Mapping[str, Tensor], what: str, widths: list[str], first: str, depth: int, output_axis: int
) -> Generator:
    """A generator of the size that the file's shapes tell, its weights still to be filled."""
    if first not in named:
        raise CheckpointError(
            f"{path} is not {what}: layer '{first}' is missing; it looks like {describe_names(named)}."
        )
    missing = next((name for name in widths if name not in named), None)
    if missing is not None or len(widths) < 2:
        layer = missing or "the image layer of 8 px"
        raise CheckpointError(
            f"{path} is not {what}: layer '{layer}' is missing; it looks like {describe_names(named)}."
        )
    channels = [named[name].shape[output_axis] if named[name].dim() > output_axis else 0 for name in widths]
    if named[first].dim() != 2 or not all(channels):
        raise CheckpointError(f"{path} is not {what}: layer '{first}' has shape {tuple(named[first].shape)}.")
    w_dim, z_dim = named[first].shape
    if what == ROSINALITY and z_dim == 2 * w_dim:
        raise CheckpointError(
            f"{path} is a generator with class labels (its first mapping layer takes {z_dim} numbers, z and a label, "
            f"for w of {w_dim}); only ones without are read."
        )
    with torch.device("meta"):
        synthesis = FastStyleGAN2(4 * 2 ** (len(widths) - 1), channels, w_dim)
        return Generator(synthesis, z_dim, depth)


def _fill(
    path: Path, generator: Generator, named: dict[str, Tensor], names: Mapping[str, str | None], what: str
) -> None:
    """Check every tensor and put it in its place; noise maps that a file lacks become zeros."""
    state = generator.state_dict()
    filled, wanted = {}, {}
    for ours, theirs in names.items():
        if theirs is None or (ours.startswith("noise_") and theirs not in named):
            filled[ours] = torch.zeros(state[ours].shape)
            continue
        shape = tuple(state[ours].shape)
        given = named.get(theirs)
        # Axes of length 1 differ between the code bases: [1, O, I, k, k] or [O, I, k, k], [1] or [].
        same = given is not None and _squeezed(tuple(given.shape)) == _squeezed(shape)
        wanted[theirs] = tuple(given.shape) if given is not None and same else shape
        if given is not None and same:
            filled[ours] = given.reshape(shape).to(torch.float32)
    check_names(path, named, wanted, what)
    generator.load_state_dict(filled, assign=True)
    generator.eval().requires_grad_(False)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _mean_row(path: Path, w_mean: Tensor, generator: Generator) -> Tensor:
    """One row of ``latent_avg``, which some files repeat for every layer."""
    rows = w_mean.reshape(-1, w_mean.shape[-1]) if w_mean.dim() else w_mean.reshape(1, 1)
    if rows.shape[1] != generator.synthesis.w_dim or not torch.equal(rows, rows[:1].expand_as(rows)):
        raise CheckpointError(
            f"{path} is not {ROSINALITY}: 'latent_avg' {tuple(w_mean.shape)} is no single w of length "
            f"{generator.synthesis.w_dim}."
        )
    return rows[0].to(torch.float32).clone()


def _check_blur(path: Path, name: str, kernel: Tensor, gain: float) -> None:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    wanted = taps[:, None] * taps * (gain / 64)
    if kernel.shape != wanted.shape or not torch.allclose(kernel.float(), wanted, atol=1e-6):
        raise CheckpointError(f"{path} resamples in '{name}' by another filter than StyleGAN2's [1, 3, 3, 1].")
