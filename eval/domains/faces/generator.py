"""Seeds to codes to pictures: MobileStyleGAN with truncation, and its samples kept on disk."""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.tools.files import keep_sealed, read_kept
from eval.folders import cache_folder
from eval.weights.mobilestylegan import read_mapping, read_synthesis
from eval.weights.packages import require

TRUNCATION = 0.7  # psi about the mean w: natural faces
MEAN_SAMPLES, MEAN_SEED = 20_000, 12_345  # behind the mean w
SPREAD_SAMPLES, LEAST_SPREAD = 2_000, 1e-3  # behind the spread of styles that the guard counts in
SHARD = 100  # seeds a file
NETWORKS = ("MappingNetwork.xml", "SynthesisNetwork.xml")


class FaceGenerator:
    """The generator of the domain `faces`.

    Args:
        device: where it goes; what is measured of it is measured on the CPU before.

    Raises:
        UsageError: its files are missing.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        files = require(NETWORKS)
        _keep_large_blocks()
        self.mapping = read_mapping(files[NETWORKS[0]])
        self.synthesis = read_synthesis(files[NETWORKS[1]])
        self.device, self.w_mean = torch.device("cpu"), self._measured_mean()
        z = torch.randn(SPREAD_SAMPLES, 512, generator=torch.Generator().manual_seed(MEAN_SEED))
        w = self.truncated(z)
        self.w_spread = w.std(0)  # of truncated codes: float32 [512]
        self.synthesis.stay_near(self.latents(w).s.std(0) + LEAST_SPREAD)
        self.device = torch.device(device)
        self.mapping, self.synthesis = self.mapping.to(self.device), self.synthesis.to(self.device)
        self.w_mean, self.w_spread = self.w_mean.to(self.device), self.w_spread.to(self.device)

    def _measured_mean(self) -> Tensor:
        """Centre of truncation: float32 [512]."""
        z = torch.randn(MEAN_SAMPLES, 512, generator=torch.Generator().manual_seed(MEAN_SEED))
        with torch.no_grad():
            mean: Tensor = self.mapping(z).mean(0)
        return mean

    def w(self, seeds: range | list[int]) -> Tensor:
        """Truncated codes of seeds, each by itself: float32 [N, 512]."""
        z = torch.cat([torch.randn(1, 512, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        return self.truncated(z)

    def truncated(self, z: Tensor) -> Tensor:
        """Codes of z [N, 512], drawn towards the mean: float32 [N, 512]."""
        with torch.no_grad():
            w: Tensor = self.w_mean + TRUNCATION * (self.mapping(z.to(self.device)) - self.w_mean)
        return w

    def latents(self, w: Tensor) -> Latents:
        """All spaces of codes w [N, 512]."""
        with torch.no_grad():
            return Latents.from_w_plus(self.synthesis, w[:, None].expand(-1, self.synthesis.latents, -1))

    def pictures(self, w: Tensor) -> Tensor:
        """Pictures of codes w [N, 512], as a user would save them: uint8 [N, 3, 256, 256] on the CPU."""
        with torch.inference_mode():
            drawn = [_to_bytes(self.synthesis(row.expand(1, self.synthesis.latents, -1))) for row in w]
            return torch.cat(drawn).cpu()

    def samples(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Codes and pictures of seeds ``first`` to ``first + count - 1``, kept in the cache folder in shards.

        Args:
            first: a multiple of 100.
            count: a multiple of 100.

        Returns:
            w float32 [count, 512] and, on the CPU, pictures uint8 [count, 3, 256, 256].
        """
        codes, pictures = [], []
        for start in range(first, first + count, SHARD):
            path = cache_folder() / "faces" / "samples" / f"{start:08d}.npz"
            w, drawn = read_kept(path, self._kept_shard) or self._new_shard(path, start)
            codes.append(w)
            pictures.append(drawn)
        return torch.cat(codes).to(self.device), torch.cat(pictures)

    def _kept_shard(self, path: Path) -> tuple[Tensor, Tensor]:
        with np.load(path) as shard:
            return torch.from_numpy(shard["w"]), torch.from_numpy(shard["x"])

    def _new_shard(self, path: Path, start: int) -> tuple[Tensor, Tensor]:
        w = self.w(range(start, start + SHARD))
        drawn, w = self.pictures(w), w.cpu()
        keep_sealed(path, lambda file: np.savez(file, w=w.numpy(), x=drawn.numpy()))
        return w, drawn


def to_float(pictures: Tensor) -> Tensor:
    """uint8 [N, 3, H, W] -> float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def _to_bytes(images: Tensor) -> Tensor:
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte()


def _keep_large_blocks() -> None:
    """Tell glibc to keep large blocks of memory for the next layer.

    It returns them to the system otherwise, and every layer of 64 MB begins with thousands of page faults: a picture
    then takes more than twice as long.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: below 1 GiB blocks come from the heap
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: the heap is kept
