"""A domain of photographs, ready to use: the user's weight files, the judges, the prompts, the images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from deltaedit.tools.domain import EditingDomain
from eval.domains.base import Judges, Sources
from eval.domains.counts import check_count
from eval.domains.photos.artefacts import published_only
from eval.domains.photos.description import Description, read_description
from eval.domains.photos.images import ImageSet, checked_sources, half, image_set, place
from eval.errors import collected, refuse
from eval.pictures import check_pictures, pictures_in
from eval.prompts import Prompt
from eval.weights.catalogue import sha256
from eval.weights.checkpoint_files import CheckpointFiles, TrainingLatents, editing_domain

if TYPE_CHECKING:
    from deltaedit.backbones.clip import Clip
    from eval.domains.base import Domain

# Networks may be asked for first within inference mode, but editors take gradients through them.
NORMAL_TENSORS = torch.inference_mode(False)
ATTRIBUTES_PROTOCOL = "zero-shot,100xcosine,one-text-a-value,one-vs-rest-log-odds"
ANY_SIDE_PX = 64  # that photographs are looked at where the generator's side is not known
FEWEST_CALIBRATION = 10  # images that a run calibrates on, however few it edits
FRECHET_PROTOCOL = "bilinear-299-no-antialias,range-2,float64,unbiased-covariance"
IDENTITY_PROTOCOLS = {
    "face": "mtcnn-256px,crop-160-bilinear-antialias,blank-without-a-face,cosine",
    "whole": "whole-image-160,cosine",
}


class PhotosDomain:
    """A domain that a TOML file describes. See ``eval.domains.base.Domain`` for what each member is.

    Files are looked for when they are needed, so that prompts can be listed without any.

    Args:
        description: of the domain.
        images: a folder of photographs or a file of W+ codes; None for ``$DELTABENCH_IMAGES/<name>``, and for seeds of
            the generator where that does not exist.
        device: where the networks go.
        precision: of edits and of the pictures of edits.

    Raises:
        UsageError: there are no such images; later, where a file that is needed is missing or damaged.
    """

    def __init__(
        self,
        description: Description,
        images: Path | None = None,
        device: torch.device | str = "cpu",
        precision: str = "float32",
    ) -> None:
        self.description = description
        self.name = description.name
        self.factors = {factor: tuple(values) for factor, values in description.factors.items()}
        self.prompts = description.prompts
        self._device, self._precision = torch.device(device), precision
        self._images_at = place(self.name, images)

    @cached_property
    def _files(self) -> tuple[dict[str, Path], dict[str, Path]]:
        """Key -> file of the editors, and of the judges."""
        return self.description.located()

    @cached_property
    def fingerprints(self) -> Mapping[str, str]:
        """Every file that is used -> sha256; also of the description and of the images."""
        names = {"clip": "editing-clip", "identity": "editing-identity"}
        used = {names.get(key, key): sha256(path) for key, path in self._files[0].items()}
        return {
            **used,
            **self._judge_fingerprints,
            "description": hashlib.sha256(self.description.path.read_bytes()).hexdigest(),
            f"images ({self.images.kind})": self.images.digest,
        }

    @cached_property
    def _judge_fingerprints(self) -> dict[str, str]:
        from eval.domains.photos.judges import attribute_fingerprint

        files = {key: sha256(path) for key, path in self._files[1].items()}
        names = {"clip": "judge-clip", "frechet": "frechet-features", "identity": "identity"}
        attributes = attribute_fingerprint(files["clip"], self.description.factors)
        return {"attribute-judge": attributes, **{names[key]: digest for key, digest in files.items()}}

    @cached_property
    @NORMAL_TENSORS
    def editing(self) -> EditingDomain:
        """What editors see."""
        files = self._files[0]
        styles, features = files.get("training_styles"), files.get("training_features")
        read = editing_domain(
            CheckpointFiles(
                generator=files["generator"],
                clip=files["clip"],
                clip_architecture=self.description.editing_clip,
                encoder=files.get("encoder"),
                identity=files.get("identity"),
                delta_mapper=files.get("delta_mapper"),
                relevance=files.get("relevance"),
                truncation=self.description.truncation,
                training_samples=self.description.training_samples,
                training_latents=TrainingLatents(styles, features) if styles and features else None,
            ),
            self.name,
            self._device,
        )
        return replace(read, artefacts=published_only(read.artefacts), precision=self._precision)

    @cached_property
    def images(self) -> ImageSet:
        """Where the images come from."""
        return image_set(self._images_at, self.editing, self.description.fit)

    @cached_property
    @NORMAL_TENSORS
    def judges(self) -> Judges:
        """What scores."""
        from eval.domains.photos.judges import ZeroShotAttributes

        clip, identity = self._judge_clip, self._identity
        attributes = ZeroShotAttributes(clip, self.description.factors)
        measured = self._measured(attributes, identity)
        floor, ceiling = measured["identity"].tolist()
        return Judges(
            attributes=attributes,
            sigma={factor: measured[f"sigma.{factor}"] for factor in self.factors},
            clip=clip,
            identity=identity,
            identity_floor=floor,
            identity_ceiling=ceiling,
            frechet=self._inception,
            frechet_name="fid",
            fingerprints=self._judge_fingerprints,
            attributes_of_clip=attributes.of_features,
            protocols={
                "attribute-judge": f"{ATTRIBUTES_PROTOCOL},{self.description.judge_clip}",
                "frechet-features": FRECHET_PROTOCOL,
                "identity": IDENTITY_PROTOCOLS[self.description.crop],
            },
        )

    @cached_property
    @NORMAL_TENSORS
    def _judge_clip(self) -> Clip:
        from eval.weights.clip_files import read_clip

        return read_clip(self._files[1]["clip"], self.description.judge_clip).to(self._device)

    @cached_property
    @NORMAL_TENSORS
    def _inception(self) -> nn.Module:
        from eval.domains.photos.judges import InceptionFeatures

        return InceptionFeatures(self._files[1]["frechet"]).to(self._device)

    @cached_property
    @NORMAL_TENSORS
    def _identity(self) -> Any:
        from eval.domains.photos.judges import IdentityJudge, NoIdentity
        from eval.weights.facenet import FaceDetector, FaceIdentity

        path = self._files[1].get("identity")
        if path is None:
            return NoIdentity()
        detector = FaceDetector(self._device) if self.description.crop == "face" else None
        return IdentityJudge(FaceIdentity(path), detector).to(self._device)

    def _measured(self, attributes: Any, identity: Any) -> dict[str, Tensor]:
        """σ, identity floor and ceiling on the calibration images, kept with the artefacts."""
        from eval.domains.photos.measures import measure

        count = self.description.measured_images
        key = {
            "judges": dict(self._judge_fingerprints),
            "crop": self.description.crop,
            "images": self.images.digest,
            "fit": self.description.fit,
            "editing": self.editing.fingerprint,
            "count": count,
        }

        def build() -> dict[str, Tensor]:
            return measure(self._on_device(self.images.batches("calibration", count)), attributes, identity)

        return self.editing.artefacts.get("photo-measures", key, build).tensors

    def _on_device(self, batches: Iterator[Tensor]) -> Iterator[Tensor]:
        return (batch.to(self._device) for batch in batches)

    @property
    def photographs(self) -> Mapping[str, str]:
        """Name of each photograph -> sha256; empty where codes or seeds are edited."""
        return getattr(self.images, "sums", {})

    @property
    def test_images(self) -> int | None:
        """How many test images there are; None of seeds, and of a file of codes, which is not read yet."""
        at = self._images_at
        return None if at is None or not at.is_dir() else len(pictures_in(at)[0][half("test")])

    def check_files(self, count: int) -> list[str]:
        """Read every weight and every image that a run of ``count`` test images needs, before any work.

        Returns:
            What a user should know about the images, one sentence each.

        Raises:
            UsageError: with one line for each file that cannot be used.
        """
        faults: list[str] = []
        notes: list[str] = []
        for network in ("editing", "_judge_clip", "_inception", "_identity"):
            with collected(faults):
                getattr(self, network)
        with collected(faults):
            notes = self._check_images(count, bool(faults))
        refuse(list(dict.fromkeys(faults)))
        return notes

    def _check_images(self, count: int, without_networks: bool) -> list[str]:
        """See ``ImageSet.check``; without the networks that say their side, photographs are read all the same."""
        if without_networks and self._images_at is not None and self._images_at.is_dir():
            check_pictures(pictures_in(self._images_at)[0], ANY_SIDE_PX, self.description.fit)
        check_count(self.name, self.images.count("test"), count)
        calibration = max(self.description.measured_images, count, FEWEST_CALIBRATION)
        return self.images.check(count, calibration)

    def test_sources(self, count: int) -> Sources:
        """The first ``count`` test images, inverted."""
        return checked_sources(self.images, "test", count, self.name)

    def calibration_sources(self, count: int) -> Sources:
        """The first ``count`` calibration images, or as many as there are, inverted."""
        return checked_sources(self.images, "calibration", count, self.name)

    def counterfactuals(self, sources: str, count: int, prompt: Prompt) -> Tensor | None:
        """Nobody knows them of photographs."""
        return None

    def visible(self, sources: str, count: int, prompt: Prompt) -> np.ndarray | None:
        """Nobody knows which factors can be seen; every one counts."""
        return None

    def region(self, sources: str, count: int, prompt: Prompt) -> np.ndarray:
        """The boxes that the description states for the prompt's factor; otherwise the whole image."""
        side = self.editing.synthesis.resolution
        boxes = self.description.regions.get(prompt.attribute, ((0.0, 0.0, 1.0, 1.0),))
        region = np.zeros((side, side), dtype=bool)
        for left, top, right, bottom in boxes:
            region[round(top * side) : round(bottom * side), round(left * side) : round(right * side)] = True
        return region


def load(
    path: Path, images: Path | None = None, device: torch.device | str = "cpu", precision: str = "float32"
) -> Domain:
    """The domain that a TOML file describes.

    Raises:
        UsageError: a mistake in the file, or a weight file or image that is missing or damaged.
    """
    return PhotosDomain(read_description(path), images, device, precision)
