"""Weight files of small networks in the layouts of the public ones, their numbers made by formula."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

SIDE_PX, WIDTHS, W_DIM, Z_DIM, EMBEDDING = 16, (6, 5, 4), 6, 7, 12
TINY_CLIP = {
    "embed_dim": EMBEDDING,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def formula(name: str, *shape: int) -> torch.Tensor:
    """Numbers that differ from name to name."""
    phase = sum(map(ord, name))
    return torch.tensor(np.sin(phase + 0.7 * np.arange(int(np.prod(shape)))).reshape(shape), dtype=torch.float32)


def rosinality_state() -> dict[str, torch.Tensor]:
    """``g_ema`` as rosinality's code names it: 4, 8, 16 px, two layers of mapping."""
    state = {"input.input": formula("input", 1, WIDTHS[0], 4, 4)}
    for layer, inputs in ((1, Z_DIM), (2, W_DIM)):
        state[f"style.{layer}.weight"] = 100 * formula(f"style{layer}", W_DIM, inputs)
        state[f"style.{layer}.bias"] = formula(f"stylebias{layer}", W_DIM)
    blur = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16, dtype=torch.float32)
    convs = [("conv1", WIDTHS[0], WIDTHS[0])]
    rgbs = [("to_rgb1", WIDTHS[0])]
    for level, (below, here) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False)):
        convs += [(f"convs.{2 * level}", below, here), (f"convs.{2 * level + 1}", here, here)]
        rgbs.append((f"to_rgbs.{level}", here))
        state[f"convs.{2 * level}.conv.blur.kernel"] = blur
        state[f"to_rgbs.{level}.upsample.kernel"] = blur
    for number, (name, inputs, outputs) in enumerate(convs):
        side = 4 * 2 ** ((number + 1) // 2)
        state |= affine(name, inputs)
        state[f"{name}.conv.weight"] = formula(f"{name}w", 1, outputs, inputs, 3, 3)
        state[f"{name}.noise.weight"] = torch.tensor([0.3])
        state[f"{name}.activate.bias"] = formula(f"{name}b", outputs)
        state[f"noises.noise_{number}"] = formula(f"noise{number}", 1, 1, side, side)
    for name, inputs in rgbs:
        state |= affine(name, inputs)
        state[f"{name}.conv.weight"] = formula(f"{name}w", 1, 3, inputs, 1, 1)
        state[f"{name}.bias"] = formula(f"{name}b", 1, 3, 1, 1)
    return state


def affine(name: str, inputs: int) -> dict[str, torch.Tensor]:
    return {
        f"{name}.conv.modulation.weight": formula(f"{name}m", inputs, W_DIM),
        f"{name}.conv.modulation.bias": 1 + 0.1 * formula(f"{name}mb", inputs),
    }


def mapper_layers(name: str, inputs: int, outputs: int, first: int) -> dict[str, torch.Tensor]:
    """Four fully connected layers of a Delta Mapper's or StyleCLIP mapper's part."""
    state = {}
    for layer, width in enumerate((inputs, outputs, outputs, outputs), first):
        state[f"{name}.mapping.{layer}.weight"] = 100 * formula(f"{name}{layer}", outputs, width)
        state[f"{name}.mapping.{layer}.bias"] = formula(f"{name}{layer}b", outputs)
    return state


def delta_mapper_state() -> dict[str, torch.Tensor]:
    """``net_face.pth`` for styles of 6, 6 (coarse: equally wide from the start) and 5 + 5 + 4 (fine)."""
    state = {}
    for level, length in (("coarse", 6), ("fine", 14)):
        state |= mapper_layers(f"sm_{level}", length, length, 1)
        state |= mapper_layers(f"cm_{level}", 2 * EMBEDDING, length, 1)
        state |= mapper_layers(f"fm_{level}", 2 * length, length, 0)
    return state


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """See ``write_weights``."""
    return write_weights(tmp_path_factory.mktemp("weights"))


def write_weights(folder: Path) -> SimpleNamespace:
    """Write the files; their paths, the name of the CLIP's architecture, and that CLIP itself."""
    import open_clip
    from safetensors.torch import save_file

    (folder / "tiny-quickgelu.json").write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(folder / "tiny-quickgelu.json")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model("tiny-quickgelu").eval()
    torch.save(model.state_dict(), folder / "clip.pt")
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, folder / "clip.safetensors")
    example = (torch.zeros(1, 3, 16, 16), torch.zeros(1, 77, dtype=torch.long))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; OpenAI's files stay as they are
        torch.jit.save(torch.jit.trace(model, example, check_trace=False).half(), folder / "ViT-tiny.pt")
    model.float()
    torch.save({"g_ema": rosinality_state(), "latent_avg": formula("mean", W_DIM)}, folder / "generator.pt")
    torch.save(delta_mapper_state(), folder / "net_face.pth")
    relevance = formula("relevance", 26, EMBEDDING).numpy()
    np.save(folder / "fs3.npy", relevance / np.linalg.norm(relevance, axis=1, keepdims=True))
    levels = {}
    for level in ("course_mapping", "medium_mapping", "fine_mapping"):
        levels |= {f"mapper.{name}": t for name, t in mapper_layers(level, W_DIM, W_DIM, 1).items()}
    torch.save({"state_dict": levels, "opts": {"description": "a smile"}}, folder / "smile.pt")
    return SimpleNamespace(
        folder=folder,
        generator=folder / "generator.pt",
        clip=folder / "clip.pt",
        clip_safetensors=folder / "clip.safetensors",
        clip_torchscript=folder / "ViT-tiny.pt",
        architecture="tiny-quickgelu",
        delta_mapper=folder / "net_face.pth",
        relevance=folder / "fs3.npy",
        styleclip_mapper=folder / "smile.pt",
        model=model,
    )
