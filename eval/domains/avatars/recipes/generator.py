"""The generator: factor codes -> picture, by regression on renders, then with an adversary on codes between persons.

Regression alone gives crisp faces at the codes of renders (L1 and perceptual loss). The second phase keeps that loss
and adds a non-saturating adversarial loss with R1 on codes that no render has: interpolated factors, styles mixed
between layers. It is what makes the space between portraits look like portraits, so that editors may walk there.

After these two phases hair and skin colours were found to live in the ToRGB styles, where no editor in S reaches: even
the exact change of the convolutions' styles gave red hair to nobody. So the ToRGB styles are then fixed at their mean,
and both phases are run once more, shorter, for the convolutions to take the colours over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.layers import EqualLinear
from deltaedit.tools.precision import autocast
from eval.domains.avatars import datasets
from eval.domains.avatars.factors import FACTOR_NAMES, GEOMETRY, VALUES
from eval.domains.avatars.networks import AttributeNetwork, AvatarGenerator, to_float
from eval.domains.avatars.recipes.attributes import train_attributes
from eval.domains.recipes.training import Report, print_report, schedule, train


@dataclass(frozen=True)
class GeneratorRecipe:
    """Hyper-parameters of all phases."""

    seed: int = 111
    batch: int = 16
    learning_rate: float = 6e-3  # anything from 3e-3 to 2e-2 works
    regression_steps: int = 7000
    adversarial_steps: int = 2400  # of one cycle of the learning rate
    adversarial_cycles: int = 2
    fixed_rgb_regression_steps: int = 3000
    fixed_rgb_adversarial_steps: int = 1200
    fixed_rgb_learning_rate: float = 4e-3
    adversarial_learning_rate: float = 1e-3
    adversarial_weight: float = 0.02  # against an L1 of about 0.03
    r1_weight: float = 1.0
    r1_every: int = 16
    perceptual_weight: float = 0.1
    sparsity: float = 0.002  # each style channel should answer to few factors, as channels of real StyleGANs do


RECIPE = GeneratorRecipe()


def _face_weights() -> Tensor:
    """Pixel weights [1, 1, 64, 64] of mean 1: eyes, nose and mouth are small but are what prompts ask for."""
    weights = torch.ones(1, 1, 64, 64)
    weights[..., 18:52, 14:50] = 3.0
    return weights / weights.mean()


class ReconstructionLoss(nn.Module):
    """Weighted L1 plus the relative squared distance of the perceptual network's maps."""

    def __init__(self, perceptual: AttributeNetwork, weight: float) -> None:
        super().__init__()
        self.trunk = perceptual.trunk.eval().requires_grad_(False)
        self.weight = weight
        self.register_buffer("pixels", _face_weights(), persistent=False)

    def forward(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images [N, 3, 64, 64] in [-1, 1] -> loss, plain L1, perceptual distance."""
        difference = (image.float() - target).abs()
        distance = torch.zeros(())
        with torch.no_grad():
            wanted = self.trunk.features(target.contiguous(memory_format=torch.channels_last))
        got = self.trunk.features(image.contiguous(memory_format=torch.channels_last))
        for a, b in zip(got, wanted, strict=True):
            a, b = a.float(), b.float()
            distance = distance + ((a - b).square().sum((1, 2, 3)) / (b.square().sum((1, 2, 3)) + 1e-8)).mean()
        return (difference * self.pixels).mean() + self.weight * distance, difference.mean(), distance  # type: ignore[operator]


def channel_sparsity(generator: AvatarGenerator) -> Tensor:
    """Mean over style channels of Σ over factors ‖∂s_c / ∂factor‖: small when every channel serves few factors."""
    embedding = generator.mapping.linear
    basis = embedding.weight * embedding.scale
    rows = [layer.affine.weight * layer.affine.scale @ basis for layer in generator.synthesis.convs]  # type: ignore[union-attr, operator]
    sizes = [len(VALUES[factor]) for factor in FACTOR_NAMES] + [1] * len(GEOMETRY)
    return torch.stack([block.norm(dim=1) for block in torch.cat(rows).split(sizes, 1)]).sum(0).mean()


class Discriminator(nn.Module):
    """Residual-free StyleGAN2-like discriminator with minibatch statistics, 64 px."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96, 128)) -> None:
        super().__init__()
        convs = [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip((3, *widths), widths, strict=False)]
        self.convs = nn.ModuleList(convs)
        self.last = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.out1 = EqualLinear(widths[-1] * 16, 128, activate=True)
        self.out2 = EqualLinear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image [N, 3, 64, 64] -> logit [N]; higher is more like a render."""
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        spread = (
            x.float().view(-1, min(4, len(x)), *x.shape[1:]).var(1, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))
        )
        spread = spread.repeat_interleave(min(4, len(x)))[:, None, None, None].expand(-1, 1, 4, 4)
        x = F.leaky_relu(self.last(torch.cat([x, spread.to(x.dtype)], 1)), 0.2)
        return self.out2(self.out1(x.flatten(1)).float())[:, 0]  # type: ignore[no-any-return]


def mixed_w_plus(generator: AvatarGenerator, codes: Tensor, rng: np.random.Generator) -> Tensor:
    """W+ between two persons: each factor interpolated on its own; in half of the batch later layers are another's."""
    other = codes[torch.from_numpy(rng.permutation(len(codes)))]
    sizes = [len(VALUES[factor]) for factor in FACTOR_NAMES] + [1] * len(GEOMETRY)
    share = rng.beta(0.7, 0.7, (len(codes), len(sizes))).astype(np.float32)
    share[rng.random(share.shape) < 0.5] = 0.0
    weights = torch.from_numpy(np.repeat(share, sizes, axis=1))
    w = generator.mapping(codes + weights * (other - codes))
    w_other = generator.mapping(other)
    layers = generator.synthesis.latents
    crossing = torch.from_numpy(rng.integers(1, 2 * layers, len(codes)))
    own = (torch.arange(layers)[None] < crossing[:, None])[:, :, None]
    return torch.where(own, w[:, None], w_other[:, None])


def fix_rgb(generator: AvatarGenerator, codes: Tensor) -> None:
    """Fix the ToRGB styles at their mean over portraits of ``codes``, for good."""
    with torch.no_grad():
        w = generator.mapping(codes).mean(0)
        for layer in generator.synthesis.to_rgbs:
            layer.affine.bias.copy_(layer.affine(w))  # type: ignore[union-attr, operator]
            layer.affine.weight.zero_()  # type: ignore[union-attr, operator]
            layer.affine.requires_grad_(False)  # type: ignore[union-attr]


PHASES = ("generator-regression", "generator-adversarial", "generator-fixed-rgb", "generator-final")


def _phases(recipe: GeneratorRecipe) -> list[tuple[str, int, bool]]:
    """(name, steps, with an adversary?) of the phases."""
    steps = (
        recipe.regression_steps,
        recipe.adversarial_steps * recipe.adversarial_cycles,
        recipe.fixed_rgb_regression_steps,
        recipe.fixed_rgb_adversarial_steps,
    )
    return list(zip(PHASES, steps, (False, True, False, True), strict=True))


class GeneratorTraining:
    """What all phases share: the generator, its running average, the critic, and the portraits of the training."""

    def __init__(self, perceptual: AttributeNetwork, recipe: GeneratorRecipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.generator, self.average, self.critic = AvatarGenerator(), AvatarGenerator(), Discriminator()
        self.average.load_state_dict(self.generator.state_dict())
        self.criterion = ReconstructionLoss(perceptual, recipe.perceptual_weight)
        self.people, self.pictures = datasets.portraits("train"), datasets.renders("train")
        self.codes = torch.from_numpy(self.people.codes())
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), lr=1e-3, betas=(0.0, 0.99))

    def run(self, phase: str, steps: int, critical: bool, report: Report) -> float:
        """One phase, from the averaged generator on; the seconds that it took."""
        recipe = self.recipe
        self.generator.load_state_dict(self.average.state_dict())
        if phase == "generator-fixed-rgb":
            fix_rgb(self.generator, self.codes)
            fix_rgb(self.average, self.codes)
        networks = (self.generator.synthesis, self.generator.mapping)
        groups = [{"params": list(network.parameters())} for network in networks]
        self.adam = torch.optim.Adam(groups, lr=recipe.learning_rate, betas=(0.9, 0.99))
        modules: dict[str, nn.Module] = {"generator": self.generator, "average": self.average}
        optimizers: dict[str, torch.optim.Optimizer] = {"adam": self.adam}
        if critical:
            modules["critic"], optimizers["critic"] = self.critic, self.critic_adam
            cycle = steps if "final" in phase else recipe.adversarial_steps
            step = partial(self.adversarial_step, cycle)
        else:
            peak = recipe.learning_rate if phase == PHASES[0] else recipe.fixed_rgb_learning_rate
            step = partial(self.regression_step, steps, peak)
        return train(phase, modules, optimizers, step, steps, recipe.seed + PHASES.index(phase), report)

    def regression_step(self, steps: int, peak: float, number: int, rng: np.random.Generator) -> dict[str, float]:
        """One step of a regression of ``steps`` whose largest learning rate is ``peak``."""
        self._set_rate(schedule(number, steps, peak, warmup=100, final=0.05))
        loss, losses = self._reconstruction(*self._draw(rng))
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self._follow(min(0.998, number / (number + 10)))
        return losses

    def adversarial_step(self, cycle: int, number: int, rng: np.random.Generator) -> dict[str, float]:
        """One step with an adversary; the learning rate starts anew after every ``cycle`` steps."""
        self._set_rate(schedule(number % cycle, cycle, self.recipe.adversarial_learning_rate, warmup=100))
        batch, target = self._draw(rng)
        with autocast(torch.device("cpu"), True):
            fake = self.generator.synthesis(mixed_w_plus(self.generator, batch, rng))
        self.critic.requires_grad_(False)
        with autocast(torch.device("cpu"), True):
            fooled = F.softplus(-self.critic(fake)).mean()
        loss, losses = self._reconstruction(batch, target)
        self.adam.zero_grad()
        (loss + self.recipe.adversarial_weight * fooled).backward()
        self.adam.step()
        self._follow(0.998)
        self.critic.requires_grad_(True)
        verdict = self._teach_critic(number, fake.detach(), target)
        return {**losses, "fooled": float(fooled.detach()), "critic": verdict}

    def _teach_critic(self, number: int, fake: Tensor, target: Tensor) -> float:
        lazy = number % self.recipe.r1_every == 0
        real = target.requires_grad_(lazy)
        with autocast(torch.device("cpu"), not lazy):
            real_logit = self.critic(real)
            verdict = F.softplus(self.critic(fake.float())).mean() + F.softplus(-real_logit).mean()
        if lazy:
            (slope,) = torch.autograd.grad(real_logit.sum(), real, create_graph=True)
            penalty = slope.square().sum((1, 2, 3)).mean()
            verdict = verdict + self.recipe.r1_weight / 2 * self.recipe.r1_every * penalty
        self.critic_adam.zero_grad()
        verdict.backward()
        self.critic_adam.step()
        return float(verdict.detach())

    def _reconstruction(self, batch: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
        with autocast(torch.device("cpu"), True):
            loss, l1, distance = self.criterion(self.generator(batch), target)
        sparsity = channel_sparsity(self.generator)
        parts = {"l1": l1, "perceptual": distance, "sparsity": sparsity}
        return loss + self.recipe.sparsity * sparsity, {name: float(part.detach()) for name, part in parts.items()}

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows = np.sort(rng.integers(0, len(self.people), self.recipe.batch))
        return self.codes[rows], to_float(self.pictures[rows])

    def _set_rate(self, rate: float) -> None:
        synthesis, mapping = self.adam.param_groups
        synthesis["lr"], mapping["lr"] = rate, rate * 0.5

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for slow, fast in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)


def train_generator(report: Report = print_report, recipe: GeneratorRecipe = RECIPE) -> tuple[AvatarGenerator, float]:
    """All phases; returns the averaged generator in eval mode and the seconds they took."""
    perceptual, _ = train_attributes("perceptual", report)
    training = GeneratorTraining(perceptual, recipe)
    seconds = sum(training.run(*phase, report) for phase in _phases(recipe))
    return training.average.eval(), seconds
