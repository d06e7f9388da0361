"""Where the face of a photograph is: found, aligned as the generator's training pictures were, pasted back.

FFHQ (Karras et al. 2019) cuts an upright square around the eyes and the mouth. It is a similarity: a centre and two
orthogonal half sides of equal length, found from dlib's 68 landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eval.domains.faces.networks import SIDE_PX
from eval.errors import UsageError

RGB = np.ndarray  # uint8 [H, W, 3]
SEARCH_PX = 1000  # faces are looked for in a photograph of at most this side, which takes a second
LEAST_PX = 60  # width of a face that has something to show at 256 px
LEAST_SCORE = 0.4  # of the detector's best: a badge that resembles a face reaches .1
LEAST_TURN = 0.3  # of a face seen from the side: nose to the nearer edge of the jaw / to the farther one
FEATHER = 0.12  # share of the square's side over which it fades into the photograph
LEFT_EYE, RIGHT_EYE, MOUTH, NOSE, JAW = slice(36, 42), slice(42, 48), [48, 54], 30, [0, 16]


def eye_frame(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """The frame of each face: upright, with the middle of the eyes at 0 and a distance of the eyes as 1.

    Args:
        landmarks: float [N, 68, 2], x and y in px.

    Returns:
        The middles of the eyes [N, 2], and matrices [N, 2, 2] that turn px from there into places of the frame.
    """
    left, right = landmarks[:, LEFT_EYE].mean(1), landmarks[:, RIGHT_EYE].mean(1)
    across = (right - left) / (right - left).square().sum(1, keepdim=True)
    return (left + right) / 2, torch.stack([across, torch.stack([-across[:, 1], across[:, 0]], 1)], 1)


@dataclass(frozen=True)
class Alignment:
    """The square of a face in a photograph.

    Attributes:
        centre: float64 [2], x and y in px; pixel (0, 0) covers 0 to 1.
        right: float64 [2], from the centre to the middle of the right side.
    """

    centre: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> Alignment:
        """From the 68 landmarks, float [68, 2], x and y in px."""
        left_eye, right_eye = points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)
        eyes = (left_eye + right_eye) / 2
        across, down = right_eye - left_eye, points[MOUTH].mean(0) - eyes
        direction = across + np.array([down[1], -down[0]])  # both say where right is
        direction /= np.hypot(*direction)
        half = max(2 * np.hypot(*across), 1.8 * np.hypot(*down))
        return cls(eyes + 0.1 * down + 0.5, half * direction)

    @property
    def down(self) -> np.ndarray:
        """From the centre to the middle of the lower side: float64 [2]."""
        return np.array([-self.right[1], self.right[0]])

    @property
    def side_px(self) -> float:
        """Of the square, in the photograph."""
        return float(2 * np.hypot(*self.right))

    def cut(self, photograph: RGB) -> Tensor:
        """The aligned face: float32 [1, 3, 256, 256] in [-1, 1]; what lies outside the photograph is mirrored."""
        image = _to_float(photograph)
        scale = min(1.0, 2 * SIDE_PX / self.side_px)  # large photographs are averaged down first, against aliasing
        if scale < 1:
            size = [max(1, round(length * scale)) for length in image.shape[2:]]
            image = F.interpolate(image, size, mode="bilinear", antialias=True)
        across = (torch.arange(2 * SIDE_PX, dtype=torch.float64) + 0.5) / SIDE_PX - 1
        v, u = torch.meshgrid(across, across, indexing="ij")
        where = torch.stack([self.centre[k] + u * self.right[k] + v * self.down[k] for k in (0, 1)], -1)
        height, width = photograph.shape[:2]
        grid = where / torch.tensor([width, height]) * 2 - 1
        face = F.grid_sample(image, grid[None].float(), "bilinear", "reflection", align_corners=False)
        return F.avg_pool2d(face, 2)

    def paste(self, photograph: RGB, face: RGB) -> RGB:
        """The photograph with another face in the square, which fades towards its sides; nothing outside changes.

        Args:
            photograph: uint8 [H, W, 3].
            face: uint8 [256, 256, 3].
        """
        height, width = photograph.shape[:2]
        reach = np.abs(self.right) + np.abs(self.down)
        left, top = np.clip(np.floor(self.centre - reach), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(self.centre + reach), 0, (width, height)).astype(int)
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        half = np.hypot(*self.right)
        u = ((x - self.centre[0]) * self.right[0] + (y - self.centre[1]) * self.right[1]) / half**2
        v = ((x - self.centre[0]) * self.down[0] + (y - self.centre[1]) * self.down[1]) / half**2
        near = np.clip((1 - np.maximum(np.abs(u), np.abs(v))) / (2 * FEATHER), 0, 1)
        share = (near * near * (3 - 2 * near))[..., None]
        image = _to_float(face)
        if self.side_px < SIDE_PX:
            side = max(1, round(self.side_px))
            image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
        grid = torch.from_numpy(np.stack([u, v], -1))[None].float()
        new = F.grid_sample(image, grid, "bicubic", "border", align_corners=False)[0].permute(1, 2, 0).numpy()
        pasted = photograph.copy()
        part = pasted[top:bottom, left:right]
        mixed = part * (1 - share) + ((new + 1) * 127.5).clip(0, 255) * share
        pasted[top:bottom, left:right] = np.rint(mixed).astype(np.uint8)
        return pasted


def find_face(photograph: RGB, name: str, predictor: Any) -> np.ndarray:
    """The 68 landmarks of the one face: float64 [68, 2], x and y in px.

    Args:
        photograph: uint8 [H, W, 3].
        name: of the photograph, for messages.
        predictor: dlib's, of 68 landmarks.

    Raises:
        UsageError: there is no face, or more than one, or it is too small or seen from the side.
    """
    import dlib
    from PIL import Image

    scale = min(1.0, SEARCH_PX / max(photograph.shape[:2]))
    size = [max(1, round(length * scale)) for length in photograph.shape[1::-1]]
    small = np.array(Image.fromarray(photograph).resize(size, Image.Resampling.BOX)) if scale < 1 else photograph
    boxes, scores, _ = dlib.get_frontal_face_detector().run(np.ascontiguousarray(small), 1, 0.0)
    found = [box for box, score in zip(boxes, scores, strict=True) if score >= LEAST_SCORE * max(scores)]
    if not found:
        raise UsageError(f"No face was found in {name}; it must be seen from the front, and not be a small part of it.")
    if len(found) > 1:
        raise UsageError(f"{name} shows {len(found)} faces; cut it so that only one is left.")
    box = [round(edge / scale) for edge in (found[0].left(), found[0].top(), found[0].right(), found[0].bottom())]
    if box[2] - box[0] < LEAST_PX:
        raise UsageError(
            f"The face in {name} is only {box[2] - box[0]} px wide, and {LEAST_PX} are needed; give a larger picture."
        )
    parts = predictor(np.ascontiguousarray(photograph), dlib.rectangle(*box)).parts()
    points = np.array([(point.x, point.y) for point in parts], dtype=np.float64)
    refuse_profile(points, name)
    return points


def refuse_profile(points: np.ndarray, name: str) -> None:
    """Refuse a face that is seen from the side.

    Args:
        points: float [68, 2], landmarks.
        name: of the photograph.

    Raises:
        UsageError: the tip of the nose is much nearer to one edge of the jaw.
    """
    distances = np.hypot(*(points[JAW] - points[NOSE]).T)
    if distances.min() < LEAST_TURN * distances.max():
        raise UsageError(f"The face in {name} is seen from the side; it must look into the camera.")


def _to_float(pixels: RGB) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 127.5 - 1
