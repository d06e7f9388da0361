"""How fast the CLIP feature of an image changes with each of its styles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import Synthesis


def feature_derivatives(
    synthesis: Synthesis, clip: Clip, latents: Latents, report: Callable[[int, int], None] | None = None
) -> Iterator[Tensor]:
    """∂ unit CLIP image feature / ∂ style of each image in turn: float32 [C, E].

    One backward pass for each number of the feature gives the rows of all styles at once, where a sweep renders two
    pictures for each style. ``report`` is called with the passes done and all.
    """
    for number in range(len(latents)):
        image = latents[number : number + 1]
        s = image.s.clone().requires_grad_()
        feature = clip.encode_images(synthesis.synthesize(s, image.s_rgb.clone()))[0]
        columns = []
        for index, value in enumerate(feature):
            columns.append(torch.autograd.grad(value, s, retain_graph=index + 1 < len(feature))[0][0])
            if report is not None:
                report(number * len(feature) + index + 1, len(latents) * len(feature))
        yield torch.stack(columns, 1)
