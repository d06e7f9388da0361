"""The codes of a batch of images in every space that editors use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deltaedit.backbones.synthesis import Synthesis


@dataclass(frozen=True)
class Latents:
    """Codes of N images."""

    w_plus: Tensor  # float32 [N, L, D]
    s: Tensor  # float32 [N, C], styles of the convolutions
    s_rgb: Tensor  # float32 [N, C_rgb], styles of the ToRGB layers

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
