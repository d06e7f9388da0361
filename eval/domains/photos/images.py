"""The images of a domain of photographs: a folder of photographs, a file of W+ codes, or seeds of the generator.

Test and calibration images are disjoint: of photographs and of codes every second one, in the order of their names or
rows; of seeds other numbers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.domains.base import Sources
from eval.domains.counts import check_count
from eval.domains.photos.contents import contents_digest, contents_sums
from eval.errors import UsageError
from eval.pictures import check_pictures, pictures_in, read_picture
from eval.pixels import ReadPictures

FOLDER_VARIABLE = "DELTABENCH_IMAGES"
CODES = (".npy", ".pt", ".safetensors")
FIRST_SEED = {"test": 10_000_000, "calibration": 20_000_000}  # far from the small seeds that editors draw with
FEWEST = 2  # images of each half: σ and the identity floor need two
BATCH = 8  # images at once through the encoder and the generator


class ImageSet(Protocol):
    """Where the images of a domain come from.

    Attributes:
        kind: ``photographs``, ``codes`` or ``seeds``.
        digest: sha256 that tells one set from another.
    """

    kind: str
    digest: str

    def count(self, split: str) -> int | None:
        """How many images the half ``test`` or ``calibration`` has; None for as many as asked."""

    def batches(self, split: str, count: int) -> Iterator[Tensor]:
        """The first ``count`` images of a half, or as many as it has, without codes: [n, 3, H, W] in [-1, 1]."""

    def sources(self, split: str, count: int) -> Sources:
        """The first ``count`` images of a half, or as many as it has."""

    def check(self, test: int, calibration: int) -> list[str]:
        """Read the first so many images of each half before any work.

        Returns:
            What a user should know about them, one sentence each.

        Raises:
            UsageError: with one line for each image that cannot be used.
        """


def place(domain: str, given: Path | None) -> Path | None:
    """The folder or file that the images are in; None where the generator's seeds are edited.

    Args:
        domain: name.
        given: what the user asks for; otherwise ``$DELTABENCH_IMAGES/<domain>``, where that exists.

    Raises:
        UsageError: the place that the user asks for does not exist.
    """
    if given is not None:
        if not given.exists():
            raise UsageError(f"There is no folder {given} of photographs; leave it out to edit seeds of the generator.")
        return given
    root = os.environ.get(FOLDER_VARIABLE)
    folder = Path(root) / domain if root else None
    return folder if folder is not None and folder.exists() else None


def image_set(at: Path | None, editing: EditingDomain, fit: str) -> ImageSet:
    """The images at a place.

    Args:
        at: a folder of photographs, a file of W+ codes, or None for seeds.
        editing: the networks that invert and synthesise.
        fit: of photographs, see ``Description``.

    Raises:
        UsageError: there are too few, or the domain has no encoder for photographs.
    """
    if at is None:
        return Seeds(editing)
    return Photographs(at, editing, fit) if at.is_dir() else Codes(at, editing)


class Seeds:
    """Images of the generator, one a seed. Their codes are known, so nothing is lost by inversion.

    Args:
        editing: the generator.
    """

    kind = "seeds"
    digest = hashlib.sha256(b"seeds").hexdigest()

    def __init__(self, editing: EditingDomain) -> None:
        self._editing = editing

    def count(self, split: str) -> int | None:
        """Any number."""
        return None

    def batches(self, split: str, count: int) -> Iterator[Tensor]:
        """Pictures of the first ``count`` seeds of a half."""
        return pictures(self._editing, self._latents(_seeds(split, count)))

    def sources(self, split: str, count: int) -> Sources:
        """The first ``count`` seeds of a half."""
        seeds = _seeds(split, count)
        latents = self._latents(seeds)
        return Sources(tuple(f"seed-{seed}" for seed in seeds), drawn_when_asked(self._editing, latents), latents)

    def check(self, test: int, calibration: int) -> list[str]:
        """Nothing can be wrong with a seed."""
        return []

    def _latents(self, seeds: Sequence[int]) -> Latents:
        return Latents.cat([self._editing.sample(1, seed) for seed in seeds])


class Codes:
    """Images of the generator whose W+ codes are in a file: inverted photographs without the photographs.

    Args:
        path: a file of W+ [N, L, D] or W [N, D], see ``eval.weights.codes``.
        editing: the generator.

    Raises:
        UsageError: fewer than four codes.
        CheckpointError: the file holds something else.
    """

    kind = "codes"

    def __init__(self, path: Path, editing: EditingDomain) -> None:
        from eval.weights.catalogue import sha256
        from eval.weights.codes import read_codes

        self._editing, self._path = editing, path
        size = (editing.synthesis.latents, editing.synthesis.w_dim)
        found = read_codes(path, size)
        self._w_plus, self._notes = found.codes.to(editing.device), found.notes
        self.digest = sha256(path)
        alone = "code (an array [L, D] is one of W+; save vectors of W as codes[:, None])"
        _check_enough(len(self._w_plus), f"{path} holds", "codes" if len(self._w_plus) > 1 else alone)

    def count(self, split: str) -> int | None:
        """Half of the codes."""
        return len(self._w_plus[half(split)])

    def batches(self, split: str, count: int) -> Iterator[Tensor]:
        """Pictures of the first ``count`` codes of a half."""
        return pictures(self._editing, self._latents(self._rows(split, count)))

    def sources(self, split: str, count: int) -> Sources:
        """The first ``count`` codes of a half."""
        rows = self._rows(split, count)
        latents = self._latents(rows)
        names = tuple(f"{self._path.stem}-{row:05d}" for row in rows)
        return Sources(names, drawn_when_asked(self._editing, latents), latents)

    def check(self, test: int, calibration: int) -> list[str]:
        """All codes were checked when they were read."""
        return list(self._notes)

    def _rows(self, split: str, count: int) -> list[int]:
        return list(range(len(self._w_plus)))[half(split)][:count]

    def _latents(self, rows: list[int]) -> Latents:
        with torch.inference_mode():
            return Latents.from_w_plus(self._editing.synthesis, self._w_plus[rows])


class Photographs:
    """A folder of photographs, aligned like those that the generator learnt from, inverted by the domain's encoder.

    Args:
        folder: of image files; subfolders are not looked in.
        editing: the encoder and the generator.
        fit: ``square`` or ``centre``.

    Raises:
        UsageError: fewer than four photographs, or no encoder.
    """

    kind = "photographs"

    def __init__(self, folder: Path, editing: EditingDomain, fit: str) -> None:
        self._editing, self._fit = editing, fit
        self._files, self._left_out = pictures_in(folder)
        _check_enough(len(self._files), f"{folder} holds", "photographs")
        if editing.encoder is None:
            raise UsageError(
                f"The photographs in {folder} cannot be edited: the domain '{editing.name}' has no encoder; see "
                f"`deltabench models --domain {editing.name}`."
            )
        self._encoder: nn.Module = editing.encoder
        self.sums = contents_sums(folder, self._files)  # name -> sha256
        self.digest = contents_digest(self.sums)

    def count(self, split: str) -> int | None:
        """Half of the photographs."""
        return len(self._files[half(split)])

    def batches(self, split: str, count: int) -> Iterator[Tensor]:
        """The first ``count`` photographs of a half."""
        files = self._files[half(split)][:count]
        for at in range(0, len(files), BATCH):
            yield self._read(files[at : at + BATCH])

    def _read(self, files: Sequence[Path]) -> Tensor:
        side = self._editing.synthesis.resolution
        return torch.stack([read_picture(path, side, self._fit).pixels for path in files])

    def sources(self, split: str, count: int) -> Sources:
        """The first ``count`` photographs of a half, inverted."""
        files = self._files[half(split)][:count]
        with torch.inference_mode():
            parts = [self._encoder(block.to(self._editing.device)) for block in self.batches(split, count)]
            latents = Latents.from_w_plus(self._editing.synthesis, torch.cat(parts))
        images = ReadPictures(len(files), lambda rows: self._read(files[rows]))
        return Sources(tuple(path.name for path in files), images, latents)

    def check(self, test: int, calibration: int) -> list[str]:
        """Every photograph that a run reads: whole, of the right shape, there once."""
        used = [*self._files[half("test")][:test], *self._files[half("calibration")][:calibration]]
        notes = check_pictures(sorted(used), self._editing.synthesis.resolution, self._fit)
        return [*([self._left_out] if self._left_out else []), *notes]


def drawn_when_asked(editing: EditingDomain, latents: Latents) -> ReadPictures:
    """The pictures of codes, which need no memory until they are asked for."""
    return ReadPictures(len(latents), lambda rows: torch.cat([*pictures(editing, latents[rows])]))


def pictures(editing: EditingDomain, latents: Latents) -> Iterator[Tensor]:
    """What the generator makes of codes, in batches: float32 [n, 3, H, W] in [-1, 1], on the CPU."""
    for at in range(0, len(latents), BATCH):
        with torch.inference_mode():
            yield editing.images(latents[at : at + BATCH]).clamp(-1, 1).cpu()


def checked_sources(images: ImageSet, split: str, count: int, name: str) -> Sources:
    """The first ``count`` images of a half.

    Args:
        images: of the domain.
        split: ``test`` or ``calibration``; of the latter fewer are given where there are fewer.
        count: how many.
        name: of the domain, for the sentence.

    Raises:
        UsageError: there are not so many test images.
    """
    if split == "test":
        check_count(name, images.count("test"), count)
    return images.sources(split, count)


def _seeds(split: str, count: int) -> range:
    return range(FIRST_SEED[split], FIRST_SEED[split] + count)


def half(split: str) -> slice:
    """Which of a set's images, in order, are ``test`` or ``calibration`` images."""
    return slice(0 if split == "test" else 1, None, 2)


def _check_enough(count: int, where: str, what: str) -> None:
    if count < 2 * FEWEST:
        raise UsageError(
            f"{where} {count} {what}; {2 * FEWEST} or more are needed, half of them to calibrate strengths."
        )
