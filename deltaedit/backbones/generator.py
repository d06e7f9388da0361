"""A whole StyleGAN2 generator, z to image, as public checkpoints hold it: mapping, synthesis, mean w, stored noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deltaedit.backbones.layers import EqualLinear, PixelNorm
from deltaedit.backbones.stylegan2 import StyleGAN2

LR_MUL = 0.01  # of the mapping network, in config-f
NOISE_MODES = ("fixed", "random", "none")


class MappingNetwork(nn.Module):
    """z -> w: normalise, then fully connected layers with leaky ReLU.

    Args:
        z_dim: size of z.
        w_dim: size D of w, and of the layers between.
        layers: 8 in config-f; some generators of stylegan2-ada-pytorch have 2.
    """

    def __init__(self, z_dim: int = 512, w_dim: int = 512, layers: int = 8) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.norm = PixelNorm()
        widths = [z_dim, *[w_dim] * layers]
        self.layers = nn.ModuleList(
            EqualLinear(inputs, outputs, lr_mul=LR_MUL, activate=True)
            for inputs, outputs in zip(widths, widths[1:], strict=False)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Z [N, z_dim], standard normal -> w [N, D]."""
        x: Tensor = self.norm(z)
        for layer in self.layers:
            x = layer(x)
        return x


class Generator(nn.Module):
    """z -> w -> w_plus -> image.

    Args:
        synthesis: the synthesis network.
        z_dim: size of z.
        mapping_layers: depth of the mapping network.

    Attributes:
        w_mean: float [D], the centre of truncation.
    """

    w_mean: Tensor

    def __init__(self, synthesis: StyleGAN2, z_dim: int = 512, mapping_layers: int = 8) -> None:
        super().__init__()
        self.mapping = MappingNetwork(z_dim, synthesis.w_dim, mapping_layers)
        self.synthesis = synthesis
        self.register_buffer("w_mean", torch.zeros(synthesis.w_dim))
        for i, at in enumerate(synthesis.layout):
            self.register_buffer(f"noise_{i}", torch.zeros(1, 1, at.resolution, at.resolution))

    def w_plus(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Truncated codes of every layer.

        Args:
            z: float [N, z_dim].
            truncation: ψ; 1 leaves w as it is, 0 gives the mean.
            cutoff: only the first so many rows are truncated; None for all.

        Returns:
            float [N, L, D].
        """
        w: Tensor = self.mapping(z)
        w_plus = w[:, None].repeat(1, self.synthesis.latents, 1)
        rows = self.synthesis.latents if cutoff is None else cutoff
        truncated = self.w_mean + truncation * (w_plus[:, :rows] - self.w_mean)
        return torch.cat([truncated, w_plus[:, rows:]], 1)

    def noise(
        self, mode: str = "fixed", count: int = 1, generator: torch.Generator | None = None
    ) -> list[Tensor] | None:
        """What ``StyleGAN2.synthesize`` takes as ``noise``.

        Args:
            mode: ``fixed`` for the maps of the checkpoint, ``random`` for new ones, ``none``.
            count: how many images get random maps.
            generator: source of the random maps, on the CPU.

        Returns:
            one map [1 or count, 1, H, W] per convolution, or None.

        Raises:
            ValueError: there is no such mode.
        """
        if mode not in NOISE_MODES:
            raise ValueError(
                f"The 'mode' parameter of noise must be one of {', '.join(NOISE_MODES)}. Got {mode!r} instead."
            )
        if mode == "none":
            return None
        fixed = [self.get_buffer(f"noise_{i}") for i in range(len(self.synthesis.layout))]
        if mode == "fixed":
            return fixed
        shapes: Sequence[tuple[int, ...]] = [(count, *like.shape[1:]) for like in fixed]
        return [
            torch.randn(shape, generator=generator).to(like)  # drawn on the CPU: the same maps on every device
            for shape, like in zip(shapes, fixed, strict=True)
        ]

    def measure_w_mean(self, count: int = 10_000, seed: int = 0) -> Tensor:
        """Mean of ``count`` w of random z, float [D]; for checkpoints that store none."""
        z = torch.randn(count, self.mapping.z_dim, generator=torch.Generator().manual_seed(seed)).to(self.w_mean)
        with torch.no_grad():
            mean: Tensor = self.mapping(z).mean(0)
        return mean

    def forward(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None, noise: str = "fixed") -> Tensor:
        """Z [N, z_dim] -> image [N, 3, H, W]; the other arguments as in ``w_plus`` and ``noise``."""
        image: Tensor = self.synthesis(self.w_plus(z, truncation, cutoff), self.noise(noise, len(z)))
        return image
