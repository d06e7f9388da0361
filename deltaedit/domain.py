"""What an editor is given to work with: frozen networks and latents, and never a judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.synthesis import Synthesis
from deltaedit.latents import Latents
from deltaedit.tools.artefacts import Artefacts


@dataclass(frozen=True)
class TrainingSet:
    """What DeltaEdit trains on: for each of N images its styles and its CLIP image feature.

    Attributes:
        s: float32 [N, C].
        features: float32 [N, E], unit norm.
        origin: what the images are, for the record: ``"inverted"`` or ``"sampled"`` for each of the N.
        w_plus: float32 [N, L, D], for mappers whose output is in W+; None where the domain gives none.
    """

    s: Tensor
    features: Tensor
    origin: tuple[str, ...] = ()
    w_plus: Tensor | None = None


@dataclass(frozen=True)
class LabelledCodes:
    """Codes of N sampled images and what can be seen on each: more than a text-driven editor is given.

    Attributes:
        w: float32 [N, D].
        labels: attribute -> int64 [N], index of the image's value among ``values``; -1 where it is not known.
        values: attribute -> its values, in the words of the prompts' ``attribute`` and ``value``.
    """

    w: Tensor
    labels: Mapping[str, Tensor]
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class EditingDomain:
    """The half of a domain that editors see.

    Attributes:
        name: for example ``avatars``.
        synthesis: the generator's synthesis network, frozen, in eval mode.
        encoder: image float32 [N, 3, H, W] in [-1, 1] -> w_plus [N, L, D]; None where the domain has none.
        clip: the editing CLIP.
        sample: (count, seed) -> latents of random images of the generator.
        training_set: the latents and CLIP features that DeltaEdit trains on; computed when called.
        artefacts: where editors keep what they compute once.
        fingerprint: sha256 over the weights of all these networks; belongs in every artefact's key.
        device: where the networks are.
        identity: image -> unit float32 [N, E_id] of an identity network that is not the judge, with gradients; for
            editors whose loss has an identity term. None where the domain has none.
        perceptual: image -> feature maps of a network that is not a judge, with gradients; for editors whose loss
            compares VGG features. None where the domain has none.
        relevance_by_derivative: how many images R_s is averaged over when it is computed by derivatives, for generators
            on which the published sweep takes days; 0 for the sweep.
        labelled: codes with labels, for supervised references, which text-driven editors are compared with; computed
            when called. None where the domain has none.
    """

    name: str
    synthesis: Synthesis
    encoder: nn.Module | None
    clip: Clip
    sample: Callable[[int, int], Latents]
    training_set: Callable[[], TrainingSet]
    artefacts: Artefacts
    fingerprint: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    identity: Callable[[Tensor], Tensor] | None = None
    perceptual: Callable[[Tensor], list[Tensor]] | None = None
    relevance_by_derivative: int = 0
    labelled: Callable[[], LabelledCodes] | None = None

    def images(self, latents: Latents) -> Tensor:
        """Pictures of the latents: float32 [N, 3, H, W], about [-1, 1], not clipped."""
        image: Tensor = self.synthesis.synthesize(latents.s, latents.s_rgb)
        return image

    def image_features(self, latents: Latents) -> Tensor:
        """CLIP image features of the latents' pictures: float32 [N, E], unit norm."""
        return self.clip.encode_images(self.images(latents))
