"""Where a face has what a prompt is about, by its own 68 landmarks.

Boxes lie in the frame of the face: from the middle between the eyes to its right and down, in distances of the eyes.
An edge lies beyond the outermost of some landmarks by a margin. Where no face is found, fixed boxes stand in: aligned
faces are all at the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from eval.domains.faces.alignment import eye_frame
from eval.domains.faces.networks import SIDE_PX

Edge = tuple[slice, float] | None  # landmarks and margin; None: the side of the picture
Box = tuple[Edge, Edge, Edge, Edge]  # left, top, right, bottom

JAW, BROWS, NOSTRILS, MOUTH = slice(0, 17), slice(17, 27), slice(31, 36), slice(48, 68)
LEFT_CHEEK, RIGHT_CHEEK = slice(0, 4), slice(13, 17)  # of the jaw, as one sees them
ABOVE_THE_BROWS: Box = (None, None, None, (BROWS, 0.1))
AROUND: tuple[Box, ...] = (
    ABOVE_THE_BROWS,
    (None, None, (LEFT_CHEEK, 0.1), None),
    ((RIGHT_CHEEK, 0.1), None, None, None),
)
BOXES: dict[str, tuple[Box, ...]] = {  # by factor; what has no place may change everything
    "glasses": (((JAW, 0.1), (BROWS, 0.25), (JAW, 0.1), (NOSTRILS, 0.0)),),
    "beard": (((JAW, 0.15), (NOSTRILS, 0.05), (JAW, 0.15), None),),
    "hat": (ABOVE_THE_BROWS,),
    "bangs": (((JAW, 0.2), None, (JAW, 0.2), (BROWS, 0.2)),),
    "hair": AROUND,
    "hairline": (ABOVE_THE_BROWS,),
    "hair_length": AROUND,
    "curls": AROUND,
    "expression": (((JAW, 0.0), (BROWS, 0.1), (JAW, 0.0), (JAW, 0.1)),),
    "mouth": (((MOUTH, 0.5), (NOSTRILS, 0.0), (MOUTH, 0.5), (JAW, 0.2)),),
    "lipstick": (((MOUTH, 0.2), (MOUTH, 0.2), (MOUTH, 0.2), (MOUTH, 0.2)),),
}
_SIDES = ((0.0, 0.42, 0.28, 1.0), (0.72, 0.42, 1.0, 1.0))
FIXED: dict[str, tuple[tuple[float, float, float, float], ...]] = {  # likewise, as shares of the picture's side
    "glasses": ((0.1, 0.3, 0.9, 0.62),),
    "beard": ((0.2, 0.52, 0.8, 1.0),),
    "hat": ((0.0, 0.0, 1.0, 0.42),),
    "bangs": ((0.1, 0.0, 0.9, 0.45),),
    "hair": ((0.0, 0.0, 1.0, 0.42), *_SIDES),
    "hairline": ((0.0, 0.0, 1.0, 0.42),),
    "hair_length": ((0.0, 0.0, 1.0, 0.42), *_SIDES),
    "curls": ((0.0, 0.0, 1.0, 0.42), *_SIDES),
    "expression": ((0.2, 0.32, 0.8, 0.9),),
    "mouth": ((0.25, 0.55, 0.75, 0.92),),
    "lipstick": ((0.28, 0.58, 0.72, 0.85),),
}


def region_of(factor: str, landmarks: np.ndarray) -> np.ndarray:
    """The pixels that an edit of a factor may change in one face.

    Args:
        factor: of the domain.
        landmarks: float [68, 2], x and y in px; NaN where no face was found.

    Returns:
        bool [256, 256].
    """
    if factor not in BOXES:
        return np.ones((SIDE_PX, SIDE_PX), dtype=bool)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    if np.isnan(landmarks).any():
        pixels = (np.stack([x, y]) + 0.5) / SIDE_PX
        return _union(pixels, FIXED[factor])
    middle, frame = (each[0].numpy() for each in eye_frame(torch.from_numpy(landmarks)[None]))
    pixels = np.tensordot(frame, np.stack([x, y]) - middle[:, None, None], 1)  # u and v of each: [2, 256, 256]
    points = (landmarks - middle) @ frame.T
    return _union(pixels, [[_edge(points, side, box[side]) for side in range(4)] for box in BOXES[factor]])


def _edge(points: np.ndarray, side: int, edge: Edge) -> float:
    """Where an edge lies: left and top beyond the least, right and bottom beyond the greatest coordinate."""
    outwards = -1 if side < 2 else 1
    if edge is None:
        return outwards * np.inf
    landmarks, margin = edge
    return float(outwards * (outwards * points[landmarks, side % 2]).max() + outwards * margin)


def _union(at: np.ndarray, boxes: Iterable[Sequence[float]]) -> np.ndarray:
    """Which places [2, H, W] lie in any of the boxes (left, top, right, bottom): bool [H, W]."""
    inside = np.zeros(at.shape[1:], dtype=bool)
    for left, top, right, bottom in boxes:
        inside |= (at[0] >= left) & (at[0] <= right) & (at[1] >= top) & (at[1] <= bottom)
    return inside


def find_landmarks(pictures: np.ndarray, predictor: Any) -> np.ndarray:
    """The landmarks of the face that dlib's detector finds best in each picture.

    Args:
        pictures: uint8 [N, H, W, 3].
        predictor: dlib's, of 68 landmarks.

    Returns:
        float32 [N, 68, 2], x and y in px; NaN where no face is found.
    """
    import dlib

    detector, found = dlib.get_frontal_face_detector(), np.full((len(pictures), 68, 2), np.nan, dtype=np.float32)
    for row, picture in enumerate(np.ascontiguousarray(pictures)):
        boxes, scores, _ = detector.run(picture, 1, 0.0)
        if len(boxes):
            parts = predictor(picture, boxes[int(np.argmax(scores))]).parts()
            found[row] = [(point.x, point.y) for point in parts]
    return found
