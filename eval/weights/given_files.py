"""Published files that stand in for what editors would compute: Delta Mapper, R_s, StyleCLIP's mappers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from baselines.mapper_networks import LevelsMapper, SingleMapper, StyleMapper, level_starts
from deltaedit.backbones.clip import Clip
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import Synthesis
from deltaedit.mapper import DeltaMapper
from deltaedit.relevance import channel_statistics
from deltaedit.tools.artefacts import GivenFile
from deltaedit.tools.errors import CheckpointError
from eval.weights.checkpoints import read_delta_mapper, read_relevance, read_styleclip_mapper
from eval.weights.formats.files import load_torch
from eval.weights.formats.states import check_finite, check_names, plain_state

VARIANTS = {"single": "single", "levels": "w+", "style": "s"}  # kind of file -> variant of our editor


def given_artefacts(
    delta_mapper: Path | None,
    relevance: Path | None,
    styleclip_mapper: Path | None,
    synthesis: Synthesis,
    clip: Clip,
    sample: Callable[[int, int], Latents],
) -> dict[str, GivenFile]:
    """What ``Artefacts`` takes as ``given``: name of an artefact -> the file that stands in for it, None left out.

    Raises:
        CheckpointError: a file is damaged or of another kind, whether an editor will ask for it or not.
    """
    given: dict[str, GivenFile] = {}
    if delta_mapper is not None:
        check_finite(delta_mapper, plain_state(load_torch(delta_mapper)))
        given["delta-mapper"] = given_delta_mapper(delta_mapper, synthesis, clip)
    if relevance is not None:
        read_relevance(relevance, synthesis.s_size, embedding_size(clip))
        given["relevance"] = given_relevance(relevance, synthesis, clip, sample)
    if styleclip_mapper is not None:
        read_styleclip_mapper(styleclip_mapper)
        given["styleclip-mapper"] = given_styleclip_mapper(styleclip_mapper, synthesis)
    return given


def given_delta_mapper(path: Path, synthesis: Synthesis, clip: Clip) -> GivenFile:
    """A released Delta Mapper, ``net_face.pth``."""

    def read(key: Mapping[str, object]) -> dict[str, Tensor]:
        if key.get("output", "S") != "S":
            raise CheckpointError(f"{path} is a Delta Mapper whose output is in S; leave out deltaedit[output=W+].")
        size = embedding_size(clip)
        with torch.device("meta"):  # only its names and shapes are wanted
            mapper = DeltaMapper(synthesis.layout, size, bool(key.get("levels", True)))
        state = read_delta_mapper(path, mapper)
        return {**{f"mapper.{name}": tensor for name, tensor in state.items()}, "curve": torch.empty(0, 3)}

    return GivenFile(path, read)


def given_relevance(path: Path, synthesis: Synthesis, clip: Clip, sample: Callable[[int, int], Latents]) -> GivenFile:
    """A released R_s, ``fs3.npy``; the channels' mean and deviation, which it lacks, are measured (seconds)."""

    def read(key: Mapping[str, object]) -> dict[str, Tensor]:
        matrix = read_relevance(path, synthesis.s_size, embedding_size(clip))
        mean, std = channel_statistics(sample, int(str(key["statistics"])), int(str(key["seed"])))
        return {"relevance": matrix, "mean": mean, "std": std}

    return GivenFile(path, read)


def given_styleclip_mapper(path: Path, synthesis: Synthesis) -> GivenFile:
    """A latent mapper that StyleCLIP's code trained."""

    def read(key: Mapping[str, object]) -> dict[str, Tensor]:
        checkpoint = read_styleclip_mapper(path)
        variant, fine = VARIANTS[checkpoint.kind], bool(key["fine"])
        if variant != key["variant"]:
            raise CheckpointError(f"{path} is a mapper of another variant; write styleclip-mapper[variant={variant}].")
        if variant == "w+" and fine and not any(name.startswith("fine_mapping") for name in checkpoint.state):
            raise CheckpointError(f"{path} is a mapper without a fine level; write styleclip-mapper[no_fine=true].")
        if variant != "s" and key["normalise"] != "rows":
            raise CheckpointError(f"{path} was trained with a norm over rows; write styleclip-mapper[normalise=rows].")
        with torch.device("meta"):
            shapes = _mapper(variant, fine, synthesis).state_dict()
        wanted: dict[str, tuple[int, ...]] = {name: tuple(t.shape) for name, t in shapes.items()}
        check_names(path, checkpoint.state, wanted, "a StyleCLIP mapper for this generator")
        return checkpoint.state

    return GivenFile(path, read)


def _mapper(variant: str, fine: bool, synthesis: Synthesis) -> nn.Module:
    starts = level_starts(synthesis)
    if variant == "s":
        return StyleMapper(synthesis, synthesis.latents if fine else starts[1])
    if variant == "single":
        return SingleMapper(synthesis.w_dim, over_rows=True)
    return LevelsMapper(synthesis.w_dim, True, starts, fine)


def embedding_size(clip: Clip) -> int:
    """E, length of a CLIP feature."""
    return clip.encode_texts(["face"]).shape[1]
