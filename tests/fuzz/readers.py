"""Every reader that is tried, by name."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.checkpoints import (
    AnyFile,
    ClipFile,
    DeltaMapperFile,
    EncoderFile,
    GeneratorFile,
    Relevance,
    StyleClipMapperFile,
)
from tests.fuzz.codes import Codes
from tests.fuzz.folders import ChunkFiles, ManifestFile
from tests.fuzz.pictures import Pictures
from tests.fuzz.texts import Ablation, Domain, LabelFile, Prompts
from tests.fuzz.trial import Trial

READERS: dict[str, Callable[[Path], Trial]] = {
    "pictures": Pictures,
    "codes": Codes,
    "generator": GeneratorFile,
    "encoder": EncoderFile,
    "delta mapper": DeltaMapperFile,
    "styleclip mapper": StyleClipMapperFile,
    "relevance": Relevance,
    "clip": ClipFile,
    "models check": AnyFile,
    "prompts": Prompts,
    "domain": Domain,
    "ablation": Ablation,
    "labels": LabelFile,
    "manifest": ManifestFile,
    "chunks": ChunkFiles,
}


def generator(name: str, seed: int, number: int) -> Random:
    """The random numbers of one input of a reader."""
    return Random(zlib.crc32(f"{name} {seed} {number}".encode()))
