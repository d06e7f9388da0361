"""Faces in photographs: where they are (MTCNN) and whose they are (InceptionResnetV1), both of ``facenet-pytorch``.

The detector's weights come with that package. The identity network's are a file that the user has; none is fetched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.weights.formats.files import CheckpointError, load_torch
from eval.weights.formats.states import check_names, plain_state

FACE_PX = 160  # side of the crops that the identity network was trained on
WEIGHTS = "20180402-114759-vggface2.pt"
SOURCE = "github.com/timesler/facenet-pytorch/releases (v2.2.9)"


class FaceDetector:
    """MTCNN (Zhang et al. 2016, arXiv 1604.02878).

    Args:
        device: where to compute.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        from facenet_pytorch import MTCNN

        self._mtcnn: Any = MTCNN(image_size=FACE_PX, select_largest=True, device=torch.device(device))

    def boxes(self, images: Tensor) -> Tensor:
        """The largest face of each image.

        Args:
            images: float [N, 3, H, W] in [-1, 1].

        Returns:
            float32 [N, 4]: left, top, right, bottom in pixels; NaN where no face was found.
        """
        pixels = ((images.detach().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu()
        found = []
        for picture in pixels:  # one by one: the package fails on a batch in which only some images have a face
            boxes, _ = self._mtcnn.detect(picture)
            none = boxes is None or len(boxes) == 0
            found.append(np.full(4, np.nan) if none else np.asarray(boxes[0], dtype=float))
        return torch.tensor(np.stack(found), dtype=torch.float32)


def crop_faces(images: Tensor, boxes: Tensor, side_px: int = FACE_PX) -> Tensor:
    """The boxes' content, with gradients to the images.

    Args:
        images: float [N, 3, H, W].
        boxes: float [N, 4]: left, top, right, bottom in pixels, cut to the image; NaN takes the whole image.
        side_px: side of the crops.

    Returns:
        float [N, 3, side_px, side_px].

    >>> picture = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    >>> crop_faces(picture, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), 2)[0, 0]
    tensor([[ 9., 10.],
            [13., 14.]])
    """
    height, width = images.shape[-2:]
    crops = []
    for image, box in zip(images, boxes.tolist(), strict=True):
        left, top, right, bottom = (0.0, 0.0, width, height) if np.isnan(box).any() else box
        x, y = min(max(int(left), 0), width - 1), min(max(int(top), 0), height - 1)
        face = image[None, :, y : max(int(bottom), y + 1), x : max(int(right), x + 1)]
        if face.shape[-2:] != (side_px, side_px):
            face = F.interpolate(face, (side_px, side_px), mode="bilinear", align_corners=False, antialias=True)
        crops.append(face)
    return torch.cat(crops)


class FaceIdentity(nn.Module):
    """InceptionResnetV1 trained on VGGFace2: crop of a face -> unit embedding.

    Args:
        path: the file ``20180402-114759-vggface2.pt``.

    Raises:
        CheckpointError: the file is missing, damaged, or holds other weights.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__()
        from facenet_pytorch import InceptionResnetV1

        path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"The face identity network needs {path}; get '{WEIGHTS}' from {SOURCE}.")
        state = plain_state(load_torch(path))
        # The classifier that it was trained with is of no use here.
        state = {name: t for name, t in state.items() if not name.startswith("logits.")}
        self.network: nn.Module = InceptionResnetV1(pretrained=None, classify=False).eval().requires_grad_(False)
        shapes: dict[str, tuple[int, ...]] = {name: tuple(t.shape) for name, t in self.network.state_dict().items()}
        check_names(path, state, shapes, f"the face identity network '{WEIGHTS}'")
        self.network.load_state_dict(state)

    def forward(self, faces: Tensor) -> Tensor:
        """Unit embeddings, with gradients to the crops.

        Args:
            faces: float [N, 3, H, W] in [-1, 1], as ``crop_faces`` gives them; resized to 160 px if need be.

        Returns:
            float32 [N, 512], unit norm.
        """
        x = faces.float().clamp(-1, 1)
        if x.shape[-2:] != (FACE_PX, FACE_PX):
            x = F.interpolate(x, (FACE_PX, FACE_PX), mode="bilinear", align_corners=False, antialias=True)
        embedding: Tensor = self.network(x * (127.5 / 128))  # trained on (pixel - 127.5) / 128
        return F.normalize(embedding, dim=1)
