"""What a run stores of its sources and of the exact answers, as arrays."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from eval.judging.answers import Answers
from eval.judging.cells import JudgedSources
from eval.pixels import to_uint8


def source_arrays(judged: JudgedSources) -> dict[str, np.ndarray]:
    """The arrays of ``sources.npz``."""
    return {
        "names": np.array(judged.names),
        "images": to_uint8(judged.originals),
        "reconstructions": to_uint8(judged.reconstructions),
        "logits": np.concatenate([array(logits) for logits in judged.logits.values()], 1),
        "frechet": array(judged.frechet),
        "frechet_originals": array(judged.frechet_originals),
        "identity": array(judged.identity),
        "clip": array(judged.clip_judge),
    }


def answer_arrays(answers: Answers) -> dict[str, np.ndarray]:
    """The arrays of ``references/<prompt>.npz``."""
    arrays = {"region": np.asarray(answers.region), "visible": np.asarray(answers.visible)}
    if answers.images is not None:
        arrays |= {
            "images": to_uint8(answers.images),
            "frechet": array(answers.frechet),
            "identity": array(answers.identity),
            "clip": array(answers.clip),
        }
    return arrays


def array(value: Tensor | np.ndarray | None) -> np.ndarray:
    """As a NumPy array, on the CPU."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
