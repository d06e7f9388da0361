"""DeltaEdit (Lyu et al., CVPR 2023, arXiv 2303.06285): text-driven editing learnt without any text.

    Δt = t(target) - t(source)                          text_delta
    Δŝ = M(s, [i ; Δt / ‖Δt‖])                          the Delta Mapper on styles s and CLIP image feature i
    Δŝ_c = 0 where |R_s[c] · Δt| < τ                    relevance_mask
    s' = s + strength · Δŝ                              strength 1 in the paper

The styles of the ToRGB layers stay those of the source. The released code does not normalise Δt where it is compared
with τ = 0.03, although R_s was made for unit directions; ``normalise_threshold_delta`` is the switch.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import StyleLayer
from deltaedit.mapper import DeltaMapper
from deltaedit.relevance import domain_relevance
from deltaedit.settings import Settings
from deltaedit.text import condition, direction, text_delta, text_feature
from deltaedit.tools.artefacts import Artefact
from deltaedit.tools.domain import EditingDomain, TextPrompt
from deltaedit.tools.parameters import check, require
from deltaedit.tools.state_file import forget_training
from deltaedit.train import Report, train_mapper
from deltaedit.variants import arm_direction, text_centre, w_plus_images, w_plus_layout


def relevance_mask(relevance: Tensor, delta: Tensor, threshold: float) -> Tensor:
    """Channels that an edit may change, |R_s Δt| >= τ: R_s float [C, E] of unit rows, Δt float [E] -> bool [C].

    >>> relevance_mask(torch.eye(2), torch.tensor([0.5, -0.01]), 0.03)
    tensor([ True, False])
    """
    return (relevance @ delta).abs() >= threshold


@dataclass(frozen=True)
class Target:
    """Where an edit leads, as the mapper understands it; ``DeltaEdit`` makes it of texts or of two images."""

    towards: Tensor  # float32 [E], second half of the condition
    mask: Tensor  # bool [C], channels that may change


class DeltaEdit(Settings):
    """The editor ``deltaedit``; its hyper-parameters are in ``deltaedit.settings``.

    After ``prepare`` it has the trained ``mapper``, and in ``prepare_cost_s`` the seconds that mapper and R_s cost.
    """

    name: ClassVar[str] = "deltaedit"
    space: ClassVar[str] = "S"
    knob: ClassVar[str] = "s + strength · Δŝ"
    paper: ClassVar[str] = "Lyu et al., DeltaEdit, CVPR 2023, arXiv 2303.06285"

    def prepare(self, domain: EditingDomain) -> None:
        """Get R_s and the trained mapper, from the domain's artefacts or by computing them.

        Raises:
            ValueError: a hyper-parameter that is not allowed.
        """
        check(self)
        self._domain = domain
        relevance = domain_relevance(domain, self.relevance_images, self.relevance_statistics)
        trained = trained_mapper(domain, self)
        self.prepare_cost_s = relevance.cost_s + trained.cost_s
        self._relevance = relevance.tensors["relevance"].to(domain.device)
        with torch.random.fork_rng(devices=[]):  # building draws weights, which are then replaced
            self.mapper = DeltaMapper(mapper_layout(domain, self.output), self._relevance.shape[1], self.levels)
        self.mapper.load_state_dict(mapper_state(trained))
        self.mapper.to(domain.device).requires_grad_(False).eval()
        self._targets: dict[tuple[str, str], Target] = {}
        self._centres: dict[str, Tensor] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Encode the texts of the prompt and find the channels that it may change."""
        self._targets[prompt.source, prompt.target] = self.text_target([prompt])

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Edited codes of a batch; strength 1 is the paper's."""
        return latents.moved(self._domain.synthesis, strength * self.offsets(latents, prompt))

    def offsets(self, latents: Latents, prompt: TextPrompt) -> Tensor:
        """Masked Δŝ of a batch for a fitted prompt, which every strength multiplies: see ``offsets_towards``."""
        return self.offsets_towards(latents, self._targets[prompt.source, prompt.target])

    @torch.inference_mode()
    def offsets_towards(self, latents: Latents, target: Target) -> Tensor:
        """Masked Δŝ of a batch for a target: float32 [N, C]; with output in W+ the offset of its rows, [N, L, D]."""
        codes = latents.s if self.output == "S" else latents.w_plus
        conditions = condition(self._domain.image_features(latents), target.towards)
        offset: Tensor = self.mapper(codes.flatten(1), conditions) * target.mask
        return offset.view_as(codes)

    def text_target(self, prompts: Sequence[TextPrompt]) -> Target:
        """Where one prompt leads, or several at once: Δt = Σ (t_target - t_source), each with its own source text.

        Raises:
            ValueError: several prompts with another arm than ``delta``: only differences add up.
        """
        require(len(prompts) == 1 or self.arm == "delta", self, "arm", "delta for several prompts at once")
        clip, patterns = self._domain.clip, None if self.templates else ("{}",)
        with torch.no_grad():
            delta = torch.stack([text_delta(clip, each.source, each.target, patterns) for each in prompts]).sum(0)
            if self.arm == "delta":
                return self._target(direction(delta), delta)
            source, target = prompts[0].source, prompts[0].target
            if self.arm == "centred" and source not in self._centres:
                self._centres[source] = text_centre(clip, source, patterns)
            feature = text_feature(clip, target, patterns)
            centre = self._centres.get(source, torch.zeros_like(feature))  # zeros for arms without one
            return self._target(arm_direction(self.arm, feature, centre), delta)

    def image_target(self, before: Tensor, after: Tensor) -> Target:
        """Where the difference of two reference images leads, as learnt: Δi = i(after) - i(before) for Δt.

        Images are float [K, 3, H, W] in [-1, 1] of any size; features of several are averaged.

        Raises:
            ValueError: another arm than ``delta``.
        """
        require(self.arm == "delta", self, "arm", "delta for the difference of two images")
        with torch.no_grad():
            first, last = (self._domain.clip.encode_images(images).mean(0) for images in (before, after))
            return self._target(direction(last - first), last - first)

    def _target(self, towards: Tensor, delta: Tensor) -> Target:
        """A direction with the channels that τ lets pass for its difference Δ, which is not normalised."""
        delta = F.normalize(delta, dim=0) if self.normalise_threshold_delta else delta
        mask = relevance_mask(self._relevance, delta, self.threshold)
        if self.output == "W+":
            return Target(towards, mask.new_ones(self.mapper.size))
        if not mask.any():
            largest = float((self._relevance @ delta).abs().max())
            effect = f"leaves no channel, so that the edit changes nothing; the largest relevance is {largest:.3g}."
            warnings.warn(f"{self.name}: threshold = {self.threshold:g} {effect}", stacklevel=3)
        return Target(towards, mask)


def trained_mapper(domain: EditingDomain, settings: Settings, report: Report | None = None) -> Artefact:
    """The mapper of a domain, from its artefacts or trained now; a training that was broken off goes on.

    The artefact ``delta-mapper`` holds the state dict with ``mapper.`` before every name, and ``curve`` float64 [K, 3]
    of step, training loss and validation loss. ``report``: see ``train_mapper``.
    """
    key = mapper_key(domain, settings)
    state_file = domain.artefacts.cache / domain.artefacts.address("delta-mapper", key).replace(".safetensors", ".pt")

    def build() -> dict[str, Tensor]:
        images = domain.training_set() if settings.output == "S" else w_plus_images(domain.training_set())
        layout = mapper_layout(domain, settings.output)
        result = train_mapper(images, layout, settings, state_file, report, domain.device)
        weights = {f"mapper.{name}": value for name, value in result.state.items()}
        return {**weights, "curve": torch.tensor(result.curve, dtype=torch.float64)}

    artefact = domain.artefacts.get("delta-mapper", key, build)
    forget_training(state_file)
    return artefact


def mapper_key(domain: EditingDomain, settings: Settings) -> dict[str, object]:
    """Everything that determines a trained mapper: the key of its artefact."""
    return {"domain": domain.fingerprint, **domain.training_key, **settings.training_key()}


def mapper_layout(domain: EditingDomain, output: str) -> Sequence[StyleLayer]:
    """The layers that a mapper knows: those of the styles, or the rows of W+."""
    return domain.synthesis.layout if output == "S" else w_plus_layout(*domain.sample(1, 0).w_plus.shape[1:])


def mapper_state(artefact: Artefact) -> dict[str, Tensor]:
    """State dict of the mapper in an artefact of ``trained_mapper``."""
    return {k.removeprefix("mapper."): v for k, v in artefact.tensors.items() if k.startswith("mapper.")}
