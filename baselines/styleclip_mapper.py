"""StyleCLIP's latent mapper (Patashnik et al., ICCV 2021, arXiv 2103.17249, section 5): one small network per prompt.

    w' = w + strength · 0.1 · M_t(w),      M_t(w) = (M_c(w_coarse), M_m(w_medium), M_f(w_fine))

each M a PixelNorm and four fully connected layers, trained for the text t on many codes w with

    1.0 (1 - cos(G(w'), t))  +  0.1 (1 - ⟨R(G(w')), R(G(w))⟩)  +  0.8 MSE(w', w)

Variants: ``w+`` (the levels above), ``single`` (one M for all rows of W+), ``s`` (one M per convolution, on its styles;
the ToRGB styles stay).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from baselines.mapper_networks import LevelsMapper, SingleMapper, StyleMapper, level_starts
from baselines.objectives import clip_distance, gradients, identity_distance, needed_identity, preset_name
from baselines.ranger import Ranger
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain, TextPrompt
from deltaedit.tools.parameters import (
    Rule,
    any_seed,
    check,
    keyed,
    number,
    of_preset,
    one_of,
    parameter,
    positive,
    require,
    settled,
    true_or_false,
    whole,
)
from deltaedit.tools.precision import autocast

logger = logging.getLogger(__name__)
STEP = 0.1  # share of M that is added at strength 1
DRAW_BATCH = 16  # pictures at a time where codes are drawn
VALIDATION_IMAGES = 200


@dataclass(frozen=True)
class Training:
    """How a mapper is trained."""

    steps: int = parameter(MISSING, whole(), "steps of the optimizer")
    batch: int = parameter(MISSING, whole(), "codes in a step")
    optimizer: str = parameter(MISSING, one_of(("ranger", "adam")), "what takes the steps")
    learning_rate: float = parameter(
        MISSING, positive(), "learning rate at the start; every layer multiplies it by 0.01, so 0.5 is 0.005 in effect"
    )
    schedule: str = parameter(MISSING, one_of(("constant", "cosine")), "cosine: down to 0 at the last step")
    images: int = parameter(MISSING, whole(), "codes to learn from")
    validate_every: int = parameter(
        MISSING, whole(0), "steps between two validations, whose best weights are kept; 0 keeps the last weights"
    )
    precision: str = parameter(
        MISSING,
        one_of(("float32", "bfloat16")),
        "precision of generator, CLIP and identity network; bfloat16 only where the hardware has it",
    )
    normalise: str = parameter(
        MISSING,
        one_of(("rows", "channels")),
        "PixelNorm over the rows of a level as released, or the channels of a row",
    )
    lambda_l2: float = parameter(
        MISSING, number(0), "weight of the mean squared offset (in S: the sum of the convolutions' means, as released)"
    )


# "small" is ours: the published training takes 10 hours on a GPU; a 64 px generator with a small CLIP needs far less.
# Sampled codes have the same w in every row. A norm over the rows, as released, leaves only the signs of such codes.
# An offset's square weighs less where codes spread wider: e4e's codes of FFHQ have a variance of 0.13 per number, those
# of `avatars` 0.47, so 0.8 there is 0.8 · 0.13 / 0.47 = 0.2 here.
# "short" is ours, too, for processors that take a second a picture: two minutes a text on `faces` (docs/editors.md).
PRESETS = {
    "published": Training(50_000, 2, "ranger", 0.5, "constant", 5_000, 2_000, "float32", "rows", 0.8),
    "small": Training(400, 16, "adam", 0.5, "cosine", 2_048, 0, "bfloat16", "channels", 0.2),
    "short": Training(60, 4, "adam", 0.5, "cosine", 200, 0, "float32", "channels", 3.0),
}


@dataclass(eq=False)
class StyleClipMapper:
    """Trains one small network per prompt that moves W+ (or S).

    Attributes:
        training: how mappers are trained here; after ``prepare``.
    """

    name: ClassVar[str] = "styleclip-mapper"
    space: ClassVar[str] = "W+"  # S in the variant "s"
    knob: ClassVar[str] = "w + strength · 0.1 · M(w)"
    paper: ClassVar[str] = "Patashnik et al., StyleCLIP (latent mapper), ICCV 2021, arXiv 2103.17249"

    variant: Literal["w+", "single", "s"] = parameter(
        "w+",
        one_of(("w+", "single", "s")),
        "w+: a mapper for each level; single: one for all rows; s: styles",
        "variant",
    )
    no_fine: bool = parameter(
        False, true_or_false(), "leave the fine level as it is, for prompts that should not change colours"
    )
    no_fine_prompts: str = parameter(
        "", Rule("a text", lambda got: isinstance(got, str)), "names of prompts to do that for, joined by +"
    )
    lambda_clip: float = parameter(1.0, number(0), "weight of the CLIP term", "lambda_clip")
    lambda_id: float = parameter(0.1, number(0), "weight of the identity term", "lambda_id")
    preset: Literal["auto", "published", "small", "short"] = parameter(
        "auto",
        one_of(("auto", *PRESETS)),
        "auto: published for generators from 256 px up, small below, short for `faces`",
    )
    steps: int | None = of_preset(Training, "steps")
    batch: int | None = of_preset(Training, "batch")
    optimizer: Literal["ranger", "adam"] | None = of_preset(Training, "optimizer")
    learning_rate: float | None = of_preset(Training, "learning_rate")
    schedule: Literal["constant", "cosine"] | None = of_preset(Training, "schedule")
    images: int | None = of_preset(Training, "images")
    precision: Literal["float32", "bfloat16"] | None = of_preset(Training, "precision")
    normalise: Literal["rows", "channels"] | None = of_preset(Training, "normalise")
    lambda_l2: float | None = of_preset(Training, "lambda_l2")
    training_seed: int = parameter(
        0,
        any_seed(),
        "seed of the first weights, the codes and their order; a run's other seeds share the trained mappers",
        "seed",
    )

    def prepare(self, domain: EditingDomain) -> None:
        """Settle how mappers are trained here.

        Raises:
            ValueError: a hyper-parameter that is not allowed, or an identity term in a domain without identity network.
        """
        check(self)
        large = "short" if domain.costly_pictures else "published"
        self.training = settled(self, PRESETS[preset_name(self.preset, domain.synthesis, large, "small")])
        require(self.training.images >= self.training.batch, self.training, "images", "at least the batch")
        self._identity = needed_identity(domain, self.name, self.lambda_id)
        self._domain = domain
        self._codes: tuple[Latents, Tensor] | None = None
        self._mappers: dict[tuple[str, str], nn.Module] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Get the mapper of the prompt, from the domain's artefacts or by training it."""
        fine = not (self.no_fine or prompt.name in self.no_fine_prompts.split("+"))
        key: dict[str, object] = {"domain": self._domain.fingerprint, "text": prompt.target, "fine": fine}
        key |= keyed(self) | asdict(self.training)
        mapper = self._network(fine)
        artefact = self._domain.artefacts.get(self.name, key, lambda: self._train(mapper, prompt.target))
        mapper.load_state_dict(artefact.tensors)
        self._mappers[prompt.name, prompt.target] = mapper.eval().requires_grad_(False)

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Codes w + strength · 0.1 · M_t(w)."""
        if strength == 0:
            return latents
        with torch.no_grad():
            return self._moved(self._mappers[prompt.name, prompt.target], latents, strength)

    def _network(self, fine: bool) -> nn.Module:
        """An untrained mapper, the same for the same seed."""
        synthesis, over_rows = self._domain.synthesis, self.training.normalise == "rows"
        starts = level_starts(synthesis)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.training_seed)
            if self.variant == "s":
                mapper: nn.Module = StyleMapper(synthesis, synthesis.latents if fine else starts[1])
            elif self.variant == "single":
                mapper = SingleMapper(synthesis.w_dim, over_rows)
            else:
                mapper = LevelsMapper(synthesis.w_dim, over_rows, starts, fine)
        return mapper.to(self._domain.device)

    def _moved(self, mapper: nn.Module, latents: Latents, strength: float) -> Latents:
        if self.variant == "s":
            return latents.with_s(latents.s + strength * STEP * mapper(latents.s))
        w_plus = latents.w_plus + strength * STEP * mapper(latents.w_plus)
        return Latents.from_w_plus(self._domain.synthesis, w_plus)

    def loss(self, mapper: nn.Module, latents: Latents, sources: Tensor, text: Tensor) -> Tensor:
        """The objective, averaged over the batch.

        Args:
            mapper: under training.
            latents: N codes.
            sources: float32 [N, E], identity features of their pictures; not used without identity term.
            text: float32 [E], unit norm.
        """
        moved = self._moved(mapper, latents, 1.0)
        if self.variant == "s":
            squares = (moved.s - latents.s).square()
            l2 = torch.stack([squares[:, at.start : at.stop].mean() for at in self._domain.synthesis.layout]).sum()
        else:
            l2 = (moved.w_plus - latents.w_plus).square().mean()
        half = self.training.precision == "bfloat16"
        with autocast(self._domain.device, half):
            images = self._domain.images(moved)
            features = self._domain.clip.encode_images(images)
            identity = None if self._identity is None else self._identity(images)
        loss = self.lambda_clip * clip_distance(features, text).mean() + self.training.lambda_l2 * l2
        if identity is not None:
            loss = loss + self.lambda_id * identity_distance(identity, sources).mean()
        return loss

    def _train(self, mapper: nn.Module, text: str) -> dict[str, Tensor]:
        """Weights of the mapper, trained."""
        training, parameters = self.training, list(mapper.parameters())
        make = Ranger if training.optimizer == "ranger" else torch.optim.Adam
        optimizer = make(parameters, lr=training.learning_rate)
        best, kept = math.inf, _weights(mapper)
        with gradients():
            latents, sources = self._training_codes()
            feature = self._domain.clip.encode_texts([text])[0]
            for step, rows in zip(range(1, training.steps + 1), self._batches(), strict=False):
                for group in optimizer.param_groups:
                    group["lr"] = self._rate(step - 1)
                loss = self.loss(mapper, latents[rows], sources[rows], feature)
                for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                    parameter.grad = gradient
                optimizer.step()
                if training.validate_every and step % training.validate_every == 0:
                    score = self._held_out_loss(mapper, feature)
                    best, kept = min((best, kept), (score, _weights(mapper)), key=lambda pair: pair[0])
                    logger.info("%s '%s': step %d of %d, loss %.4f", self.name, text, step, training.steps, score)
        return kept if best < math.inf else _weights(mapper)

    def _rate(self, step: int) -> float:
        share = step / self.training.steps if self.training.schedule == "cosine" else 0.0
        return self.training.learning_rate * (0.5 + 0.5 * math.cos(math.pi * share))

    def _batches(self) -> Iterator[Tensor]:
        """Rows of the training codes, endless; shuffled anew each epoch, incomplete batches dropped, as released."""
        generator = torch.Generator().manual_seed(self.training_seed)
        count, batch = self.training.images, self.training.batch
        while True:
            yield from torch.randperm(count, generator=generator)[: count - count % batch].split(batch)

    @torch.no_grad()
    def _held_out_loss(self, mapper: nn.Module, text: Tensor) -> float:
        """Mean loss over codes that are not trained on."""
        latents, sources = self._draw(VALIDATION_IMAGES, self.training_seed + 1)
        blocks = [slice(at, at + DRAW_BATCH) for at in range(0, VALIDATION_IMAGES, DRAW_BATCH)]
        losses = [float(self.loss(mapper, latents[rows], sources[rows], text)) * len(latents[rows]) for rows in blocks]
        return sum(losses) / VALIDATION_IMAGES

    def _training_codes(self) -> tuple[Latents, Tensor]:
        """Codes to train on and the identity features of their pictures, the same for every prompt."""
        if self._codes is None:
            self._codes = self._draw(self.training.images, self.training_seed)
        return self._codes

    @torch.no_grad()
    def _draw(self, count: int, seed: int) -> tuple[Latents, Tensor]:
        """Random codes; half of them the encoder's codes of the samples' pictures, if there is an encoder.

        The paper trains on codes of inverted photographs, since such codes are edited. Editors here are given no
        photographs, so the inverted pictures are the generator's.
        """
        domain = self._domain
        w_plus = domain.sample(count, seed).w_plus.clone()
        features = []
        for start in range(0, count, DRAW_BATCH):
            rows = slice(start, start + DRAW_BATCH)
            if domain.encoder is not None and (start // DRAW_BATCH) % 2 == 0:
                w_plus[rows] = domain.encoder(domain.synthesis(w_plus[rows]))
            if self._identity is not None:
                features.append(self._identity(domain.synthesis(w_plus[rows])).float())
        sources = torch.cat(features) if features else w_plus.new_zeros(count, 1)
        return Latents.from_w_plus(domain.synthesis, w_plus), sources


def _weights(mapper: nn.Module) -> dict[str, Tensor]:
    """In half precision: half the file, and offsets move by a thousandth of themselves at most."""
    return {name: value.detach().cpu().half() for name, value in mapper.state_dict().items()}
