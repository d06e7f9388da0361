"""Weight files of random numbers in the layouts of the public ones, and a domain of photographs made of them.

``python tests/eval/domains/photos/conftest.py FOLDER --side 256`` writes files under the published names and in the
published sizes (8 GB at 1024 px); with ``DELTABENCH_WEIGHTS=FOLDER DELTABENCH_UNCHECKED=1`` they run as ``ffhq``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deltaedit.backbones.encoder import Encoder4Editing
from deltaedit.backbones.generator import Generator
from deltaedit.backbones.stylegan2 import StyleGAN2, config_f
from deltaedit.mapper import DeltaMapper
from eval.weights.layouts import rosinality_name

SIDE, W_DIM = 32, 64
CHANNELS = (32, 32, 16, 16)
SMALL_CLIP = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}
ARCHITECTURE = "test-small-quickgelu"

DOMAIN = """
name = "people"
source = "face"

[editing]
generator = "generator.pt"
clip = "editing-clip.pt"
clip_architecture = "test-small-quickgelu"
delta_mapper = "net.pth"
relevance = "relevance.npy"
training_samples = 64
optional = ["delta_mapper", "relevance"]

[judges]
clip = "judge-clip.pt"
clip_architecture = "test-small-quickgelu"
identity = "faces.pt"
frechet = "inception.pth"
measured_images = 4

[factors.eyeglasses]
none = "a face"
eyeglasses = "a face with eyeglasses"

[factors.hair]
black = "a face with black hair"
blond = "a face with blond hair"
red = "a face with red hair"

[regions]
eyeglasses = [[0.0, 0.25, 1.0, 0.5]]

[[prompt]]
name = "eyeglasses"
target = "face with eyeglasses"
attribute = "eyeglasses"
value = "eyeglasses"

[[prompt]]
name = "red-hair"
target = "face with red hair"
attribute = "hair"
value = "red"
"""


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """Fill what is learnt with numbers that keep activations of about the same size."""
    random = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point() or "mask" in name:
            continue
        if name.endswith(("running_var", "affine.bias")) or (tensor.dim() == 1 and name.endswith("weight")):
            tensor.fill_(1.0)
        elif tensor.dim() < 2:
            tensor.normal_(0, 0.02, generator=random)
        else:
            tensor.normal_(0, _spread(network, name, tensor), generator=random)
    return network.eval()


def _spread(network: nn.Module, name: str, tensor: torch.Tensor) -> float:
    """Standard deviation of a layer's weights. StyleGAN2's layers scale their weights themselves when they are used."""
    if isinstance(network, DeltaMapper) or (isinstance(network, Generator) and name.startswith("mapping.")):
        return 100.0  # by 0.01
    if isinstance(network, Generator) or name.endswith("linear.weight"):
        return 1.0
    return (2 / tensor[0].numel()) ** 0.5  # as He et al.: smaller ones end in denormal numbers, which are slow


def write_generator(path: Path, side: int, channels: tuple[int, ...], w_dim: int, seed: int = 0) -> Generator:
    """rosinality's layout: ``g_ema`` and ``latent_avg``."""
    generator = randomised(Generator(StyleGAN2(side, channels, w_dim), w_dim), seed)
    state = {}
    for ours, tensor in generator.state_dict().items():
        name = rosinality_name(ours)
        if name is not None:
            state[name] = tensor[None] if name.endswith("conv.weight") else tensor.clone()
        if name is not None and name.endswith("noise.weight"):
            state[name] = torch.full((1,), 0.05)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"g_ema": state, "latent_avg": generator.measure_w_mean(100)}, path)
    return generator


def write_clip(path: Path, architecture: str, seed: int) -> None:
    import open_clip

    model = randomised(open_clip.create_model(architecture, pretrained=None), seed)
    torch.save({name: tensor.half() for name, tensor in model.state_dict().items()}, path)


def write_e4e(path: Path, rows: int, seed: int = 0) -> None:
    state = randomised(Encoder4Editing(rows), seed).state_dict()
    w_mean = state.pop("w_mean")
    torch.save({"state_dict": {f"encoder.{name}": t for name, t in state.items()}, "latent_avg": w_mean}, path)


def write_delta_mapper(path: Path, synthesis: StyleGAN2, size: int, seed: int = 0) -> None:
    torch.save(randomised(DeltaMapper(synthesis.layout, size), seed).state_dict(), path)


def write_relevance(path: Path, channels: int, size: int) -> None:
    matrix = np.random.default_rng(0).standard_normal((channels, size)).astype(np.float32)
    np.save(path, matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def write_inception(path: Path, seed: int = 0) -> None:
    import torchvision

    network = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    state = randomised(network, seed).state_dict()
    torch.save({name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}, path)


def write_faces(path: Path, seed: int = 0) -> None:
    from facenet_pytorch import InceptionResnetV1

    torch.save(randomised(InceptionResnetV1(pretrained=None, classify=False), seed).state_dict(), path)


def write_small_files(folder: Path) -> None:
    generator = write_generator(folder / "generator.pt", SIDE, CHANNELS, W_DIM)
    write_clip(folder / "editing-clip.pt", ARCHITECTURE, 1)
    write_clip(folder / "judge-clip.pt", ARCHITECTURE, 2)
    write_delta_mapper(folder / "net.pth", generator.synthesis, 32)
    write_relevance(folder / "relevance.npy", generator.synthesis.s_size, 32)
    write_inception(folder / "inception.pth")
    write_faces(folder / "faces.pt")
    (folder / "domain.toml").write_text(DOMAIN)


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a small architecture that open_clip knows."""
    import open_clip

    path = tmp_path_factory.mktemp("open_clip") / f"{ARCHITECTURE}.json"
    path.write_text(json.dumps(SMALL_CLIP))
    open_clip.add_model_config(path)
    return ARCHITECTURE


@pytest.fixture(scope="session")
def photo_files(tmp_path_factory: pytest.TempPathFactory, small_clip: str) -> Path:
    """A folder with ``domain.toml`` and every file that it names, at 32 px."""
    folder = tmp_path_factory.mktemp("photos")
    write_small_files(folder)
    return folder


@pytest.fixture
def domain_file(photo_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The domain's TOML file, with an empty cache and no other weights or photographs of the user's."""
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    for variable in ("DELTABENCH_WEIGHTS", "DELTABENCH_IMAGES", "DELTABENCH_UNCHECKED"):
        monkeypatch.delenv(variable, raising=False)
    return photo_files / "domain.toml"


def write_published_files(folder: Path, side: int) -> None:
    """Every file of ``ffhq`` in its published size, except that the generator may be smaller."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = write_generator(folder / "stylegan2-ffhq-config-f.pt", side, config_f(side), 512)
    write_clip(folder / "ViT-B-32.pt", "ViT-B-32-quickgelu", 1)
    write_clip(folder / "ViT-L-14.pt", "ViT-L-14-quickgelu", 2)
    write_e4e(folder / "e4e_ffhq_encode.pt", generator.synthesis.latents)
    write_delta_mapper(folder / "net_face.pth", generator.synthesis, 512)
    write_relevance(folder / "fs3.npy", generator.synthesis.s_size, 512)
    write_inception(folder / "pt_inception-2015-12-05-6726825d.pth")
    write_faces(folder / "20180402-114759-vggface2.pt", 3)
    write_faces(folder / "20180408-102900-casia-webface.pt", 4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    with torch.no_grad():
        write_published_files(options.folder, options.side)
