"""The judges of photographs: attributes by a CLIP that no editor has, identity by a face network, Inception's features.

No public classifier of face attributes is certain, so attributes are read zero-shot: one text for each value of a
factor, the logit is 100 times the cosine of image and text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from eval.weights.facenet import FACE_PX, FaceDetector, FaceIdentity, crop_faces
from eval.weights.formats.files import load_torch
from eval.weights.formats.states import check_names, plain_state

LOGIT_SCALE = 100.0  # CLIP's own, at which OpenAI's models were clipped in training
DETECTION_PX = 256  # side of the images that faces are looked for in: an aligned face fills half of them
INCEPTION_PX = 299


class ZeroShotAttributes(nn.Module):
    """Logits of every value of every factor.

    Args:
        clip: the judge CLIP.
        factors: factor -> value -> the text that stands for it.
    """

    def __init__(self, clip: Clip, factors: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__()
        self._clip = clip
        self._factors = factors
        texts = [text for values in factors.values() for text in values.values()]
        self.register_buffer("texts", clip.encode_texts(texts), persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images [N, 3, H, W] in [-1, 1] -> float32 [N, V] of each factor, 100 x cosine."""
        return self.of_features(self._clip.encode_images(images))

    def of_features(self, features: Tensor) -> dict[str, Tensor]:
        """The same of the CLIP's image features, float32 [N, E]."""
        logits = LOGIT_SCALE * features @ self.get_buffer("texts").T
        parts = logits.split([len(values) for values in self._factors.values()], 1)
        return dict(zip(self._factors, parts, strict=True))


def attribute_fingerprint(clip_sha256: str, factors: Mapping[str, Mapping[str, str]]) -> str:
    """What the attribute judge is determined by: the CLIP's file and the texts."""
    return hashlib.sha256(f"{clip_sha256}{json.dumps(factors)}".encode()).hexdigest()


class IdentityJudge(nn.Module):
    """Unit embeddings of the persons on images.

    Args:
        network: crop -> unit embedding.
        detector: finds the face; None takes the whole image.
    """

    def __init__(self, network: FaceIdentity, detector: FaceDetector | None) -> None:
        super().__init__()
        self.network = network
        self._detector = detector

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [-1, 1] -> float32 [N, 512]; NaN where a face is looked for and none is found.

        The whole image there would be compared with the crop of another picture, a number of nothing.
        """
        boxes = torch.full((len(images), 4), torch.nan)
        if self._detector is not None:
            boxes = self._detector.boxes(_shrunk(images, DETECTION_PX)) * max(1.0, images.shape[-1] / DETECTION_PX)
        embeddings: Tensor = self.network(crop_faces(images, boxes, FACE_PX))
        if self._detector is None:
            return embeddings
        return embeddings.masked_fill(boxes.isnan().any(1, keepdim=True).to(embeddings.device), torch.nan)


class NoIdentity:
    """Stands where a domain has no persons: every similarity is NaN, which tables leave blank."""

    def __call__(self, images: Tensor) -> Tensor:
        """Images [N, …] -> NaN [N, 1]."""
        return images.new_full((len(images), 1), torch.nan)


def _shrunk(images: Tensor, side_px: int) -> Tensor:
    if images.shape[-1] <= side_px:
        return images
    return F.interpolate(images, (side_px, side_px), mode="bilinear", align_corners=False, antialias=True)


class InceptionFeatures(nn.Module):
    """Inception's pool3 as pytorch-fid computes it, from the same weights.

    Args:
        path: ``pt_inception-2015-12-05-6726825d.pth``.

    Raises:
        CheckpointError: the file is missing, damaged, or holds other weights.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced
            network = _fid_inception()
        shapes: dict[str, tuple[int, ...]] = {name: tuple(t.shape) for name, t in network.state_dict().items()}
        # Counters of training, which the file does not have and nothing reads.
        counters = {name: torch.tensor(0) for name in shapes if name.endswith("num_batches_tracked")}
        state = counters | plain_state(load_torch(path))
        check_names(path, state, shapes, "pytorch-fid's Inception")
        network.load_state_dict(state, assign=True)
        parts: dict[str, nn.Module] = dict(network.named_children())
        kept = [parts[name] for name in parts if name not in ("AuxLogits", "dropout", "fc")]
        self.layers = nn.Sequential(*kept).eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [-1, 1] -> float32 [N, 2048]; resized as pytorch-fid does, without antialiasing."""
        x = images.float().clamp(-1, 1)
        x = F.interpolate(x, (INCEPTION_PX, INCEPTION_PX), mode="bilinear", align_corners=False)
        features: Tensor = self.layers(x).flatten(1)
        return features


def _fid_inception() -> nn.Module:
    """Torchvision's Inception with the pooling of the one that FID is defined by (pytorch-fid's subclasses)."""
    import torchvision  # type: ignore[import-untyped]
    from pytorch_fid import inception as fid
    from torchvision.models import inception as plain  # type: ignore[import-untyped]

    network: Any = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    replaced = {plain.InceptionA: fid.FIDInceptionA, plain.InceptionC: fid.FIDInceptionC}
    for block in network.children():
        block.__class__ = replaced.get(type(block), type(block))  # the subclasses differ in forward alone
    network.Mixed_7b.__class__ = fid.FIDInceptionE_1
    network.Mixed_7c.__class__ = fid.FIDInceptionE_2
    return network  # type: ignore[no-any-return]
