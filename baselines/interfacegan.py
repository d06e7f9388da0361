"""InterFaceGAN (Shen et al., CVPR 2020, arXiv 1907.10786; extended 2005.09635): one hyperplane an attribute.

A **supervised reference**, not a text-driven editor: it learns from attribute labels of sampled codes, which the
text-driven editors do not have, and of a prompt it reads the attribute and the value, not the text.

    n_v = the unit normal of a linear classifier "has the value v" on codes              (sections 2.2, 3.1)
    n   = n_v - A A⁺ n_v, to unit length; the columns of A: normals of other attributes  (section 2.3, conditional)
    w'  = w + strength · α(w) · n           α(w) = max(0, goal - ⟨n, w⟩)

The paper's α is a number that the user turns. Ours is chosen for each image, so that strength 1 means the same for
every prompt and generator: ``goal`` is the mean of ⟨n, w⟩ over the labelled images that have the value, plus ``reach``
standard deviations. Who has the value already moves little.

Codes are standardised (each number minus its mean, by its standard deviation), classifiers are L2 logistic regressions
where the paper has linear support vector machines, and every row of W+ takes the same step.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.objectives import gradients
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain, LabelledCodes, TextPrompt
from deltaedit.tools.parameters import check, keyed, number, parameter, positive, true_or_false

FEWEST = 10  # labelled images with the value, and without it, that a classifier is fitted to
STEPS = 200  # of LBFGS; it stops before, at the tolerance
IMPLIED_REST = 0.75  # largest share of an implied value among the images that do not have the prompt's value


class AttributePrompt(TextPrompt, Protocol):
    """What this editor reads of a prompt."""

    @property
    def attribute(self) -> str:
        """For example ``accessories``."""

    @property
    def value(self) -> str:
        """For example ``glasses``."""


@dataclass(frozen=True)
class Way:
    """Where a prompt leads.

    Attributes:
        normal: float32 [D], n, of unit length, for standardised codes.
        goal: ⟨n, w⟩ that strength 1 leads to.
    """

    normal: Tensor
    goal: float


@dataclass(eq=False)
class InterFaceGAN:
    """A supervised reference: moves codes along the normal of an attribute's hyperplane.

    It learns from attribute labels of sampled codes, which text-driven editors do not have, and reads a prompt's
    attribute and value instead of its text. Domains without labels cannot use it.
    """

    name: ClassVar[str] = "interfacegan"
    space: ClassVar[str] = "W+"
    knob: ClassVar[str] = "w + strength · α(w) · n"
    paper: ClassVar[str] = "Shen et al., InterFaceGAN, CVPR 2020, arXiv 1907.10786; supervised reference: uses labels"

    l2: float = parameter(
        0.1, positive(), "weight of half the squared normal in a classifier's loss, beside the mean cross-entropy", "l2"
    )
    reach: float = parameter(
        1.0, number(), "where strength 1 leads, in standard deviations beyond the mean of the images with the value"
    )
    conditional: bool = parameter(True, true_or_false(), "project the directions of the other attributes out")
    implied: float = parameter(
        0.95,
        number(0, 1),
        "another attribute is not projected out if this share of the images with the prompt's value have one value of "
        "it, and at most 0.75 of the others: a beard implies a man",
    )

    def prepare(self, domain: EditingDomain) -> None:
        """Find the normals of all values among the artefacts, or fit the classifiers.

        Raises:
            ValueError: a hyper-parameter that is not allowed, or a domain without labels.
        """
        check(self)
        if domain.labelled is None:
            raise ValueError(
                f"{self.name} is a supervised reference and learns from labelled codes, which the domain "
                f"'{domain.name}' does not have; it cannot be used there."
            )
        with gradients():
            self._labelled = domain.labelled()
            w = self._labelled.w.detach().clone().cpu().double()
            spread = w.std(0)
            self._mean, self._std = w.mean(0), spread.clamp(min=1e-6 * float(spread.max()))
            self._z = (w - self._mean) / self._std
        self._domain = domain
        self._values = [pair for pair in _pairs(self._labelled) if self._is_learnable(*pair)]
        key = {"domain": domain.fingerprint, "labels": _fingerprint(self._labelled), **keyed(self)}
        artefact = domain.artefacts.get(self.name, key, lambda: {"normals": self._normals()})
        self._normal = dict(zip(self._values, artefact.tensors["normals"].double(), strict=True))
        self._ways: dict[tuple[str, str], Way] = {}

    def fit(self, prompt: AttributePrompt) -> None:
        """Project the other attributes out of the normal of the prompt's value, and find the goal.

        Raises:
            ValueError: the prompt asks for an attribute or a value of which the domain has too few labels.
        """
        wanted = prompt.attribute, prompt.value
        if wanted not in self._normal:
            asked = f"{prompt.attribute} '{prompt.value}'" if prompt.attribute else "no attribute at all"
            same = [f"{attribute} '{value}'" for attribute, value in self._normal if attribute == prompt.attribute]
            known = same or list(dict.fromkeys(attribute for attribute, _ in self._normal)) or ["nothing"]
            raise ValueError(
                f"{self.name} follows labels and no text: the prompt '{prompt.name}' asks for {asked}, but the domain "
                f"'{self._domain.name}' has {FEWEST} labelled images with and without it only of {', '.join(known)}."
            )
        normal = self._normal[wanted]
        others = self._conditions(*wanted) if self.conditional else []
        if others:
            plane = torch.stack([self._normal[other] for other in others], 1)
            # Least squares are the projection on the plane also where attributes always come together.
            normal = (
                normal - plane @ torch.linalg.lstsq(plane, normal[:, None], rcond=1e-6, driver="gelsd").solution[:, 0]
            )
        normal = F.normalize(normal, dim=0)
        has, _ = self._sides(*wanted)
        along = self._z[has] @ normal
        goal = float(along.mean() + self.reach * along.std())
        self._ways[wanted] = Way(normal.float().to(self._domain.device), goal)

    def edit(self, latents: Latents, prompt: AttributePrompt, strength: float) -> Latents:
        """Codes w + strength · α(w) · n, the same step in every row."""
        if strength == 0:
            return latents
        way, like = self._ways[prompt.attribute, prompt.value], latents.w_plus
        mean, std = self._mean.to(like), self._std.to(like)
        with torch.no_grad():
            along = ((like.mean(1) - mean) / std) @ way.normal
            step = (way.goal - along).clamp(min=0)[:, None] * (way.normal * std)
            return latents.moved(self._domain.synthesis, strength * step[:, None].expand_as(like))

    def _conditions(self, attribute: str, value: str) -> list[tuple[str, str]]:
        """Values whose normals are projected out.

        Of each attribute that the wanted value does not imply, all but the first: the first is where no other is.
        """
        free = [
            name for name in self._labelled.values if name != attribute and not self._implies(attribute, value, name)
        ]
        return [
            (name, other) for name in free for other in self._labelled.values[name][1:] if (name, other) in self._normal
        ]

    def _implies(self, attribute: str, value: str, other: str) -> bool:
        """Whether images with the value nearly all have one value of another attribute, and the rest do not."""
        found = self._labelled.labels[other].cpu()
        sides = [found[side & (found >= 0)] for side in self._sides(attribute, value)]
        if min(map(len, sides)) < FEWEST:
            return False
        usual = sides[0].mode().values
        with_it, without = (float((side == usual).double().mean()) for side in sides)
        return with_it >= self.implied and without <= IMPLIED_REST

    def _sides(self, attribute: str, value: str) -> tuple[Tensor, Tensor]:
        """Which labelled images have a value, and which have another one: bool [N] each."""
        found = self._labelled.labels[attribute].cpu()
        index = self._labelled.values[attribute].index(value)
        return found == index, (found >= 0) & (found != index)

    def _is_learnable(self, attribute: str, value: str) -> bool:
        return min(int(side.sum()) for side in self._sides(attribute, value)) >= FEWEST

    def _normals(self) -> Tensor:
        """Unit normals of all values that can be learnt: float32 [K, D]."""
        with gradients():
            rows = [_normal(self._z, *self._sides(*pair), self.l2) for pair in self._values]
        return F.normalize(torch.stack(rows), dim=1).float() if rows else self._z.new_zeros(0, self._z.shape[1]).float()


def _pairs(labelled: LabelledCodes) -> list[tuple[str, str]]:
    """Every attribute with each of its values."""
    return [(attribute, value) for attribute, values in labelled.values.items() for value in values]


def _fingerprint(labelled: LabelledCodes) -> str:
    """sha256 of labels and values; the codes belong to the domain's networks."""
    digest = hashlib.sha256()
    for attribute, values in labelled.values.items():
        digest.update(repr((attribute, values)).encode())
        digest.update(labelled.labels[attribute].cpu().numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def _normal(z: Tensor, has: Tensor, rest: Tensor, l2: float) -> Tensor:
    """Weights of a logistic regression between two sets of codes, each of which weighs a half: float64 [D].

    Args:
        z: float64 [N, D], standardised codes.
        has: bool [N], codes with the value.
        rest: bool [N], codes with another one.
        l2: weight of half the squared weights.
    """
    weights = z.new_zeros(z.shape[1]).requires_grad_()
    bias = z.new_zeros(()).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights, bias], max_iter=STEPS, tolerance_grad=1e-8, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )
    inside, outside = z[has], z[rest]

    def loss() -> Tensor:
        optimizer.zero_grad()
        wrong = F.softplus(-(inside @ weights + bias)).mean() + F.softplus(outside @ weights + bias).mean()
        total = wrong / 2 + l2 / 2 * weights.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return weights.detach()
