"""The embedded domain, ready to use: shipped networks, prompts, test portraits and their exact counterfactuals."""

from __future__ import annotations

import hashlib
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain, LabelledCodes, TrainingSet
from eval.domains.avatars import datasets
from eval.domains.avatars.captions import phrase
from eval.domains.avatars.factors import VALUES, Portraits, column, sample_portraits, value_index
from eval.domains.avatars.networks import WEIGHTS, AvatarEncoder, AvatarGenerator, to_float
from eval.domains.avatars.renderer import render
from eval.domains.avatars.weights_io import JUDGE_NETWORKS, Weights
from eval.domains.base import Judges, Sources
from eval.domains.counts import check_count
from eval.domains.measured import same_person_cosine
from eval.folders import cache_folder
from eval.prompts import Prompt, load_prompts

if TYPE_CHECKING:
    from eval.domains.base import Domain

EDITING_NETWORKS = ("generator", "encoder", "editing-clip", "editing-identity", "perceptual")
PROMPTS_FILE = Path(__file__).with_name("prompts.toml")
BATCH = 64
TRAINING_IMAGES = 10_000  # of each kind, inverted and sampled: what the Delta Mapper learns from
LABELLED_PORTRAITS, LABELLED_SEED = 5_000, 900_000  # what supervised references learn from; in no other set
KEPT_COUNTERFACTUALS = 32  # sets in memory, 2.5 MB each for 200 images: test and calibration, a factor with all values
REGION_PORTRAITS = 48  # rendered with and without the change to find its region


class AvatarsDomain:
    """The domain ``avatars``. See ``eval.domains.base.Domain`` for what each member is.

    Args:
        weights: the shipped networks.
        device: where they go.
        precision: of edits and of the pictures of edits.
    """

    name = "avatars"
    factors = VALUES

    def __init__(self, weights: Weights, device: torch.device | str = "cpu", precision: str = "float32") -> None:
        self._weights = weights
        self.device, self.precision = torch.device(device), precision
        self.prompts = load_prompts(PROMPTS_FILE)
        self._counterfactuals = lru_cache(KEPT_COUNTERFACTUALS)(self._render_counterfactuals)
        self._originals = lru_cache(3)(self._render_originals)
        self._regions = cache(self._find_region)  # one a value of a factor

    @property
    def fingerprints(self) -> dict[str, str]:
        """Weight file -> sha256."""
        return self._weights.fingerprints()

    @property
    def shipped(self) -> tuple[str, ...]:
        """The networks that come with this package."""
        return tuple(self.fingerprints)

    def value_text(self, factor: str, value: str) -> str:
        """How a caption says that a factor has a value, for zero-shot reading by a CLIP."""
        return f"face with {phrase(factor, value)}"

    def card(self, network: str) -> dict[str, Any]:
        """What is known of one of the networks: recipe, time, measurements."""
        return self._weights.read(network)[1]

    @cached_property
    def generator(self) -> AvatarGenerator:
        """Codes -> image."""
        return self._weights.generator().to(self.device)

    @cached_property
    def encoder(self) -> AvatarEncoder:
        """Image -> W+."""
        return self._weights.encoder().to(self.device)

    @cached_property
    def editing(self) -> EditingDomain:
        """What editors see."""
        return EditingDomain(
            name=self.name,
            synthesis=self.generator.synthesis,
            encoder=self.encoder,
            clip=self._weights.clip("editing-clip").to(self.device),
            sample=self.sample,
            training_set=self.training_set,
            artefacts=Artefacts(cache_folder() / "artefacts", WEIGHTS / "artefacts", device=self.device),
            fingerprint=_joint_fingerprint(self.fingerprints, EDITING_NETWORKS),
            device=self.device,
            precision=self.precision,
            identity=self._weights.identity("editing-identity")[0].to(self.device),
            perceptual=self._weights.features("perceptual").to(self.device).trunk.features,
            labelled=self.labelled,
        )

    @cached_property
    def judges(self) -> Judges:
        """What scores."""
        attributes, sigma = self._weights.attribute_judge()
        identity, floor, ceiling = self._weights.identity("identity")
        features = self._weights.features("frechet-features").to(self.device)
        clip = self._weights.clip("judge-clip").to(self.device)
        second, realism = self._weights.second_judge().to(self.device), self._weights.realism().to(self.device)
        return Judges(
            attributes=attributes.to(self.device),
            sigma=sigma,
            clip=clip,
            identity=identity.to(self.device),
            identity_floor=floor,
            identity_ceiling=ceiling,
            frechet=features.features,
            frechet_name="fd_avatars",
            fingerprints={name: self.fingerprints[name] for name in JUDGE_NETWORKS},
            accuracy=_accuracy(self.card("attribute-judge")),
            same_person=same_person_cosine(self.name, self.fingerprints),
            second=second.accepts,
            counterfactual_counts=True,
            realism=realism,
            clip_and_second=partial(second.with_features, clip),
            frechet_and_realism=realism.with_features,
        )

    @property
    def test_images(self) -> int:
        """How many test portraits there are."""
        return datasets.SPLITS["test"].count

    def test_sources(self, count: int) -> Sources:
        """The first ``count`` test portraits, inverted.

        Raises:
            UsageError: there are fewer.
        """
        check_count(self.name, self.test_images, count)
        return self._sources("test", count)

    def calibration_sources(self, count: int) -> Sources:
        """The first ``count`` calibration portraits (at most 200), inverted."""
        return self._sources("calibration", count)

    def counterfactuals(self, sources: str, count: int, prompt: Prompt) -> Tensor:
        """Renders of the same persons with what the prompt asks for: float32 [count, 3, 64, 64] in [-1, 1]."""
        return to_float(self._counterfactuals(sources, count, prompt.attribute, prompt.value))

    def visible(self, sources: str, count: int, prompt: Prompt) -> np.ndarray:
        """Factors that can be seen before and after the counterfactual: bool [count, F]."""
        people = datasets.portraits(sources, count)
        seen: np.ndarray = people.visible() & people.changed({prompt.attribute: prompt.value}).visible()
        return seen

    def invert(self, images: Tensor) -> Latents:
        """Codes of images float32 [N, 3, 64, 64] in [-1, 1], by the encoder."""
        with torch.inference_mode():
            blocks = (block.to(self.device) for block in images.split(BATCH))
            parts = [Latents.from_w_plus(self.generator.synthesis, self.encoder(block)) for block in blocks]
        return Latents.cat(parts)

    def sample(self, count: int, seed: int) -> Latents:
        """Latents of persons drawn from the training prior."""
        return self.encode_exactly(sample_portraits(count, 1_000_000 + seed))

    def encode_exactly(self, people: Portraits) -> Latents:
        """The generator's own codes of portraits: what a perfect encoder would find."""
        with torch.inference_mode():
            w_plus = self.generator.w_plus(torch.from_numpy(people.codes()).to(self.device))
            return Latents.from_w_plus(self.generator.synthesis, w_plus)

    def training_set(self) -> TrainingSet:
        """Styles and CLIP features of inverted training renders and of sampled persons, half and half."""
        inverted = self.invert(to_float(datasets.renders("train")[:TRAINING_IMAGES]))
        latents = Latents.cat([inverted, self.sample(TRAINING_IMAGES, 0)])
        with torch.inference_mode():
            blocks = range(0, len(latents), BATCH)
            features = [self.editing.image_features(latents[start : start + BATCH]) for start in blocks]
        origin = ("inverted",) * TRAINING_IMAGES + ("sampled",) * TRAINING_IMAGES
        return TrainingSet(latents.s.clone(), torch.cat(features).clone(), origin, latents.w_plus.clone())

    def labelled(self) -> LabelledCodes:
        """Codes of persons drawn from the training prior with the values of their factors, where these can be seen."""
        people = sample_portraits(LABELLED_PORTRAITS, LABELLED_SEED)
        labels = torch.from_numpy(np.where(people.visible(), people.values, -1))
        w = self.encode_exactly(people).w_plus[:, 0].clone()  # the same in every row
        return LabelledCodes(w, dict(zip(VALUES, labels.unbind(1), strict=True)), VALUES)

    def _sources(self, split: str, count: int) -> Sources:
        people = datasets.portraits(split, count)
        images = to_float(self._originals(split, count))
        names = tuple(f"{split}-{number:04d}" for number in range(len(people)))
        return Sources(names, images, self.invert(images), people.values)

    def _render_originals(self, split: str, count: int) -> np.ndarray:
        return render(datasets.portraits(split, count))

    def _render_counterfactuals(self, split: str, count: int, attribute: str, value: str) -> np.ndarray:
        """uint8 [count, 64, 64, 3]; who has the value already is not rendered again."""
        people, pictures = datasets.portraits(split, count), self._originals(split, count).copy()
        others = np.flatnonzero(people.values[:, column(attribute)] != value_index(attribute, value))
        pictures[others] = render(people[others].changed({attribute: value}))
        return pictures

    def region(self, sources: str, count: int, prompt: Prompt) -> np.ndarray:
        """Pixels that change for anybody when the attribute becomes what is asked, and a rim of 1: bool [64, 64]."""
        return self._regions(prompt.attribute, prompt.value)

    def _find_region(self, attribute: str, value: str) -> np.ndarray:
        people = datasets.portraits("calibration", REGION_PORTRAITS)
        after = render(people.changed({attribute: value})).astype(int)
        changed = (np.abs(after - self._originals("calibration", REGION_PORTRAITS)).max(-1) > 8).any(0)
        grown = np.pad(changed, 1)
        grown[1:-1, 1:-1] |= changed
        for axis in (0, 1):
            grown = grown | np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
        region: np.ndarray = grown[1:-1, 1:-1]
        return region


def _accuracy(card: dict[str, Any]) -> dict[str, float]:
    """Factor -> accuracy on held-out renders, of a network's card."""
    measured = {name.rpartition(": ")[2]: value for name, value in card["measured"].items()}
    return {factor: float(measured[factor]) for factor in VALUES if factor in measured}


def _joint_fingerprint(fingerprints: dict[str, str], names: tuple[str, ...]) -> str:
    return hashlib.sha256("".join(fingerprints[name] for name in names).encode()).hexdigest()


def load(weights: Path = WEIGHTS, device: torch.device | str = "cpu", precision: str = "float32") -> Domain:
    """The domain from a folder of weight files.

    Raises:
        UsageError: a file is missing or damaged.
    """
    return AvatarsDomain(Weights(weights), device, precision)
