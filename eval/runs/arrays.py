"""What a run stores of its sources and of the counterfactuals, as arrays."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from eval.judging.cells import JudgedSources
from eval.judging.counterfactuals import Counterfactuals
from eval.judging.picture_file import PictureFile
from eval.pixels import Pictures, to_uint8


def about_sources(count: int) -> dict[str, object]:
    """What ``sources.npz`` of so many test images says that it is."""
    return {"what": "sources", "images": count}


def about_counterfactuals(prompt: str, count: int) -> dict[str, object]:
    """What ``counterfactuals/<prompt>.npz`` says that it is."""
    return {"what": "counterfactuals", "prompt": prompt, "images": count}


def source_arrays(judged: JudgedSources) -> dict[str, np.ndarray]:
    """The arrays of ``sources.npz``."""
    return {
        "names": np.array(judged.names),
        "images": _levels(judged.originals),
        "reconstructions": _levels(judged.reconstructions),
        "logits": np.concatenate([array(logits) for logits in judged.logits.values()], 1),
        "frechet": array(judged.frechet),
        "frechet_originals": array(judged.frechet_originals),
        "identity": array(judged.identity),
        "clip": array(judged.clip_judge),
    }


def counterfactual_arrays(counterfactuals: Counterfactuals) -> dict[str, np.ndarray]:
    """The arrays of ``counterfactuals/<prompt>.npz``."""
    arrays = {"region": np.asarray(counterfactuals.region), "visible": np.asarray(counterfactuals.visible)}
    if counterfactuals.samples is not None:
        arrays["samples"] = array(counterfactuals.samples.half())
    if counterfactuals.images is not None:
        arrays |= {
            "images": to_uint8(counterfactuals.images),
            "frechet": array(counterfactuals.frechet),
            "identity": array(counterfactuals.identity),
            "clip": array(counterfactuals.clip),
        }
    return arrays


def _levels(pictures: Pictures) -> np.ndarray:
    """uint8 [N, H, W, 3]; of a file without a copy."""
    return pictures.levels() if isinstance(pictures, PictureFile) else to_uint8(pictures[:])


def array(value: Tensor | np.ndarray | None) -> np.ndarray:
    """As a NumPy array, on the CPU."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
