"""R_s in parts: computed on any machine that shares the cache folder, in any order, joined when all are there.

A part is some channels of one layer, over all images: the numbers are those of one computation, bit for bit, where the
machines are alike. A part that is stored is never computed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.relevance import BATCH_PIXELS, channel_statistics, domain_relevance, relevance_matrix
from deltaedit.tools.artefacts import Artefact, Artefacts
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.files import keep
from eval.errors import UsageError

FEWEST_CHANNELS = 64  # in a part, where the layer has so many
IMAGES, STATISTICS, SIGMAS, SEED = 16, 10_000, 5.0, 0  # of ``domain_relevance``


@dataclass(frozen=True)
class Part:
    """Channels ``first`` to ``stop`` - 1 of the styles."""

    first: int
    stop: int


class RelevanceParts:
    """The parts of a domain's R_s, with the published hyper-parameters of the editors.

    Args:
        domain: whose.
        images: K.
        statistics: samples behind the channels' mean and standard deviation.

    Raises:
        UsageError: the domain's R_s is made of derivatives, which takes minutes and has no parts.
    """

    def __init__(self, domain: EditingDomain, images: int = IMAGES, statistics: int = STATISTICS) -> None:
        if domain.relevance_by_derivative:
            raise UsageError(f"R_s of '{domain.name}' is made of derivatives and has no parts: leave out --shard.")
        self.domain, self.images, self.statistics = domain, images, statistics
        name = f"relevance-{domain.fingerprint[:16]}-{images}-{statistics}"
        self._folder = domain.artefacts.cache / "parts" / name
        self.parts = tuple(_parts(domain, images))

    def missing(self) -> list[Part]:
        """Those that are not stored."""
        return [part for part in self.parts if not self._file(part).exists()]

    def of_shard(self, number: int, count: int) -> list[Part]:
        """The parts of one shard, number from 1 to count, that are not stored."""
        mine = self.parts[number - 1 :: count]
        return [part for part in self.missing() if part in mine]

    def compute(self, parts: list[Part], done: Callable[[int], object] = lambda count: None) -> None:
        """Compute parts and store each as soon as it is there.

        Args:
            parts: which.
            done: told after every part how many channels it had.
        """
        if not parts:
            return
        mean, std = channel_statistics(self.domain.sample, self.statistics, SEED)
        latents = self.domain.sample(self.images, SEED)
        for part in parts:
            channels = torch.arange(part.first, part.stop)
            synthesis, clip = self.domain.synthesis, self.domain.clip
            rows = relevance_matrix(synthesis, clip, latents, mean, std, SIGMAS, channels=channels).cpu()
            if not keep(self._file(part), partial(torch.save, rows)):
                raise UsageError(
                    f"{self._folder} cannot be written, so that no part can be kept; set DELTABENCH_CACHE."
                )
            done(part.stop - part.first)

    def joined(self) -> Artefact:
        """The artefact ``relevance`` of all parts, stored where editors look for it.

        Raises:
            UsageError: parts are missing.
        """
        missing = self.missing()
        if missing:
            raise UsageError(f"{len(missing)} of {len(self.parts)} parts of R_s are missing; compute the other shards.")
        return domain_relevance(replace(self.domain, relevance=self._read), self.images, self.statistics)

    def found(self) -> Artefact | None:
        """The artefact where it is there already."""
        artefacts = self.domain.artefacts
        looking = _Looking(artefacts.cache, artefacts.shipped, artefacts.given, artefacts.device)
        try:
            return domain_relevance(replace(self.domain, artefacts=looking), self.images, self.statistics)
        except FileNotFoundError:
            return None

    def _read(self, synthesis: object, clip: object, latents: Latents, *_: object, **__: object) -> Tensor:
        rows = [torch.load(self._file(part), weights_only=True) for part in self.parts]
        return torch.cat(rows).to(latents.s.device)

    def _file(self, part: Part) -> Path:
        return self._folder / f"{part.first:05d}-{part.stop:05d}.pt"


class _Looking(Artefacts):
    """Artefacts that compute nothing."""

    def get(self, name: str, key: Mapping[str, object], build: Callable[[], dict[str, Tensor]]) -> Artefact:
        """As ``Artefacts.get``.

        Raises:
            FileNotFoundError: it would have to be computed.
        """
        if name not in self.given and self.find(name, key) is None:
            raise FileNotFoundError(name)
        return super().get(name, key, build)


def _parts(domain: EditingDomain, images: int) -> Iterator[Part]:
    """Runs of channels within a layer, as long as what ``relevance_matrix`` computes at once goes into them evenly."""
    batch = max(2, BATCH_PIXELS // domain.synthesis.resolution**2)
    block = max(1, batch // 2)
    sizes = {min(block, images - start) for start in range(0, images, block)}
    together = math.lcm(*(max(1, batch // (2 * size)) for size in sizes))
    length = together * math.ceil(FEWEST_CHANNELS / together)
    for at in domain.synthesis.layout:
        for first in range(at.start, at.stop, length):
            yield Part(first, min(first + length, at.stop))
