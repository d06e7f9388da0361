"""What is edited: pictures through the encoder, samples of seeds, codes of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import StyleLayer, Synthesis, style_matrices
from deltaedit.tools.domain import EditingDomain
from eval.edits.pictures import RGB, to_bytes
from eval.edits.request import EditRequest
from eval.errors import UsageError
from eval.pictures import read_pictures
from eval.weights.codes import read_codes


@dataclass(frozen=True)
class EditSources:
    """What is edited, one row each.

    Attributes:
        names: for example ``seed 3``.
        latents: their codes.
        originals: the pictures that were encoded; None where the codes came first.
        notes: what was done to get them, one sentence each.
        photograph: with a generator of its own, which edited pictures are pasted back into; None for everything else.
    """

    names: tuple[str, ...]
    latents: Latents
    originals: tuple[RGB, ...] | None = None
    notes: tuple[str, ...] = ()
    photograph: Photograph | None = None


class Photograph(Protocol):
    """A photograph of which a domain edits a part, with a generator that was tuned to it."""

    @property
    def pixels(self) -> RGB:
        """The whole, upright."""

    @property
    def aligned(self) -> RGB:
        """The part that is edited, at the generator's side."""

    @property
    def latents(self) -> Latents:
        """Its code."""

    @property
    def synthesis(self) -> Synthesis:
        """The tuned generator."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done and how well, one sentence each."""

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of a square of the photograph in which the part is well to be seen."""

    def paste(self, face: RGB, /) -> RGB:
        """The whole with another picture in the place of the part."""


TakePhotograph = Callable[[Path], Photograph]


def load_sources(
    domain: EditingDomain, request: EditRequest, take_photograph: TakePhotograph | None = None
) -> EditSources:
    """What the request names.

    Args:
        domain: whose generator.
        request: what is edited.
        take_photograph: of a domain that inverts photographs itself.

    Raises:
        UsageError: a picture that cannot be read, or one where there is no encoder.
        CheckpointError: a file of codes that does not fit.
    """
    if request.images and take_photograph is not None:
        return from_photograph(take_photograph, request.images)
    if request.images:
        return from_pictures(domain, request.images)
    if request.latents is not None:
        return from_file(domain, request.latents, request.limit, request.codes)
    parts = [domain.sample(1, seed) for seed in request.seeds]
    return EditSources(tuple(f"seed {seed}" for seed in request.seeds), Latents.cat(parts))


def from_pictures(domain: EditingDomain, paths: tuple[Path, ...]) -> EditSources:
    """Pictures as the encoder sees them: cut square, resized to the generator's side, encoded."""
    if domain.encoder is None:
        raise UsageError(
            f"--image needs an encoder, which turns a picture into codes, but '{domain.name}' has none: give --encoder "
            "FILE (e4e, for example e4e_ffhq_encode.pt), or edit --seed or --latents instead."
        )
    read = [*read_pictures(paths, domain.synthesis.resolution)]
    with torch.inference_mode():
        codes = [domain.encoder(picture.pixels[None].to(domain.device)) for picture in read]
        latents = Latents.from_w_plus(domain.synthesis, torch.cat(codes).float())
    originals = tuple(to_bytes(picture.pixels[None])[0] for picture in read)
    notes = tuple(note for picture in read for note in picture.notes)
    return EditSources(tuple(path.stem for path in paths), latents, originals, notes)


def from_photograph(take_photograph: TakePhotograph, paths: tuple[Path, ...]) -> EditSources:
    """One photograph, with the generator that was tuned to it.

    Raises:
        UsageError: there are several, or the domain cannot use it.
    """
    if len(paths) > 1:
        raise UsageError("The generator is tuned to one photograph at a time; give one --image, then the next.")
    taken = take_photograph(paths[0])
    return EditSources((paths[0].stem,), taken.latents, (taken.aligned,), taken.notes, taken)


def from_file(domain: EditingDomain, path: Path, limit: int, taken: str | None = None) -> EditSources:
    """The first codes of a file, W+, W or styles.

    Raises:
        CheckpointError: the file is damaged, or its codes are of another size or not finite.
    """
    synthesis = domain.synthesis
    found = read_codes(path, (synthesis.latents, synthesis.w_dim), synthesis.s_size, limit, taken)
    codes, notes = found.codes.to(domain.device), list(found.notes)
    if found.count > len(codes):
        notes.append(f"{path.name} holds {found.count} codes; the first {len(codes)} are edited (--limit).")
    if codes.dim() == 3:
        with torch.no_grad():
            latents = Latents.from_w_plus(synthesis, codes)
    else:
        latents = latents_of_styles(synthesis, codes, domain.sample(256, 0).w_plus.mean((0, 1)))
        notes.append(f"{path.name} holds styles; W+ and the ToRGB styles, which it lacks, are the nearest that fit.")
    return EditSources(tuple(f"code {row}" for row in range(len(codes))), latents, None, tuple(notes))


def latents_of_styles(synthesis: Synthesis, s: Tensor, centre: Tensor) -> Latents:
    """Codes whose styles are given, with rows of W+ that make these styles.

    Styles are linear in W+, so that least squares finds the rows. A layer of at least D styles has only one such row;
    of the others' rows that one is taken which is nearest to the mean of these; where no convolution reads a row, the
    mean.

    Args:
        synthesis: the generator.
        s: float32 [N, C], kept as they are.
        centre: float32 [D], a mean w, for generators whose layers are all narrower.
    """
    layers = list(enumerate(synthesis.layout))
    wide = [pair for pair in layers if pair[1].channels >= synthesis.w_dim]
    narrow = [pair for pair in layers if pair[1].channels < synthesis.w_dim]
    with torch.no_grad():
        w_plus = centre.expand(len(s), synthesis.latents, -1).clone()
        _solve(synthesis, wide, s, w_plus)
        if wide:
            found = [at.latent for _, at in wide]
            others = [row for row in range(synthesis.latents) if row not in found]
            w_plus[:, others] = w_plus[:, found].mean(1, keepdim=True)
        _solve(synthesis, narrow, s, w_plus)
        return Latents(w_plus, s, synthesis.styles(w_plus)[1])


def _solve(synthesis: Synthesis, layers: Iterable[tuple[int, StyleLayer]], s: Tensor, w_plus: Tensor) -> None:
    """Move the rows of these layers as little as possible so that they make the styles."""
    base, _ = synthesis.styles(w_plus)
    matrices = style_matrices(synthesis)
    for number, at in layers:
        inverse = torch.linalg.pinv(matrices[number])
        step = inverse @ (s - base)[:, at.start : at.stop].cpu().double().T
        w_plus[:, at.latent] += step.T.to(w_plus)
