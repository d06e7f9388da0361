"""What an editor is given to work with: frozen networks and latents, and never a judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import Synthesis
from deltaedit.tools.artefacts import Artefacts


class TextPrompt(Protocol):
    """What an editor reads of a prompt: its name and its two texts."""

    @property
    def name(self) -> str:
        """Short and unique, for example ``glasses``."""

    @property
    def source(self) -> str:
        """What the image is, for example ``face``."""

    @property
    def target(self) -> str:
        """What it should become, for example ``face with glasses``."""


@dataclass(frozen=True)
class TrainingSet:
    """What DeltaEdit trains on: for each of N images its styles and its CLIP image feature."""

    s: Tensor  # float32 [N, C]
    features: Tensor  # float32 [N, E], unit norm
    origin: tuple[str, ...] = ()  # of each of the N, for the record: "inverted" or "sampled"
    w_plus: Tensor | None = None  # float32 [N, L, D], for mappers in W+; None where the domain gives none


@dataclass(frozen=True)
class LabelledCodes:
    """Codes of N sampled images and what can be seen on each: more than a text-driven editor is given."""

    w: Tensor  # float32 [N, D]
    labels: Mapping[str, Tensor]  # attribute -> int64 [N], index among its values; -1 where it is not known
    values: Mapping[str, tuple[str, ...]]  # attribute -> its values, in the words of the prompts


@dataclass(frozen=True)
class EditingDomain:
    """The half of a domain that editors see; what it lacks is None. Images are float32 [N, 3, H, W] in [-1, 1]."""

    name: str  # for example ``avatars``
    synthesis: Synthesis  # the generator's synthesis network, frozen, in eval mode
    encoder: nn.Module | None  # image -> w_plus [N, L, D]
    clip: Clip  # the editing CLIP
    sample: Callable[[int, int], Latents]  # (count, seed) -> latents of random images of the generator
    training_set: Callable[[], TrainingSet]  # what DeltaEdit trains on; computed when called
    artefacts: Artefacts  # where editors keep what they compute once
    fingerprint: str  # sha256 over the weights of all these networks; belongs in every artefact's key
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))  # where the networks are
    identity: Callable[[Tensor], Tensor] | None = None  # image -> unit [N, E_id], with gradients; not the judge
    perceptual: Callable[[Tensor], list[Tensor]] | None = None  # image -> feature maps, with gradients; no judge
    relevance_by_derivative: int = 0  # images behind an R_s by derivatives, where a sweep takes days; 0 for the sweep
    labelled: Callable[[], LabelledCodes] | None = None  # for supervised references; computed when called
    relevance: Callable[..., Tensor] | None = None  # stands in for ``relevance_matrix``: has parts of it at hand
    known_features: Callable[[Latents, Callable[[], Tensor]], Tensor] | None = None  # has computed some of them before
    training_key: Mapping[str, object] = field(default_factory=dict)  # what more belongs in a trained mapper's key
    variants: Mapping[str, Callable[[], EditingDomain]] = field(default_factory=dict)  # for ablations: name -> it
    costly_pictures: bool = False  # a picture takes a second or so: `auto` is then the shortest training by pictures
    precision: str = "float32"  # of edits and of the pictures of edits, see ``deltaedit.tools.precision.computing``

    def images(self, latents: Latents) -> Tensor:
        """Pictures of the latents: float32 [N, 3, H, W], about [-1, 1], not clipped."""
        image: Tensor = self.synthesis.synthesize(latents.s, latents.s_rgb)
        return image

    def image_features(self, latents: Latents) -> Tensor:
        """CLIP image features of the latents' pictures: float32 [N, E], unit norm."""

        def compute() -> Tensor:
            return self.clip.encode_images(self.images(latents))

        return compute() if self.known_features is None else self.known_features(latents, compute)
