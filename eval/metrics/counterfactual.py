"""Distance between pictures: PSNR and SSIM of an edit against the counterfactual, and of a reconstruction."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

RANGE = 2.0  # images are in [-1, 1]
# Rounding to 8 bits is itself an error of 1/12 squared level. A smaller one than that counts as none, so that equal
# images have a number that can be averaged.
PSNR_CEILING_DB = 10 * math.log10(12 * 255**2)  # 58.92
SMALLEST_ERROR = RANGE**2 / 10 ** (PSNR_CEILING_DB / 10)

_WINDOW_PX, _SIGMA_PX = 11, 1.5
RIM_PX = _WINDOW_PX // 2  # at the border, where no window of SSIM has its centre
_BLOCK_PIXELS = 16 * 64 * 64  # of SSIM's images at once: their maps then stay in the cache, six times faster
_C1, _C2 = 0.01**2, 0.03**2  # of pictures in [0, 1]
_BEYOND = 1e-3  # of [-1, 1] that is rounding


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Peak signal-to-noise ratio ``10·log10(4 / mean squared error)``.

    Args:
        first: float [N, 3, H, W] in [-1, 1].
        second: likewise.

    Returns:
        float [N] in dB, at most ``PSNR_CEILING_DB``, which equal images have.

    Raises:
        ValueError: integers, or numbers beyond [-1, 1]. Pictures in [0, 1] cannot be told: they score 6 dB too much.

    >>> round(psnr(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.2)).item(), 3)  # 10·log10(4 / 0.04)
    20.0
    """
    check_pictures(first, second)
    return psnr_of_error((first - second).square().mean((1, 2, 3)))


def check_pictures(*pictures: Tensor) -> None:
    """Raise ValueError unless all are floating point numbers in [-1, 1] (NaN passes, and gives NaN)."""
    for picture in pictures:
        if not picture.is_floating_point():
            raise ValueError(
                f"Pictures must be floats in [-1, 1]. Got {str(picture.dtype).removeprefix('torch.')} instead; "
                "divide levels of 0 to 255 by 127.5 and subtract 1."
            )
        if picture.numel() and (furthest := float(picture.detach().abs().max())) > 1 + _BEYOND:
            raise ValueError(f"Pictures must be floats in [-1, 1]. Got values up to ±{furthest:.4g} instead.")


def psnr_of_error(mean_squared_error: Tensor) -> Tensor:
    """PSNR in dB of a mean squared error, capped at ``PSNR_CEILING_DB``."""
    return 10 * (RANGE**2 / mean_squared_error.clamp(min=SMALLEST_ERROR)).log10()


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004): 11 x 11 Gaussian window of σ 1.5, K1 0.01, K2 0.03.

    Windows that reach over the border are left out, as in the authors' code; of the colour channels, the mean.
    Luminance is a ratio of means, so that black has to be 0: the pictures are mapped to [0, 1] first.

    Args:
        first: float [N, 3, H, W] in [-1, 1], at least 11 px each way.
        second: likewise.

    Returns:
        float [N] in [-1, 1].

    Raises:
        ValueError: the images are smaller than the window, integers, or beyond [-1, 1].

    >>> grey, lighter = (torch.full((1, 3, 11, 11), level / 127.5 - 1) for level in (120, 136))
    >>> round(ssim(grey, lighter).item(), 3)  # (2·120·136 + 2.55²) / (120² + 136² + 2.55²)
    0.992
    """
    return ssim_map(first, second).mean((1, 2))


def ssim_map(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity place by place, as ``ssim`` averages it.

    Args:
        first: float [N, 3, H, W] in [-1, 1], at least 11 px each way.
        second: likewise.

    Returns:
        float [N, H - 10, W - 10], the mean over colour channels of each window, at its centre.

    Raises:
        ValueError: as in ``ssim``.
    """
    check_pictures(first, second)
    height, width = first.shape[-2:]
    if min(height, width) < _WINDOW_PX:
        raise ValueError(f"SSIM needs images of at least {_WINDOW_PX} px. Got {height} x {width} px instead.")
    count = max(1, _BLOCK_PIXELS // (height * width))
    blocks = zip(first.split(count), second.split(count), strict=True)
    empty = first.new_zeros(0, height - 2 * RIM_PX, width - 2 * RIM_PX)
    return torch.cat([_ssim(a, b) for a, b in blocks]) if len(first) else empty


def _ssim(first: Tensor, second: Tensor) -> Tensor:
    x, y = ((pictures.flatten(0, 1) + 1) / RANGE for pictures in (first, second))
    # A shift changes no variance, and small numbers lose less of it to cancellation.
    shift = x.mean((1, 2), keepdim=True)
    x, y = x - shift, y - shift
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y])).unbind(0)
    spread = xx + yy - mean_x.square() - mean_y.square()
    shared = xy - mean_x * mean_y
    mean_x, mean_y = mean_x + shift, mean_y + shift
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    structure = (2 * shared + _C2) / (spread + _C2)
    similar: Tensor = (luminance * structure).unflatten(0, (len(first), -1)).mean(1)
    return similar


def _blur(maps: Tensor) -> Tensor:
    """Gaussian window over the last two sides, without padding: [K, M, H, W] -> [K, M, H - 10, W - 10]."""
    offsets = torch.arange(_WINDOW_PX, dtype=maps.dtype, device=maps.device) - _WINDOW_PX // 2
    taps = torch.exp(-offsets.square() / (2 * _SIGMA_PX**2))
    taps = (taps / taps.sum()).expand(maps.shape[1], 1, 1, _WINDOW_PX)
    # All M maps as channels of one depthwise convolution: on a CPU nine times faster than as M images of one channel.
    across = F.conv2d(maps, taps, groups=maps.shape[1])
    return F.conv2d(across, taps.transpose(2, 3), groups=maps.shape[1])
