"""The domain `faces`: photoreal people who do not exist, edited offline, judged by networks of photographs."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip, imagenet_templates
from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain, LabelledCodes, TrainingSet
from deltaedit.tools.files import keep_sealed, read_kept
from eval.domains.base import Judges, Sources
from eval.domains.counts import check_count
from eval.domains.faces.captions import known_words
from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.judges import IDENTITY_FILES, JUDGE_FILES, JUDGE_NETWORKS, LANDMARKS_FILE, TRUNK_FILE, judges_of
from eval.domains.faces.labelled import read, values_of
from eval.domains.faces.networks import (
    CONFIGURATIONS,
    FACTORS,
    MERGES_FILE,
    TEXT_PART,
    WEIGHTS,
    DlibIdentity,
    build_clip,
    efficientnet,
)
from eval.domains.faces.photograph import CodeEncoder, Photograph, take
from eval.domains.faces.regions import find_landmarks, region_of
from eval.domains.shipped_weights import ShippedWeights
from eval.domains.vocabulary import tokenizer
from eval.folders import cache_folder
from eval.pixels import ReadPictures
from eval.prompts import Prompt, load_prompts
from eval.weights.catalogue import sha256
from eval.weights.packages import require

if TYPE_CHECKING:
    from eval.domains.base import Domain

NORMAL_TENSORS = torch.inference_mode(False)  # networks may be asked for within inference mode; editors need gradients
GENERATOR_FILES = ("MappingNetwork.xml", "MappingNetwork.bin", "SynthesisNetwork.xml", "SynthesisNetwork.bin")
TRAINING_SEED, TRAINING_SAMPLES = 10_000, 8_800  # what the Delta Mapper learns from
ABLATION_SAMPLES = 1_600  # in ablations: a picture takes a third of a second
RELEVANCE_IMAGES = 2  # R_s is averaged over
SAMPLE_SEED = 3_000_000  # of ``sample``: beyond all that anything was trained, labelled or tested on


class FacesDomain:
    """The domain ``faces``. See ``eval.domains.base.Domain`` for what each member is.

    Args:
        weights: folder of the shipped networks.
        device: where they go; dlib's network of identity works on the CPU.
        precision: of edits and of the pictures of edits.

    Raises:
        UsageError: later, where a file of the packages is missing.
    """

    name = "faces"
    factors = FACTORS

    def __init__(self, weights: Path = WEIGHTS, device: torch.device | str = "cpu", precision: str = "float32") -> None:
        self.device, self.precision = torch.device(device), precision
        self._weights = ShippedWeights(self.name, weights, JUDGE_FILES)
        self.prompts = load_prompts(Path(__file__).with_name("prompts.toml"))
        self._landmarks = cache(self._find_landmarks)

    @cached_property
    def _sources(self) -> dict[str, list[int]]:
        """Set -> the seeds of its images."""
        return tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Every weight file -> sha256."""
        packages = require((*GENERATOR_FILES, TRUNK_FILE, *IDENTITY_FILES))
        generator = hashlib.sha256("".join(sha256(packages[name]) for name in GENERATOR_FILES).encode()).hexdigest()
        return {
            **self._weights.fingerprints(),
            "generator": generator,
            "frechet-features": sha256(packages[TRUNK_FILE]),
            "identity": sha256(packages[IDENTITY_FILES[0]]),
        }

    @property
    def shipped(self) -> tuple[str, ...]:
        """The networks that come with this package."""
        return tuple(self._weights.fingerprints())

    def card(self, network: str) -> dict[str, Any]:
        """What is known of one of the shipped networks: recipe, time, measurements."""
        return self._weights.read(network)[1]

    @cached_property
    @NORMAL_TENSORS
    def generator(self) -> FaceGenerator:
        """Seeds to codes to pictures."""
        return FaceGenerator(self.device)

    @NORMAL_TENSORS
    def _clip(self, network: str) -> Clip:
        model = build_clip(CONFIGURATIONS[network])
        tensors, _ = self._weights.read(network)
        if network in JUDGE_NETWORKS:  # its trunk is the package's
            trunk = efficientnet(require([TRUNK_FILE])[TRUNK_FILE]).state_dict()
            mine = model.visual.trunk.state_dict()  # type: ignore[union-attr, operator]
            tensors |= {f"visual.trunk.{name}": trunk[name] for name in mine}
        self._weights.fill(network, model, tensors)
        return self.around(network, model).to(self.device)

    @staticmethod
    def around(network: str, model: nn.Module) -> Clip:
        """The editing or judge CLIP around a model, with the size and range of pictures that it was trained on."""
        side = int(CONFIGURATIONS[network]["vision_cfg"]["image_size"])
        statistics: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
        if network in JUDGE_NETWORKS:
            statistics = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
        return Clip(model, tokenizer(MERGES_FILE), side, **statistics, words=known_words(imagenet_templates()))

    @cached_property
    def editing(self) -> EditingDomain:
        """What editors see."""
        return self._editing(self._clip("editing-clip"))

    def _editing(self, clip: Clip, marks: str = "") -> EditingDomain:
        joint = "".join(self.fingerprints[name] for name in ("generator", "editing-clip")) + marks
        return EditingDomain(
            name=self.name,
            synthesis=self.generator.synthesis,
            encoder=None,
            clip=clip,
            sample=self.sample,
            training_set=partial(self.training_set, clip),
            artefacts=Artefacts(cache_folder() / "artefacts", self._weights.folder / "artefacts", device=self.device),
            fingerprint=hashlib.sha256(joint.encode()).hexdigest(),
            device=self.device,
            precision=self.precision,
            identity=partial(_person, clip),
            costly_pictures=True,
            relevance_by_derivative=RELEVANCE_IMAGES,
            labelled=self.labelled,
            variants={
                f"{ABLATION_SAMPLES} samples": lambda: self._fewer_samples(self.editing),
                f"captions only, {ABLATION_SAMPLES} samples": lambda: self._fewer_samples(self._captions_only()),
            },
        )

    def _fewer_samples(self, editing: EditingDomain) -> EditingDomain:
        made = partial(self.training_set, editing.clip, ABLATION_SAMPLES)
        return replace(editing, training_set=made, training_key={"samples": ABLATION_SAMPLES})

    def _captions_only(self) -> EditingDomain:
        """With an editing CLIP that knows of a picture what captions say, and not who is to be seen."""
        clip = self._clip("editing-clip")
        with torch.no_grad():
            for tensor in clip.model.visual.head.proj.parameters():
                tensor[TEXT_PART:] = 0
        return self._editing(clip, "captions only")

    @NORMAL_TENSORS
    def photograph(self, path: Path) -> Photograph:
        """A photograph of one's own, inverted.

        Raises:
            UsageError: it cannot be read, or does not show exactly one face from the front, large enough.
        """
        files = require(IDENTITY_FILES)
        identity = DlibIdentity(*(files[name] for name in IDENTITY_FILES))
        tensors, _ = self._weights.read("encoder")
        trunk = self.editing.clip.model.visual.trunk
        encoder = CodeEncoder(trunk, tensors["weight"].shape[1], self.generator.synthesis.latents)
        encoder.head.load_state_dict(tensors)
        self._weights.freeze("encoder", encoder)
        return take(path, self.generator, encoder.to(self.device), identity)

    @cached_property
    @NORMAL_TENSORS
    def judges(self) -> Judges:
        """What scores."""
        return judges_of(self._weights, self._clip("judge-clip"), self.fingerprints, self.device)

    @property
    def test_images(self) -> int:
        """How many test faces there are."""
        return len(self._sources["test"])

    def test_sources(self, count: int) -> Sources:
        """The first ``count`` test faces; their codes are exact.

        Raises:
            UsageError: there are fewer.
        """
        check_count(self.name, self.test_images, count)
        return self._faces("test", count)

    def calibration_sources(self, count: int) -> Sources:
        """The first ``count`` calibration faces (at most 50)."""
        return self._faces("calibration", count)

    def counterfactuals(self, sources: str, count: int, prompt: Prompt) -> Tensor | None:
        """Nobody knows them of faces."""
        return None

    def visible(self, sources: str, count: int, prompt: Prompt) -> np.ndarray | None:
        """Nobody knows which factors can be seen; every one counts."""
        return None

    def region(self, sources: str, count: int, prompt: Prompt) -> np.ndarray:
        """Where each face has what the prompt is about, by its own landmarks: bool [count, 256, 256]."""
        return np.stack([region_of(prompt.attribute, points) for points in self._landmarks(sources, count)])

    def sample(self, count: int, seed: int) -> Latents:
        """Latents of random faces; other seeds give other faces than those that are trained, labelled or tested."""
        z = torch.randn(count, 512, generator=torch.Generator().manual_seed(SAMPLE_SEED + seed))
        generator = self.generator
        return generator.latents(generator.truncated(z))

    def training_set(self, clip: Clip, count: int = TRAINING_SAMPLES) -> TrainingSet:
        """Styles and CLIP features of the first ``count`` training samples."""
        w, pictures = self.generator.samples(TRAINING_SEED, count)
        latents = self.generator.latents(w)
        with torch.inference_mode():
            blocks = (to_float(block.to(self.device)) for block in pictures.split(100))
            features = [clip.encode_images(block) for block in blocks]
        origin = ("sampled",) * len(w)
        return TrainingSet(latents.s.clone(), torch.cat(features).clone(), origin, latents.w_plus.clone())

    def labelled(self) -> LabelledCodes:
        """Codes of the faces that ``labels/captions.csv`` says something of; judges are made of other labels."""
        table = read("captions")
        labels = {factor: torch.from_numpy(values_of(table, factor)) for factor in FACTORS}
        return LabelledCodes(self.generator.w(list(table.index)), labels, FACTORS)

    def _faces(self, which: str, count: int) -> Sources:
        seeds = self._sources[which][:count]
        w = self.generator.w(seeds)
        pictures = torch.from_numpy(self._pictures(which, len(seeds)))
        images = ReadPictures(len(seeds), lambda rows: to_float(pictures[rows]))
        return Sources(tuple(f"{which}-{seed}" for seed in seeds), images, self.generator.latents(w))

    def _pictures(self, which: str, count: int) -> np.ndarray:
        """Pictures of the first faces of a set: uint8 [count, 3, 256, 256]."""
        seeds = self._sources[which][:count]
        return self._kept(which, count, lambda first: self.generator.pictures(self.generator.w(seeds[first:])).numpy())

    def _find_landmarks(self, which: str, count: int) -> np.ndarray:
        """Landmarks of the first faces of a set: float32 [count, 68, 2]; faces without are told of."""

        def found(first: int) -> np.ndarray:
            import dlib

            pictures = self._pictures(which, count)[first:].transpose(0, 2, 3, 1)
            return find_landmarks(pictures, dlib.shape_predictor(str(require([LANDMARKS_FILE])[LANDMARKS_FILE])))

        points = self._kept(f"{which}-landmarks", count, found)
        none = int(np.isnan(points).any((1, 2)).sum())
        if none:
            print(f"No landmarks in {none} of {count} {which} faces: their regions are fixed boxes.", file=sys.stderr)
        return points

    def _kept(self, name: str, count: int, rest: Callable[[int], np.ndarray]) -> np.ndarray:
        """The first rows of an array of the cache folder, which grows by what ``rest`` makes from a row on."""
        path = cache_folder() / "faces" / f"{name}-{self.fingerprints['generator'][:16]}.npz"
        kept = read_kept(path, lambda path: np.asarray(np.load(path)["x"]))
        if kept is None or len(kept) < count:
            kept = rest(0) if kept is None else np.concatenate([kept, rest(len(kept))])
            whole = kept
            keep_sealed(path, lambda file: np.savez(file, x=whole))
        return kept[:count]


def _person(clip: Clip, images: Tensor) -> Tensor:
    """Who is to be seen, by the editing CLIP's half that texts do not speak of: float32 [N, 128], unit norm."""
    return F.normalize(clip.encode_images(images)[:, TEXT_PART:], dim=1)


def load(weights: Path = WEIGHTS, device: torch.device | str = "cpu", precision: str = "float32") -> Domain:
    """The domain from a folder of weight files.

    Raises:
        UsageError: a file is missing or damaged.
    """
    return FacesDomain(weights, device, precision)
