"""A domain: what editors work with, the judges that score them, the prompts, and the images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.domains.guard import guarded, protect
from eval.pixels import Pictures
from eval.prompts import Prompt


@dataclass(frozen=True)
class Sources:
    """The images that are edited.

    Attributes:
        names: one a row, unique.
        images: float32 [N, 3, H, W] in [-1, 1], before inversion, by rows.
        latents: their codes (inverted).
        factors: the exact value of every factor, int64 [N, F]; None where the domain does not know.
    """

    names: tuple[str, ...]
    images: Pictures
    latents: Latents
    factors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: slice) -> Sources:
        factors = None if self.factors is None else self.factors[rows]
        return Sources(self.names[rows], self.images[rows], self.latents[rows], factors)


@dataclass(frozen=True)
class Judges:
    """The networks that score. None of them is used by any editor: while one works they raise (``eval.domains.guard``).

    Attributes:
        attributes: images [N, 3, H, W] in [-1, 1] -> logits float32 [N, V] of every factor.
        sigma: standard deviation of the attribute logits over real images, one float32 [V] a factor.
        clip: the judge CLIP.
        identity: images -> unit float32 [N, E].
        identity_floor: mean cosine of two different persons.
        identity_ceiling: mean cosine of two pictures of the same person.
        frechet: images -> float32 [N, D], features for the Fréchet distance.
        frechet_name: ``fid`` for Inception, otherwise ``fd_<domain>``.
        fingerprints: network -> sha256 of its weights.
        accuracy: factor -> share of held-out images of which the attribute judge reads the value that is there; a run
            whose images are read much worse is refused. Empty where that was not measured.
        protocols: network, as named in ``fingerprints``, or ``region`` -> how its numbers come to be, for the recipe
            ids; empty for the ways of the domain ``avatars``.
        same_person: cosine of identity from which two pictures show one person; None where that was not measured.
        attributes_of_clip: of an attribute judge that only reads the judge CLIP's features: these [N, E] -> the same
            logits, so that the CLIP sees every edit once; None of any other.
        second: a second attribute judge, of another architecture and other pictures: images -> bool [N, V] of
            every factor, the values that it accepts; none of a spoiled picture. None where there is no such judge.
        second_counts: success needs the second judge's yes; otherwise its verdict is only shown beside the others'.
        counterfactual_counts: success needs the counterfactual's yes (``eval.metrics.nearest``), in place of realism's.
        realism: images -> float32 [N], how far from real pictures each lies: at most 1 is real, as nearly all unseen
            real pictures are. None where there is no such judge.
        samples: attribute, value -> float32 [M, D], what ``frechet`` says of real pictures that show the value; None
            where no such pictures are known.
        clip_and_second: of a second judge that looks through the judge CLIP's image tower: images -> what the CLIP and
            what ``second`` says of them, so that the tower sees every edit once; None of any other.
        frechet_and_realism: likewise for what ``frechet`` and ``realism`` say, where both look through one network.
    """

    attributes: Callable[[Tensor], Mapping[str, Tensor]]
    sigma: Mapping[str, Tensor]
    clip: Clip
    identity: Callable[[Tensor], Tensor]
    identity_floor: float
    identity_ceiling: float
    frechet: Callable[[Tensor], Tensor]
    frechet_name: str
    fingerprints: Mapping[str, str]
    accuracy: Mapping[str, float] = field(default_factory=dict)
    protocols: Mapping[str, str] = field(default_factory=dict)
    same_person: float | None = None
    attributes_of_clip: Callable[[Tensor], Mapping[str, Tensor]] | None = None
    second: Callable[[Tensor], Mapping[str, Tensor]] | None = None
    second_counts: bool = False
    counterfactual_counts: bool = False
    realism: Callable[[Tensor], Tensor] | None = None
    samples: Callable[[str, str], Tensor] | None = None
    clip_and_second: Callable[[Tensor], tuple[Tensor, Mapping[str, Tensor]]] | None = None
    frechet_and_realism: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None

    def __post_init__(self) -> None:
        separate = ("attributes", "identity", "frechet", "second", "realism")
        for name in (*separate, "clip_and_second", "frechet_and_realism"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, guarded(getattr(self, name), name))
        protect(self.clip, "clip")


class Domain(Protocol):
    """What the harness needs of a domain."""

    name: str

    @property
    def factors(self) -> Mapping[str, tuple[str, ...]]:
        """Factor -> its values, in the order of the judge's logits."""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The default prompt set."""

    @property
    def editing(self) -> EditingDomain:
        """What editors see."""

    @property
    def judges(self) -> Judges:
        """What scores."""

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """Every weight file of the domain -> sha256."""

    def test_sources(self, count: int) -> Sources:
        """The first ``count`` images of the test set, inverted."""

    def calibration_sources(self, count: int) -> Sources:
        """The first ``count`` images of the calibration set, inverted; disjoint from the test set."""

    def counterfactuals(self, sources: str, count: int, prompt: Prompt) -> Tensor | None:
        """The counterfactuals, exactly right pictures, of the first ``count`` images of ``test`` or ``calibration``.

        Returns:
            float32 [count, 3, H, W] in [-1, 1]; None where the domain does not know them.
        """

    def visible(self, sources: str, count: int, prompt: Prompt) -> np.ndarray | None:
        """Which factors can be seen both before and after the counterfactual: bool [count, F]."""

    def region(self, sources: str, count: int, prompt: Prompt) -> np.ndarray:
        """The pixels that the prompt may change: bool [H, W], or [count, H, W] where each image has its own."""
