"""The second attribute judge: another architecture than the first, and an answer for what is no valid picture.

It looks through the image tower of the judge CLIP, a vision transformer that was trained on captions and is frozen
here, and at the pixels of each patch; what it makes of them was trained on other pictures than any other judge.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from eval.domains.avatars.factors import FACTOR_NAMES, VALUES

SLOTS = tuple(len(VALUES[factor]) + 1 for factor in FACTOR_NAMES)  # the last of a factor: it shows no valid value
PATCH_PX = 8
LAYERS = (2, 4)  # of the tower, whose tokens are looked at: details are gone from the last one


def patch_tokens(tower: Any, images: Tensor) -> Tensor:
    """What the tower has of each patch after ``LAYERS``: images [N, 3, 64, 64] in [-1, 1] -> float32 [N, 64, 256]."""
    places = tower.conv1(images).flatten(2).transpose(1, 2)
    whole = tower.class_embedding.expand(len(images), 1, -1)
    x = tower.ln_pre(torch.cat([whole, places], 1) + tower.positional_embedding)
    x, found = _by_image(tower, x), []
    for number, block in enumerate(tower.transformer.resblocks, 1):
        x = block(x)
        if number in LAYERS:
            found.append(_by_image(tower, x))
    return torch.cat(found, 2)[:, 1:]


def _by_image(tower: Any, tokens: Tensor) -> Tensor:
    """Tokens between the axes of the tower's blocks, which changed between releases, and images first."""
    return tokens if getattr(tower.transformer, "batch_first", False) else tokens.transpose(0, 1)


class PatchReader(nn.Module):
    """Reads every factor by attention: each factor has a query of its own over the 64 patches.

    Args:
        width: of the hidden layers.
        token_width: numbers of a patch from the tower.
    """

    def __init__(self, width: int = 128, token_width: int = 256) -> None:
        super().__init__()
        self.patch = nn.Sequential(
            nn.Linear(token_width + 3 * PATCH_PX**2, width), nn.GELU(), nn.Linear(width, width), nn.GELU()
        )
        self.places = nn.Parameter(torch.randn(64, width) * 0.02)
        self.queries = nn.Parameter(torch.randn(len(SLOTS), width) * width**-0.5)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, slots)) for slots in SLOTS
        )

    def forward(self, tokens: Tensor, images: Tensor) -> dict[str, Tensor]:
        """Tokens [N, 64, T] and images [N, 3, 64, 64] in [-1, 1] -> logits [N, V + 1] of each factor."""
        pixels = F.unfold(images, PATCH_PX, stride=PATCH_PX).transpose(1, 2)
        x = self.patch(torch.cat([tokens, pixels], 2))
        weights = ((x + self.places) @ self.queries.T).softmax(1)  # [N, 64, F]
        seen = weights.transpose(1, 2) @ x  # [N, F, width]
        whole = x.mean(1)
        logits = (head(torch.cat([seen[:, i], whole], 1)).float() for i, head in enumerate(self.heads))
        return dict(zip(FACTOR_NAMES, logits, strict=True))


class SecondJudge(nn.Module):
    """Tower and reader together.

    Args:
        tower: the image tower of the judge CLIP.
        reader: what was trained.
        slack: float32 [F], by how much another answer's logit may exceed that of a value which is still accepted: so
            much that nearly all unseen inversions are accepted as what they show. Where the judge reads badly it has
            less to say instead of more to reject.
    """

    slack: Tensor

    def __init__(self, tower: nn.Module, reader: PatchReader, slack: Tensor) -> None:
        super().__init__()
        self.tower, self.reader = tower, reader
        self.register_buffer("slack", slack, persistent=False)

    def accepts(self, images: Tensor) -> dict[str, Tensor]:
        """Images [N, 3, 64, 64] in [-1, 1] -> bool [N, V] of each factor: values that the picture may show."""
        return self._accepted(self(images))

    def with_features(self, clip: Clip, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Unit features [N, E] by the judge CLIP and what ``accepts`` says, of one look through the CLIP's tower."""
        blocks, found = clip.model.visual.transformer.resblocks, []
        hooks = [blocks[n - 1].register_forward_hook(lambda _, given, made: found.append(made)) for n in LAYERS]
        try:
            features = clip.encode_images(images)
        finally:
            for hook in hooks:
                hook.remove()
        tokens = torch.cat([_by_image(clip.model.visual, made) for made in found], 2)[:, 1:]
        return features, self._accepted(self.reader(tokens, images))

    def _accepted(self, answers: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: logits[:, :-1] + slack >= logits.amax(1, keepdim=True)
            for slack, (name, logits) in zip(self.slack, answers.items(), strict=True)
        }

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images [N, 3, 64, 64] in [-1, 1] -> logits float32 [N, V + 1] of each factor; the last: no valid value."""
        answers: dict[str, Tensor] = self.reader(patch_tokens(self.tower, images), images)
        return answers
