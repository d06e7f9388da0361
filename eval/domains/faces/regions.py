"""Where aligned faces have what a prompt is about."""

from __future__ import annotations

import numpy as np

from eval.domains.faces.networks import SIDE_PX

# The pixels of aligned faces that a prompt may change: left, top, right, bottom as shares of the side, by factor.
EVERYWHERE = ((0.0, 0.0, 1.0, 1.0),)
REGIONS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "glasses": ((0.1, 0.3, 0.9, 0.62),),
    "beard": ((0.2, 0.52, 0.8, 1.0),),
    "hat": ((0.0, 0.0, 1.0, 0.42),),
    "bangs": ((0.1, 0.0, 0.9, 0.45),),
    "hair": ((0.0, 0.0, 1.0, 0.42), (0.0, 0.42, 0.28, 1.0), (0.72, 0.42, 1.0, 1.0)),
    "hairline": ((0.0, 0.0, 1.0, 0.42),),
    "hair_length": ((0.0, 0.0, 1.0, 0.42), (0.0, 0.42, 0.28, 1.0), (0.72, 0.42, 1.0, 1.0)),
    "curls": ((0.0, 0.0, 1.0, 0.42), (0.0, 0.42, 0.28, 1.0), (0.72, 0.42, 1.0, 1.0)),
    "expression": ((0.2, 0.32, 0.8, 0.9),),
    "mouth": ((0.25, 0.55, 0.75, 0.92),),
    "lipstick": ((0.28, 0.58, 0.72, 0.85),),
}


def region_of(factor: str) -> np.ndarray:
    """The pixels that an edit of a factor may change: bool [256, 256]; all of them for what has no place."""
    region = np.zeros((SIDE_PX, SIDE_PX), dtype=bool)
    for box in REGIONS.get(factor, EVERYWHERE):
        left, top, right, bottom = (round(share * SIDE_PX) for share in box)
        region[top:bottom, left:right] = True
    return region
