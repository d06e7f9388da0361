"""What a domain of photographs is, as a TOML file says it: files, judges, factors, prompts, regions.

docs/real_domains.md describes the format. A file's name in it is looked for beside the TOML file first, then where
weight files are (``eval.weights.catalogue``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.domains.photos import description_file
from eval.errors import UsageError, collected, refuse, shortened, unknown
from eval.prompts import TOP_KEYS, Prompt, check_prompts, load_prompts, load_toml
from eval.weights import catalogue as weight_files

EDITING_FILES = {  # key in [editing] -> what the file holds
    "generator": "generator",
    "clip": "CLIP that editors use",
    "encoder": "encoder of photographs",
    "identity": "identity network that editors may use",
    "delta_mapper": "trained Delta Mapper",
    "relevance": "R_s",
    "training_styles": "styles that DeltaEdit trains on",
    "training_features": "CLIP features that DeltaEdit trains on",
}
JUDGE_FILES = {"clip": "judge CLIP", "frechet": "Inception of the Fréchet distance", "identity": "identity judge"}
NEEDED = {"editing": ("generator", "clip"), "judges": ("clip", "frechet")}
SETTINGS = {
    "editing": ("clip_architecture", "optional", "truncation", "training_samples"),
    "judges": ("clip_architecture", "crop", "measured_images"),
}
CROPS = ("face", "whole")
FITS = ("square", "centre")
TRUNCATION, TRAINING_SAMPLES = 0.7, 10_000  # the defaults of CheckpointFiles, which is slow to import
MEASURED_IMAGES = 200  # that σ, identity floor and ceiling are measured on

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class NamedFile:
    """A file that a description names.

    Attributes:
        name: as it is named.
        key: under which it is named.
        what: what it holds.
        part: ``editing`` or ``judges``.
        optional: the domain works without it.
        path: where it is; None if it is missing.
    """

    name: str
    key: str
    what: str
    part: str
    optional: bool
    path: Path | None


@dataclass(frozen=True)
class Description:
    """A domain of photographs.

    Attributes:
        path: the TOML file.
        name: of the domain.
        fit: ``square`` refuses photographs that are not square, ``centre`` takes their largest middle square.
        editing: key of ``EDITING_FILES`` -> file name.
        optional: keys of ``editing`` whose files may be missing.
        editing_clip: the editing CLIP's open_clip architecture.
        truncation: ψ of the generator's samples.
        training_samples: how many of them a Delta Mapper is trained on where there are no training files.
        judging: key of ``JUDGE_FILES`` -> file name.
        judge_clip: the judge CLIP's open_clip architecture.
        crop: what the identity judge sees: the largest ``face``, or the ``whole`` image.
        measured_images: how many images σ, identity floor and ceiling are measured on.
        factors: factor -> value -> the text that stands for it.
        regions: factor -> boxes (left, top, right, bottom) as shares of the sides, which its prompts may change.
        prompts: the default set.
    """

    path: Path
    name: str
    fit: str
    editing: Mapping[str, str]
    optional: tuple[str, ...]
    editing_clip: str
    truncation: float
    training_samples: int
    judging: Mapping[str, str]
    judge_clip: str
    crop: str
    measured_images: int
    factors: Mapping[str, Mapping[str, str]]
    regions: Mapping[str, tuple[Box, ...]]
    prompts: tuple[Prompt, ...]

    def located(self) -> tuple[dict[str, Path], dict[str, Path]]:
        """Where the files are, of the editors and of the judges: key -> path, without optional ones that are missing.

        Raises:
            UsageError: files that the domain cannot do without are missing, or some are damaged.
        """
        files = self.files()
        missing = [file.name for file in files if file.path is None and not file.optional]
        if missing:
            raise weight_files.missing(missing, self.label)
        faults: list[str] = []
        for file in files:
            if file.path is not None:
                with collected(faults):
                    weight_files.check(file.path, file.name, self.name)
        refuse(faults)
        there = [file for file in files if file.path is not None]
        editing, judging = (
            {file.key: file.path for file in there if file.part == part and file.path} for part in ("editing", "judges")
        )
        return editing, judging

    @property
    def label(self) -> str:
        """What `--domain` takes: the name of a domain of this package, otherwise the path."""
        return self.name if self.path == description_file(self.name) else str(self.path)

    def files(self) -> tuple[NamedFile, ...]:
        """Every file that the description names, those of the judges last."""
        editing = [
            NamedFile(self.editing[key], key, what, "editing", key in self.optional, self._find(self.editing[key]))
            for key, what in EDITING_FILES.items()
            if key in self.editing
        ]
        judging = [
            NamedFile(self.judging[key], key, what, "judges", False, self._find(self.judging[key]))
            for key, what in JUDGE_FILES.items()
            if key in self.judging
        ]
        return (*editing, *judging)

    def _find(self, name: str) -> Path | None:
        """The file beside the description, otherwise where weight files are."""
        beside = self.path.parent / name
        return beside if beside.is_file() else weight_files.find(name, self.name)


def read_description(path: Path) -> Description:
    """Read a domain's TOML file.

    Raises:
        UsageError: the file is missing, is not TOML, or says something that is not allowed; the sentence says what is.
    """
    data = _load(path)
    for key in data:
        if key not in TOP_KEYS:
            raise unknown(f"key (of {path})", key, TOP_KEYS)
    editing, judging = _table(path, data, "editing", EDITING_FILES), _table(path, data, "judges", JUDGE_FILES)
    if ("training_styles" in editing) != ("training_features" in editing):
        raise UsageError(f"The domain {path} must name both 'training_styles' and 'training_features', or neither.")
    optional = data["editing"].get("optional", [])
    if not isinstance(optional, list):
        raise UsageError(
            f"'optional' of {path} must be a list, for example [\"encoder\"]. Got {shortened(optional)} instead."
        )
    for key in map(str, optional):
        if key not in EDITING_FILES:
            raise unknown(f"optional file (of {path})", key, EDITING_FILES)
    factors = _factors(path, data)
    prompts = load_prompts(path)
    check_prompts(prompts, factors, str(path))
    return Description(
        path=path,
        name=_name(path, data),
        fit=_choice(path, data, "fit", FITS),
        editing=editing,
        optional=tuple(optional),
        editing_clip=_text(path, data["editing"], "clip_architecture"),
        truncation=_share(path, data["editing"], "truncation", TRUNCATION),
        training_samples=_count(path, data["editing"], "training_samples", TRAINING_SAMPLES),
        judging=judging,
        judge_clip=_text(path, data["judges"], "clip_architecture"),
        crop=_choice(path, data["judges"], "crop", CROPS),
        measured_images=_count(path, data["judges"], "measured_images", MEASURED_IMAGES),
        factors=factors,
        regions=_regions(path, data, factors),
        prompts=prompts,
    )


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UsageError(f"There is no domain {path}; see `deltabench domains`.")
    return load_toml(path, "domain")


def _text(path: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"The domain {path} has no text '{key}'; see docs/real_domains.md for the format.")
    return value


def _name(path: Path, data: Mapping[str, Any]) -> str:
    """The domain's name, which names folders."""
    name = _text(path, data, "name")
    if not re.fullmatch(r"\w[\w.+-]{0,59}", name):
        raise UsageError(
            f"The name of the domain {path} must be letters, digits and any of _.+-, 60 at most, for it names folders. "
            f"Got '{shortened(name)}' instead."
        )
    return name


def _choice(path: Path, table: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value = table.get(key, allowed[0])
    if value not in allowed:
        raise unknown(f"{key} (of {path})", str(value), allowed)
    return str(value)


def _count(path: Path, table: Mapping[str, Any], key: str, default: int) -> int:
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 2:
        raise UsageError(
            f"The number '{key}' of {path} must be whole, 2 or more. Got {shortened(repr(value))} instead."
        )
    return value


def _share(path: Path, table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UsageError(f"The number '{key}' of {path} must be from 0 to 1. Got {shortened(repr(value))} instead.")
    return float(value)


def _table(path: Path, data: Mapping[str, Any], part: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files that ``[editing]`` or ``[judges]`` names."""
    table = data.get(part)
    if not isinstance(table, dict):
        raise UsageError(f"The domain {path} has no table [{part}]; see docs/real_domains.md for the format.")
    for key in table:
        if key not in files and key not in SETTINGS[part]:
            raise unknown(f"key of [{part}] (in {path})", key, [*files, *SETTINGS[part]])
    for key in NEEDED[part]:
        _text(path, table, key)
    return {key: _text(path, table, key) for key in files if key in table}


def _factors(path: Path, data: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    factors = data.get("factors")
    if not isinstance(factors, dict) or not factors:
        raise UsageError(f"The domain {path} has no [factors]; see docs/real_domains.md for the format.")
    for factor, values in factors.items():
        texts = isinstance(values, dict) and all(isinstance(text, str) and text for text in values.values())
        if not texts or len(values) < 2:
            raise UsageError(f"The factor '{factor}' of {path} must have two values or more, a text for each.")
    return factors


def _regions(path: Path, data: Mapping[str, Any], factors: Mapping[str, Any]) -> dict[str, tuple[Box, ...]]:
    regions = {}
    given = data.get("regions", {})
    if not isinstance(given, dict):
        raise UsageError(
            f"[regions] of {path} must be a table: factor = [[left, top, right, bottom]]. Got {shortened(given)}."
        )
    for factor, boxes in given.items():
        if factor not in factors:
            raise unknown(f"factor (of [regions] in {path})", factor, factors)
        if not isinstance(boxes, list) or not boxes or not all(map(_is_box, boxes)):
            raise UsageError(
                f"The region '{factor}' of {path} must be a list of boxes [left, top, right, bottom], shares of the "
                f"sides from 0 to 1. Got {shortened(boxes)} instead."
            )
        regions[factor] = tuple((float(box[0]), float(box[1]), float(box[2]), float(box[3])) for box in boxes)
    return regions


def _is_box(box: Any) -> bool:
    numbers = isinstance(box, list) and len(box) == 4 and all(type(share) in (int, float) for share in box)
    return numbers and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1
