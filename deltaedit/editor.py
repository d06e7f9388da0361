"""DeltaEdit (Lyu et al., CVPR 2023, arXiv 2303.06285): text-driven editing learnt without any text.

    Δt = t(target) - t(source)                          text_delta
    Δŝ = M(s, [i ; Δt / ‖Δt‖])                          the Delta Mapper on styles s and CLIP image feature i
    Δŝ_c = 0 where |R_s[c] · Δt| < τ                    relevance_mask
    s' = s + strength · Δŝ                              strength 1 in the paper

The styles of the ToRGB layers stay those of the source. The released code does not normalise Δt where it is compared
with τ = 0.03, although R_s was made for unit directions; ``normalise_threshold_delta`` is the switch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.artefacts import Artefact
from deltaedit.backbones.synthesis import StyleLayer
from deltaedit.domain import EditingDomain, TrainingSet
from deltaedit.latents import Latents
from deltaedit.mapper import DeltaMapper, w_plus_layout
from deltaedit.parameters import is_count, is_number, require
from deltaedit.relevance import domain_relevance
from deltaedit.targets import Target, relevance_mask
from deltaedit.text import ARMS, TextPrompt, condition, direction, text_centre, text_feature
from deltaedit.train import Report, TrainMapper, forget_training, train_mapper

ORIGINS = ("both", "inverted", "sampled")
OUTPUTS = ("S", "W+")


class DeltaEdit:
    """The editor ``deltaedit``.

    Args:
        threshold: τ, the relevance below which a channel stays.
        normalise_threshold_delta: compare τ with R_s · Δt / ‖Δt‖ instead of R_s · Δt (False as released).
        arm: of the conditioning, in training and editing: ``delta`` (the paper), ``raw``, ``centred``, ``pseudo-text``.
        templates: average texts over the 79 templates.
        steps: of the mapper's training; for this and the next ten see ``deltaedit.train.TrainMapper``.
        batch: pairs a step.
        learning_rate: of Adam.
        schedule: ``constant`` or ``cosine``.
        mse_weight: of the squared error.
        cosine_weight: of 1 - cosine.
        levels: coarse, medium and fine mappers, or one for all styles.
        origin: train on ``inverted`` or ``sampled`` images or ``both``.
        training_images: how many of them, 0 for all.
        bfloat16: train in bfloat16 where the hardware has it.
        training_seed: of the training (not ``seed``: other seeds of a run share the trained mapper).
        relevance_images: images that R_s is averaged over.
        relevance_statistics: samples behind the channels' mean and standard deviation.
        output: ``S`` (the paper), or ``W+``, where R_s knows no channels and masks none.

    Attributes:
        prepare_cost_s: seconds that the mapper and R_s cost where they were computed; after ``prepare``.
        mapper: the trained mapper; after ``prepare``.
    """

    name: ClassVar[str] = "deltaedit"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "s + strength · Δŝ"
    paper: ClassVar[str] = "Lyu et al., DeltaEdit, CVPR 2023, arXiv 2303.06285"

    def __init__(
        self,
        threshold: float = 0.03,
        normalise_threshold_delta: bool = False,
        arm: str = "delta",
        templates: bool = True,
        steps: int = TrainMapper.steps,
        batch: int = TrainMapper.batch,
        learning_rate: float = TrainMapper.learning_rate,
        schedule: str = TrainMapper.schedule,
        mse_weight: float = TrainMapper.mse_weight,
        cosine_weight: float = TrainMapper.cosine_weight,
        levels: bool = TrainMapper.levels,
        origin: str = TrainMapper.origin,
        training_images: int = TrainMapper.images,
        bfloat16: bool = TrainMapper.bfloat16,
        training_seed: int = TrainMapper.seed,
        relevance_images: int = 16,
        relevance_statistics: int = 10_000,
        output: str = TrainMapper.output,
    ) -> None:
        self.threshold = threshold
        self.normalise_threshold_delta = normalise_threshold_delta
        self.arm = arm
        self.templates = templates
        self.steps = steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.mse_weight = mse_weight
        self.cosine_weight = cosine_weight
        self.levels = levels
        self.origin = origin
        self.training_images = training_images
        self.bfloat16 = bfloat16
        self.training_seed = training_seed
        self.relevance_images = relevance_images
        self.relevance_statistics = relevance_statistics
        self.output = output

    def prepare(self, domain: EditingDomain) -> None:
        """Get R_s and the trained mapper, from the domain's artefacts or by computing them.

        Raises:
            ValueError: a hyper-parameter that is not allowed.
        """
        self.validate()
        self._domain = domain
        relevance = domain_relevance(domain, self.relevance_images, self.relevance_statistics)
        trained = trained_mapper(domain, self.settings())
        self.prepare_cost_s = relevance.cost_s + trained.cost_s
        self._relevance = relevance.tensors["relevance"].to(domain.device)
        with torch.random.fork_rng(devices=[]):  # building draws weights, which are then replaced
            layout = mapper_layout(domain, self.output)
            self.mapper = DeltaMapper(layout, self._relevance.shape[1], self.levels)
        self.mapper.load_state_dict(mapper_state(trained))
        self.mapper.to(domain.device).requires_grad_(False).eval()
        self._targets: dict[tuple[str, str], Target] = {}
        self._centres: dict[str, Tensor] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Encode the texts of the prompt and find the channels that it may change."""
        self._targets[prompt.source, prompt.target] = self.text_target([prompt])

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Edited codes of a batch; strength 1 is the paper's."""
        return self.edit_towards(latents, self._targets[prompt.source, prompt.target], strength)

    def text_target(self, prompts: Sequence[TextPrompt]) -> Target:
        """Where one prompt leads, or several at once: Δt = Σ (t_target - t_source), each with its own source text.

        Raises:
            ValueError: several prompts with another arm than ``delta``: only differences add up.
        """
        require(len(prompts) == 1 or self.arm == "delta", self, "arm", "delta for several prompts at once")
        clip, patterns = self._domain.clip, None if self.templates else ("{}",)
        with torch.no_grad():
            texts = dict.fromkeys(text for prompt in prompts for text in (prompt.source, prompt.target))
            features = {text: text_feature(clip, text, patterns) for text in texts}
            delta = torch.stack([features[prompt.target] - features[prompt.source] for prompt in prompts]).sum(0)
            if self.arm == "delta":
                return self._target(F.normalize(delta, dim=0, eps=1e-5), delta)
            source, target = prompts[0].source, prompts[0].target
            if self.arm == "centred" and source not in self._centres:
                self._centres[source] = text_centre(clip, source, patterns)
            centre = self._centres.get(source, features[source])
            return self._target(direction(self.arm, features[source], features[target], centre), delta)

    def image_target(self, before: Tensor, after: Tensor) -> Target:
        """Where the difference of two reference images leads: Δi = i(after) - i(before) in the place of Δt.

        The mapper learnt from such differences, so this is what a prompt stands in for.

        Args:
            before: float [1, 3, H, W] in [-1, 1].
            after: likewise, of any size; several images of each are averaged.

        Raises:
            ValueError: another arm than ``delta``.
        """
        require(self.arm == "delta", self, "arm", "delta for the difference of two images")
        with torch.no_grad():
            first, last = (self._domain.clip.encode_images(images).mean(0) for images in (before, after))
            return self._target(F.normalize(last - first, dim=0, eps=1e-5), last - first)

    def edit_towards(self, latents: Latents, target: Target, strength: float) -> Latents:
        """Edited codes of a batch, for a target of ``text_target`` or ``image_target``."""
        with torch.inference_mode():
            return latents.moved(self._domain.synthesis, strength * self.offsets_towards(latents, target))

    def _target(self, towards: Tensor, delta: Tensor) -> Target:
        """A direction with the channels that τ lets pass for its difference Δ, which is not normalised."""
        delta = F.normalize(delta, dim=0) if self.normalise_threshold_delta else delta
        mask = relevance_mask(self._relevance, delta, self.threshold)
        if not mask.any() and self.output == "S":
            largest = float((self._relevance @ delta).abs().max())
            warnings.warn(
                f"{self.name}: threshold = {self.threshold:g} leaves no channel, so that the edit changes nothing; the "
                f"largest relevance is {largest:.3g}.",
                stacklevel=3,
            )
        if self.output == "W+":
            mask = torch.ones(self.mapper.size, dtype=torch.bool, device=mask.device)
        return Target(towards, mask)

    def offsets(self, latents: Latents, prompt: TextPrompt) -> Tensor:
        """Masked Δŝ of a batch for a fitted prompt, which every strength multiplies: see ``offsets_towards``."""
        with torch.inference_mode():
            return self.offsets_towards(latents, self._targets[prompt.source, prompt.target])

    def offsets_towards(self, latents: Latents, target: Target) -> Tensor:
        """Masked Δŝ of a batch: float32 [N, C]; with output in W+ the offset of its rows, [N, L, D]."""
        features = self._domain.image_features(latents)
        codes = latents.w_plus.flatten(1) if self.output == "W+" else latents.s
        offset: Tensor = self.mapper(codes, condition(features, target.towards)) * target.mask
        return offset.view_as(latents.w_plus) if self.output == "W+" else offset

    def settings(self) -> TrainMapper:
        """How the mapper is trained."""
        return TrainMapper(
            steps=self.steps,
            batch=self.batch,
            learning_rate=float(self.learning_rate),
            schedule=self.schedule,
            mse_weight=float(self.mse_weight),
            cosine_weight=float(self.cosine_weight),
            arm=self.arm,
            levels=self.levels,
            origin=self.origin,
            images=self.training_images,
            bfloat16=self.bfloat16,
            seed=self.training_seed,
            output=self.output,
        )

    def validate(self) -> None:
        """Raise ValueError for a hyper-parameter that is not allowed."""
        for name in ("threshold", "mse_weight", "cosine_weight"):
            require(is_number(getattr(self, name), 0), self, name, "a number, 0 or more")
        require(is_number(self.learning_rate, 1e-9), self, "learning_rate", "a number above 0")
        for name in ("steps", "batch", "relevance_images", "relevance_statistics"):
            require(is_count(getattr(self, name)), self, name, "a whole number, 1 or more")
        for name in ("training_images", "training_seed"):
            require(is_count(getattr(self, name), 0), self, name, "a whole number, 0 or more")
        for name in ("normalise_threshold_delta", "templates", "levels", "bfloat16"):
            require(isinstance(getattr(self, name), bool), self, name, "true or false")
        choices = {"arm": ARMS, "schedule": ("constant", "cosine"), "origin": ORIGINS, "output": OUTPUTS}
        for name, allowed in choices.items():
            require(getattr(self, name) in allowed, self, name, f"one of {', '.join(allowed)}")


def trained_mapper(domain: EditingDomain, settings: TrainMapper, report: Report | None = None) -> Artefact:
    """The mapper of a domain, from its artefacts or trained now on ``domain.training_set()``.

    A training that is broken off goes on where it was when it is asked for again.

    Args:
        domain: whose artefacts and training set are used.
        settings: of the training.
        report: see ``train_mapper``.

    Returns:
        the artefact ``delta-mapper``: the state dict with ``mapper.`` before every name, and ``curve`` float64 [K, 3]
        of step, training loss and validation loss.
    """
    key = mapper_key(domain, settings)
    state_file = domain.artefacts.cache / domain.artefacts.address("delta-mapper", key).replace(".safetensors", ".pt")

    def build() -> dict[str, Tensor]:
        images, layout = mapper_images(domain.training_set(), settings.output), mapper_layout(domain, settings.output)
        result = train_mapper(images, layout, settings, state_file, report, domain.device)
        weights = {f"mapper.{name}": value for name, value in result.state.items()}
        return {**weights, "curve": torch.tensor(result.curve, dtype=torch.float64)}

    artefact = domain.artefacts.get("delta-mapper", key, build)
    forget_training(state_file)
    return artefact


def mapper_key(domain: EditingDomain, settings: TrainMapper) -> dict[str, object]:
    """Everything that determines a trained mapper: the key of its artefact."""
    return {"domain": domain.fingerprint, **settings.key()}


def mapper_layout(domain: EditingDomain, output: str) -> Sequence[StyleLayer]:
    """The layers that a mapper knows: those of the styles, or the rows of W+."""
    if output == "S":
        return domain.synthesis.layout
    return w_plus_layout(*domain.sample(1, 0).w_plus.shape[1:])


def mapper_images(images: TrainingSet, output: str) -> TrainingSet:
    """The training set with the codes that a mapper of this output learns from in the place of the styles.

    Raises:
        ValueError: the domain gives no codes in W+.
    """
    if output == "S":
        return images
    if images.w_plus is None:
        raise ValueError("The 'output' parameter of DeltaEdit cannot be W+: the training set of the domain has no W+.")
    return replace(images, s=images.w_plus.flatten(1))


def mapper_state(artefact: Artefact) -> dict[str, Tensor]:
    """State dict of the mapper in an artefact of ``trained_mapper``."""
    return {k.removeprefix("mapper."): v for k, v in artefact.tensors.items() if k.startswith("mapper.")}
