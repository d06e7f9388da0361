"""The second attribute judge: no network, but edges, colours and landmarks, under linear heads.

It shares nothing with the first judge, whose features are those of a network that was trained on ImageNet, and was
fitted to the labels of another person on other faces.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.domains.faces.alignment import eye_frame
from eval.domains.faces.networks import split_logits

EDGES_PX, CELL_PX, DIRECTIONS = 128, 8, 9  # side of the picture, of a cell, and how many directions a cell has
LARGEST = 0.4  # of an entry of a normalised histogram
FAINT = 1e-3  # sum of squares below which a neighbourhood counts as flat
COLOURS_PX = 16
LANDMARK_NUMBERS = 2 * 68
SIZE = LANDMARK_NUMBERS + DIRECTIONS * (EDGES_PX // CELL_PX) ** 2 + 3 * COLOURS_PX**2


def edges(images: Tensor) -> Tensor:
    """Histograms of the directions of edges (Dalal & Triggs 2005), normalised over 3 x 3 cells.

    Args:
        images: float [N, 3, H, W] in [-1, 1].

    Returns:
        float32 [N, 9 * 16 * 16], direction by direction, of square roots.
    """
    grey = F.interpolate(images.float(), (EDGES_PX, EDGES_PX), mode="area").mean(1, keepdim=True)
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    direction = torch.atan2(down, across) % pi / pi * DIRECTIONS
    first, strength = direction.floor(), torch.hypot(across, down)
    share = direction - first
    histogram = strength.new_zeros(len(images), DIRECTIONS, EDGES_PX, EDGES_PX)
    for bin_, part in ((first, 1 - share), (first + 1, share)):  # shared between the two nearest directions
        histogram.scatter_add_(1, bin_.long() % DIRECTIONS, strength * part)
    cells = F.avg_pool2d(histogram, CELL_PX)
    around = F.avg_pool2d(F.pad(cells.square().sum(1, keepdim=True), (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (cells / (around + FAINT).sqrt()).clamp(max=LARGEST).sqrt().flatten(1)


def in_frame(landmarks: Tensor) -> Tensor:
    """Landmarks float32 [N, 68, 2] from the middle of the eyes, in distances of the eyes, upright: [N, 136]."""
    middle, frame = eye_frame(landmarks)
    return torch.einsum("nij,npj->npi", frame, landmarks - middle[:, None]).flatten(1)


def features(images: Tensor, landmarks: Callable[[Tensor], Tensor]) -> Tensor:
    """All that the judge looks at: images float [N, 3, 256, 256] in [-1, 1] -> float32 [N, SIZE], landmarks first."""
    points = in_frame(landmarks(images).to(images.device))
    colours = F.interpolate(images.float(), (COLOURS_PX, COLOURS_PX), mode="area").flatten(1)
    return torch.cat([points, edges(images), colours], 1)


class SecondJudge(nn.Module):
    """Reads the value of every factor.

    Args:
        landmarks: images float [N, 3, 256, 256] in [-1, 1] -> float32 [N, 68, 2], x and y in px.
        weight: float32 [A, SIZE], one row for each value of ``LABELS``.
        bias: float32 [A].
    """

    def __init__(self, landmarks: Callable[[Tensor], Tensor], weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.landmarks = landmarks
        self.heads = nn.Linear(SIZE, len(bias))
        self.heads.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images float [N, 3, 256, 256] in [-1, 1] -> bool [N, V] of each factor, true for the value that it reads."""
        logits = split_logits(self.heads(features(images, self.landmarks)))
        return {name: F.one_hot(each.argmax(1), each.shape[1]).bool() for name, each in logits.items()}
