"""The small networks of the embedded domain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.layers import EqualLinear
from eval.domains.avatars.factors import CODE_SIZE, FACTOR_NAMES, GEOMETRY, VALUES

W_DIM = 128


def to_float(pictures: np.ndarray | Tensor) -> Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [-1, 1]."""
    whole = pictures if isinstance(pictures, Tensor) else torch.from_numpy(np.array(pictures))  # may be read-only
    return whole.permute(0, 3, 1, 2).float() / 127.5 - 1


class FactorMapping(nn.Module):
    """Factor codes -> w, linear: W of this generator *is* linear in the factors, as StyleGAN's is found to be nearly.

    A code is the one-hot factors and the geometry of ``Portraits.codes``; fractions between values are welcome.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = EqualLinear(CODE_SIZE, W_DIM)
        means = [np.full(len(VALUES[factor]), 1 / len(VALUES[factor])) for factor in FACTOR_NAMES]
        centre = np.concatenate([*means, np.zeros(len(GEOMETRY))])
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Float [N, CODE_SIZE] -> w [N, W_DIM]."""
        w: Tensor = self.linear((codes - self.centre) * 2)  # type: ignore[operator]
        return w


class AvatarGenerator(nn.Module):
    """Factor codes -> w -> StyleGAN2 synthesis at 64 px."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = FactorMapping()
        self.synthesis = FastStyleGAN2(64, (128, 128, 128, 64, 32), W_DIM)

    def w_plus(self, codes: Tensor) -> Tensor:
        """Codes [N, CODE_SIZE] -> w_plus [N, 10, W_DIM], the same w for every layer."""
        w: Tensor = self.mapping(codes)
        return w[:, None].expand(-1, self.synthesis.latents, -1)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes [N, CODE_SIZE] -> image [N, 3, 64, 64] in [-1, 1]."""
        image: Tensor = self.synthesis(self.w_plus(codes))
        return image


def normalised(convolution: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Convolution, batch norm, ReLU; outside of training the norm goes into the kernel, which saves two passes."""
    if norm.training:
        return F.relu(norm(convolution(x)))
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight, bias = convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    x = F.conv2d(x, weight, bias, convolution.stride, convolution.padding)  # type: ignore[arg-type]
    return F.relu_(x)


class ConvBlock(nn.Module):
    """3 x 3 convolution with stride 2, then 3 x 3, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / 2, W / 2]."""
        return normalised(self.second, self.norm2, normalised(self.first, self.norm1, x))


class Trunk(nn.Module):
    """Four blocks from 64 px to 4 px, the features of each kept."""

    def __init__(self, widths: tuple[int, int, int, int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ConvBlock(inputs, outputs) for inputs, outputs in zip((3, *widths[:3]), widths, strict=True)
        )
        self.out_features = widths[3] * 16

    def features(self, x: Tensor) -> list[Tensor]:
        """Image [N, 3, 64, 64] in [-1, 1] -> maps of 32, 16, 8 and 4 px."""
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Image [N, 3, 64, 64] -> float [N, out_features]."""
        return self.features(x)[-1].flatten(1)


def map_statistics(maps: Sequence[Tensor]) -> Tensor:
    """Mean and standard deviation over the places of every channel of every block [N, C, H, W]: float32 [N, D]."""
    moments: list[Tensor] = []
    for block in maps:
        places = block.float().permute(0, 2, 3, 1).flatten(1, 2)  # channels last, as networks of judges keep them
        mean = places.mean(1)
        squares = (places - mean[:, None]).square().sum(1)  # twice as fast as torch.std
        moments += [mean, (squares / (places.shape[1] - 1)).sqrt()]
    return torch.cat(moments, 1)


class AttributeNetwork(nn.Module):
    """Logits of every value of every factor, and a feature vector before them.

    Used three times with different weights: the attribute judge, the Fréchet features, and the perceptual loss of the
    generator's training (which is not a judge and is not shipped).
    """

    def __init__(self, widths: tuple[int, int, int, int] = (32, 64, 96, 128), feature_size: int = 256) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.neck = nn.Linear(self.trunk.out_features, feature_size)
        self.heads = nn.Linear(feature_size, sum(len(values) for values in VALUES.values()))

    def features(self, x: Tensor) -> Tensor:
        """Image [N, 3, 64, 64] in [-1, 1] -> float [N, feature_size], not negative."""
        return F.relu(self.neck(self.trunk(x)))

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """``map_statistics`` of every block and the feature vector, of one look."""
        maps = self.trunk.features(images)
        return map_statistics(maps), F.relu(self.neck(maps[-1].flatten(1)))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Image [N, 3, 64, 64] in [-1, 1] -> logits [N, number of values] of each factor."""
        logits = self.heads(self.features(x)).float().split([len(VALUES[factor]) for factor in FACTOR_NAMES], 1)
        return dict(zip(FACTOR_NAMES, logits, strict=True))


WEIGHTS = Path(__file__).parent / "weights"
MERGES_FILE = WEIGHTS / "merges.txt.gz"

_TEXT_TOWER = {"context_length": 32, "width": 128, "heads": 4, "layers": 3}
EDITING_CLIP: dict[str, object] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 32, "head_width": 64},
    "text_cfg": _TEXT_TOWER,
}
JUDGE_CLIP: dict[str, object] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8},
    "text_cfg": _TEXT_TOWER,
}


def build_clip(configuration: dict[str, object]) -> nn.Module:
    """An untrained ``open_clip`` model whose vocabulary is that of ``MERGES_FILE``."""
    import gzip

    from open_clip.model import CLIP

    merges = gzip.decompress(MERGES_FILE.read_bytes()).count(b"\n")
    text = {**configuration["text_cfg"], "vocab_size": 512 + merges + 2}  # type: ignore[dict-item]
    model: nn.Module = CLIP(**{**configuration, "text_cfg": text})  # type: ignore[arg-type]
    return model


class AvatarEncoder(nn.Module):
    """Picture -> W+: one w and a small offset for every layer (the idea of e4e, Tov et al. 2021)."""

    def __init__(self, widths: tuple[int, int, int, int] = (48, 96, 128, 160)) -> None:
        super().__init__()
        self.latents = 10
        self.trunk = Trunk(widths)
        self.neck = nn.Linear(self.trunk.out_features, 512)
        self.w = nn.Linear(512, W_DIM)
        self.offsets = nn.Linear(512, self.latents * W_DIM)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Image [N, 3, 64, 64] in [-1, 1] -> w [N, W_DIM] and offsets [N, 10, W_DIM]."""
        hidden = F.relu(self.neck(self.trunk(x)))
        return self.w(hidden).float(), self.offsets(hidden).float().view(-1, self.latents, W_DIM)

    def forward(self, x: Tensor) -> Tensor:
        """Image [N, 3, 64, 64] in [-1, 1] -> w_plus [N, 10, W_DIM]."""
        w, offsets = self.split(x)
        return w[:, None] + offsets


class IdentityNetwork(nn.Module):
    """Picture -> unit embedding of the person, the same under other hair, glasses, expression, clothes, background."""

    def __init__(self, widths: tuple[int, int, int, int] = (32, 64, 96, 160), embedding_size: int = 64) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.neck = nn.Linear(self.trunk.out_features, 256)
        self.embedding = nn.Linear(256, embedding_size)
        self.geometry = nn.Linear(256, len(GEOMETRY))  # only for training: the person's measures

    def hidden(self, x: Tensor) -> Tensor:
        """Image [N, 3, 64, 64] in [-1, 1] -> float [N, 256]."""
        return F.relu(self.neck(self.trunk(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Image [N, 3, 64, 64] in [-1, 1] -> float32 [N, embedding_size], unit norm."""
        return F.normalize(self.embedding(self.hidden(x)).float(), dim=-1)


CLIPS = {"editing-clip": EDITING_CLIP, "judge-clip": JUDGE_CLIP}
