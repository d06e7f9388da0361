"""The codes of a batch of images in every space that editors use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deltaedit.backbones.synthesis import Synthesis


@dataclass(frozen=True)
class Latents:
    """Codes of N images.

    Attributes:
        w_plus: float32 [N, L, D].
        s: float32 [N, C], styles of the convolutions.
        s_rgb: float32 [N, C_rgb], styles of the ToRGB layers.
    """

    w_plus: Tensor
    s: Tensor
    s_rgb: Tensor

    @classmethod
    def from_w_plus(cls, synthesis: Synthesis, w_plus: Tensor) -> Latents:
        """All spaces from ``w_plus`` [N, L, D]; what an editor in W+ returns."""
        return cls(w_plus, *synthesis.styles(w_plus))

    @classmethod
    def cat(cls, parts: Sequence[Latents]) -> Latents:
        """Join batches."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("w_plus", "s", "s_rgb")))

    def __len__(self) -> int:
        return len(self.s)

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Latents:
        return Latents(self.w_plus[rows], self.s[rows], self.s_rgb[rows])

    def with_s(self, s: Tensor) -> Latents:
        """The same images with other convolution styles [N, C]; what an editor in S returns."""
        return Latents(self.w_plus, s, self.s_rgb)

    def moved(self, synthesis: Synthesis, step: Tensor) -> Latents:
        """Codes after a step of the shape of ``w_plus`` or of ``s``, without gradients."""
        with torch.no_grad():
            if step.shape == self.w_plus.shape:
                return Latents.from_w_plus(synthesis, self.w_plus + step)
            return self.with_s(self.s + step)

    def to(self, device: torch.device | str) -> Latents:
        """On another device."""
        return Latents(self.w_plus.to(device), self.s.to(device), self.s_rgb.to(device))


def interpolation(start: Latents, end: Latents, frames: int) -> Iterator[Latents]:
    """Codes on the straight way from one batch to another, both ends included: ``frames`` batches.

    All spaces move together, which is consistent because styles are linear in W+.

    Raises:
        ValueError: fewer than 2 frames.
    """
    if frames < 2:
        raise ValueError(f"The 'frames' parameter of interpolation must be 2 or more. Got {frames} instead.")
    for share in (number / (frames - 1) for number in range(frames)):
        yield Latents(
            *(torch.lerp(getattr(start, name), getattr(end, name), share) for name in ("w_plus", "s", "s_rgb"))
        )
