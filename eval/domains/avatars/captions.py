"""Captions of avatars, whether they are true of a portrait, and the small vocabulary they are spelt in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.domains.avatars.factors import FACTOR_NAMES, FACTORS, VALUES, Portraits

NOUNS = ("face", "person", "portrait", "avatar", "cartoon")


@dataclass(frozen=True)
class Captions:
    """Texts and what they claim.

    Attributes:
        texts: T captions.
        claims: int64 [T, F], the value that the caption claims for each factor, -1 where it says nothing.
    """

    texts: tuple[str, ...]
    claims: np.ndarray


def phrase(factor: str, value: str, rng: np.random.Generator | None = None) -> str:
    """Words for a value: the canonical ones; with ``rng`` those in half of the cases, else a synonym."""
    names = FACTORS[factor][value]
    if rng is None or rng.random() < 0.5:
        return names[0]
    return names[int(rng.integers(len(names)))]


def compose(claim: np.ndarray, rng: np.random.Generator, templates: Sequence[str] = ()) -> str:
    """One caption for a row of claims, attributes in random order; a third of them in one of the templates."""
    parts = [phrase(factor, VALUES[factor][claim[i]], rng) for i, factor in enumerate(FACTOR_NAMES) if claim[i] >= 0]
    parts = [parts[i] for i in rng.permutation(len(parts))]
    noun = "face" if rng.random() < 0.6 else NOUNS[int(rng.integers(len(NOUNS)))]
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""
    text = f"{noun} with {listed}" if parts else noun
    if templates and len(parts) <= 3 and rng.random() < 0.5:
        text = templates[int(rng.integers(len(templates)))].format(text)
    return text


def caption_batch(people: Portraits, general: int, rng: np.random.Generator, templates: Sequence[str] = ()) -> Captions:
    """One caption of 1 to 6 visible attributes for each portrait, then ``general`` ones of 0 to 2 random attributes."""
    count, width = people.values.shape
    kept = rng.permuted(np.tile(np.arange(width), (count, 1)), axis=1) < rng.choice(
        [1, 2, 3, 4, 5, 6], (count, 1), p=[0.25, 0.25, 0.2, 0.12, 0.1, 0.08]
    )
    own = np.where(kept & people.visible(), people.values, -1)
    free = np.full((general, width), -1)
    sizes = np.array([len(VALUES[factor]) for factor in FACTOR_NAMES])
    said = rng.choice([0, 1, 2], general, p=[0.05, 0.7, 0.25])
    for i in range(general):
        factors = rng.choice(width, said[i], replace=False)
        free[i, factors] = rng.integers(0, sizes[factors])
    claims = np.concatenate([own, free])
    return Captions(tuple(compose(claim, rng, templates) for claim in claims), claims)


def truth(people: Portraits, claims: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which captions are true, and which are false, of which portraits.

    A caption whose claims are contradicted by nothing visible, but partly about something hidden, is neither.

    Args:
        claims: int64 [T, F].

    Returns:
        true and false, each bool [N, T].
    """
    values, visible = people.values[:, None], people.visible()[:, None]
    silent = claims[None] < 0
    agrees = values == claims[None]
    return (silent | (agrees & visible)).all(2), (~silent & ~agrees & visible).any(2)


def corpus(templates: Sequence[str]) -> list[str]:
    """Every phrase, noun and template as often as it weighs in the vocabulary."""
    phrases = [words for values in FACTORS.values() for names in values.values() for words in names]
    return [*phrases * 40, *NOUNS * 200, *("with and",) * 200, *(text.replace("{}", " ") for text in templates)]
