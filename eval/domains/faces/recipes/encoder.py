"""The encoder: what the training of the editing CLIP's trunk leaves over, the linear map from its features to w."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.photograph import CodeEncoder
from eval.domains.faces.recipes.editing_clip import Samples, known_share

HELD_OUT = (1_300, 700)  # first seed and number of samples that nothing was trained on


def folded(code: nn.Linear, w: Tensor) -> dict[str, Tensor]:
    """The map to w itself of one that tells standardised codes.

    Args:
        code: trunk features -> (w - mean) / standard deviation.
        w: float32 [M, 512], the training samples that these are of.

    Returns:
        ``weight`` float32 [512, width] and ``bias`` float32 [512].
    """
    centre, spread = w.mean(0), w.std(0)
    with torch.no_grad():
        return {"weight": code.weight * spread[:, None], "bias": code.bias * spread + centre}


def encoder_files(network: nn.Module, data: Samples) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Tensors, facts and measurements of the encoder, from the trained trunk and heads of the editing CLIP."""
    tensors = folded(network["code"], data.w)  # type: ignore[index, arg-type]
    encoder = CodeEncoder(network["trunk"], tensors["weight"].shape[1], 1)  # type: ignore[index, arg-type]
    encoder.head.load_state_dict(tensors)
    w, pictures = FaceGenerator().samples(*HELD_OUT)
    with torch.inference_mode():
        told = torch.cat([encoder(to_float(block))[:, 0] for block in pictures.split(100)])
    facts: dict[str, Any] = {
        "what": "Photograph to w, the start of an inversion: a linear map of the editing CLIP's trunk features."
    }
    return tensors, facts, {"share of w explained, seeds 1300-1999": known_share(told, w)}
