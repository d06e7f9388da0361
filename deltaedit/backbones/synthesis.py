"""What a generator's synthesis network must offer, so that every editor, R_s and the conformance kit work on it.

    w [N, D]  --repeat-->  w_plus [N, L, D]  --styles-->  s [N, C], s_rgb [N, C_rgb]  --synthesize-->  image

``s`` holds the styles that editors in StyleSpace (Wu et al. 2021, arXiv 2011.12799) may change, layer after layer;
``s_rgb`` those of layers that only make colours, which such editors leave alone. A generator without the latter has an
empty ``layout_rgb``, and its ``s_rgb`` has 0 columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StyleLayer:
    """Where one layer's styles stand.

    Attributes:
        resolution: side of the layer's output in pixels.
        channels: how many styles (= input channels of the convolution).
        start: index of the first of them in ``s`` (or in ``s_rgb``).
        latent: which row of ``w_plus`` makes them.
    """

    resolution: int
    channels: int
    start: int
    latent: int

    @property
    def stop(self) -> int:
        """Index after the layer's last style."""
        return self.start + self.channels


class Synthesis(nn.Module, ABC):
    """A synthesis network. A new one defines the attributes, ``styles`` and ``synthesize``; the rest follows.

    What editors rely on: styles are affine in ``w_plus`` and each layer's styles depend on the row ``latent`` only;
    ``synthesize`` has gradients to its inputs, draws no random numbers, and gives a batch the images of its rows, up to
    rounding.

    Attributes:
        resolution: side of the image in pixels.
        w_dim: D, the size of a w vector.
        latents: L, the rows of ``w_plus``.
        layout: the layers' place in ``s``, in the order of the forward pass, without gaps, resolutions ascending.
        layout_rgb: likewise in ``s_rgb``; may be empty.
    """

    resolution: int
    w_dim: int
    latents: int
    layout: tuple[StyleLayer, ...]
    layout_rgb: tuple[StyleLayer, ...]

    @abstractmethod
    def styles(self, w_plus: Tensor) -> tuple[Tensor, Tensor]:
        """Styles of every layer.

        Args:
            w_plus: float [N, L, D].

        Returns:
            s [N, C] and s_rgb [N, C_rgb].
        """

    @abstractmethod
    def synthesize(self, s: Tensor, s_rgb: Tensor) -> Tensor:
        """Image of the given styles.

        Args:
            s: float [N, C].
            s_rgb: float [N, C_rgb].

        Returns:
            float [N, 3, H, W], about [-1, 1]; not clipped.
        """

    @property
    def s_size(self) -> int:
        """C, the length of ``s`` (6048 for StyleGAN2 at 1024 px config-f)."""
        return self.layout[-1].stop

    @property
    def s_rgb_size(self) -> int:
        """C_rgb, the length of ``s_rgb`` (3040 for StyleGAN2 at 1024 px config-f)."""
        return self.layout_rgb[-1].stop if self.layout_rgb else 0

    def forward(self, w_plus: Tensor) -> Tensor:
        """w_plus [N, L, D] -> image [N, 3, H, W]."""
        return self.synthesize(*self.styles(w_plus))

    def up_to(self, resolution: int) -> Synthesis:
        """The network, weights shared, that stops at ``resolution`` px if it has such pictures; otherwise the whole."""
        return self

    def sweep(self, s: Tensor, s_rgb: Tensor) -> Iterator[LayerSweep]:
        """Every layer in turn, ready to show what one of its channels does to K images; R_s is made of that.

        Only within ``torch.inference_mode`` or ``no_grad``. A network that can compute once what lies below the
        changed channel overrides this.

        Args:
            s: float32 [K, C].
            s_rgb: float32 [K, C_rgb].
        """
        return (LayerSweep(self, s, s_rgb, index) for index in range(len(self.layout)))


@dataclass(frozen=True)
class LayerSweep:
    """Images in which one channel of a layer at a time takes other values.

    Attributes:
        synthesis: the generator.
        s: float32 [K, C], of the K images.
        s_rgb: float32 [K, C_rgb].
        index: which layer of ``synthesis.layout``.
    """

    synthesis: Synthesis
    s: Tensor
    s_rgb: Tensor
    index: int

    def images(self, channels: Tensor, values: Tensor) -> Tensor:
        """Images with one channel set to a value.

        Args:
            channels: int64 [G], styles of this layer, counted in ``s``.
            values: float32 [G, V], what each of them is set to.

        Returns:
            float32 [G * V * K, 3, H, W], the images fastest, then the values.
        """
        return self.synthesis.synthesize(*self.styles(channels, values))

    def styles(self, channels: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """``s`` and ``s_rgb`` of every (channel, value, image): float32 [G * V * K, C] and [G * V * K, C_rgb]."""
        copies = values.numel()
        wide = self.s.repeat(copies, 1).view(*values.shape, *self.s.shape)
        wide.scatter_(
            3,
            channels[:, None, None, None].expand(*wide.shape[:3], 1),
            values[:, :, None, None].expand(*wide.shape[:3], 1),
        )
        return wide.flatten(0, 2), self.s_rgb.repeat(copies, 1)


def style_matrices(synthesis: Synthesis) -> list[Tensor]:
    """What a row of W+ is multiplied by to give each layer's styles: float64 [channels, D] on the CPU, one a layer.

    Styles are affine in W+, so that they are read off the styles of unit vectors.
    """
    device = next(synthesis.parameters()).device
    with torch.no_grad():
        rows = torch.eye(synthesis.w_dim, device=device)[:, None].expand(-1, synthesis.latents, -1)
        units, zero = synthesis.styles(rows)[0], synthesis.styles(torch.zeros_like(rows[:1]))[0]
    return [(units - zero)[:, at.start : at.stop].cpu().double().T for at in synthesis.layout]
