"""What can be seen on a face, the words for it, and captions whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOUNS = ("face", "person", "portrait", "head")
ADULTS, CHILDREN = ("woman", "man"), ("girl", "boy")

# attribute -> (words where it is absent, words where it is there); the first are those that prompts use.
PHRASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "glasses": (("no glasses",), ("glasses", "eyeglasses", "spectacles")),
    "beard": (("no beard", "clean-shaven chin"), ("beard", "facial hair")),
    "hat": (("no hat",), ("hat", "cap")),
    "bangs": (("uncovered forehead",), ("bangs", "fringe")),
    "black_hair": ((), ("black hair",)),
    "brown_hair": ((), ("brown hair",)),
    "blond_hair": ((), ("blond hair", "blonde hair", "fair hair")),
    "grey_hair": ((), ("grey hair", "gray hair", "white hair")),
    "bald": ((), ("bald head", "receding hairline")),
    "long_hair": (("short hair",), ("long hair",)),
    "curly_hair": (("straight hair",), ("curly hair", "wavy hair", "curls")),
    "smile": (("serious expression",), ("smile", "happy expression")),
    "open_mouth": (("closed mouth",), ("open mouth",)),
    "lipstick": ((), ("lipstick", "makeup")),
    "earrings": ((), ("earrings",)),
    "male": ((), ()),
    "child": ((), ()),
    "old": ((), ()),
}
# Words before the noun: (attribute, value) -> words.
ADJECTIVES: dict[tuple[str, int], tuple[str, ...]] = {
    ("smile", 1): ("smiling", "happy"),
    ("smile", 0): ("serious",),
    ("old", 1): ("old", "elderly"),
    ("old", 0): ("young",),
    ("bald", 1): ("bald",),
    ("beard", 1): ("bearded",),
    ("blond_hair", 1): ("blond",),
    ("male", 1): ("male",),
    ("male", 0): ("female",),
    ("child", 0): ("adult",),
    ("child", 1): ("child",),
}
ATTRIBUTES = tuple(PHRASES)
MALE, CHILD = ATTRIBUTES.index("male"), ATTRIBUTES.index("child")


@dataclass(frozen=True)
class Captions:
    """Texts and what they claim.

    Attributes:
        texts: T captions.
        claims: int64 [T, A], 1 and 0 where the caption says that an attribute is there or absent, -1 where nothing.
    """

    texts: tuple[str, ...]
    claims: np.ndarray


def compose(claim: np.ndarray, rng: np.random.Generator, templates: Sequence[str] = ()) -> tuple[str, np.ndarray]:
    """One caption for a row of claims [A], and what it really claims: what has no words is left out."""
    said = np.full(len(ATTRIBUTES), -1)
    before: list[str] = []
    after: list[str] = []
    noun = NOUNS[0] if rng.random() < 0.6 else NOUNS[int(rng.integers(len(NOUNS)))]
    if claim[MALE] >= 0 and claim[CHILD] >= 0 and rng.random() < 0.7:
        noun = (CHILDREN if claim[CHILD] else ADULTS)[claim[MALE]]
        said[MALE], said[CHILD] = claim[MALE], claim[CHILD]
    for number in rng.permutation(np.flatnonzero(claim >= 0)):
        name, value = ATTRIBUTES[number], int(claim[number])
        adjectives, words = ADJECTIVES.get((name, value), ()), PHRASES[name][value]
        if said[number] >= 0 or not (adjectives or words):
            continue
        if adjectives and len(before) < 2 and (not words or rng.random() < 0.4):
            before.append(_choose(adjectives, rng))
        elif words:
            after.append(_choose(words, rng))
        else:
            continue
        said[number] = value
    listed = " and ".join(filter(None, (", ".join(after[:-1]), after[-1]))) if after else ""
    text = " ".join([*before, noun]) + (f" with {listed}" if after else "")
    if templates and len(after) <= 3 and rng.random() < 0.5:
        text = templates[int(rng.integers(len(templates)))].format(text)
    return text, said


def _choose(words: Sequence[str], rng: np.random.Generator) -> str:
    """The first word in half of the cases, otherwise any."""
    return words[0] if rng.random() < 0.5 else words[int(rng.integers(len(words)))]


def caption_batch(
    values: np.ndarray, general: int, rng: np.random.Generator, templates: Sequence[str] = ()
) -> Captions:
    """Captions for a batch of faces.

    Args:
        values: int64 [N, A], 1 there, 0 absent, -1 not known.
        general: how many captions of one or two random claims follow those of the faces.
        rng: draws what is said and in which words.
        templates: sentences with ``{}``, into which half of the short captions are put.

    Returns:
        N captions of 1 to 6 attributes that the face has, then the general ones.
    """
    width = values.shape[1]
    rows = []
    for row in values:
        sure = np.flatnonzero(row >= 0)
        # What is there is said more often than what is not.
        weight = np.where(row[sure] == 1, 1.0, 0.3)
        size = min(len(sure), int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.25, 0.25, 0.2, 0.12, 0.1, 0.08])))
        claim = np.full(width, -1)
        chosen = rng.choice(sure, size, replace=False, p=weight / weight.sum())
        claim[chosen] = row[chosen]
        if claim[MALE] >= 0:  # so that the noun can be said: man or boy, woman or girl
            claim[CHILD] = row[CHILD]
        rows.append(claim)
    for _ in range(general):
        claim = np.full(width, -1)
        chosen = rng.choice(width, int(rng.choice([0, 1, 2], p=[0.05, 0.7, 0.25])), replace=False)
        claim[chosen] = rng.random(len(chosen)) < 0.75
        rows.append(claim)
    made = [compose(claim, rng, templates) for claim in rows]
    return Captions(tuple(text for text, _ in made), np.stack([said for _, said in made]))


def truth(values: np.ndarray, claims: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which captions are true, and which are false, of which faces; those that nobody can decide are neither.

    Args:
        values: int64 [N, A], -1 where not known.
        claims: int64 [T, A], -1 where nothing is claimed.

    Returns:
        true and false, each bool [N, T].
    """
    silent, known = claims[None] < 0, values[:, None] >= 0
    agrees = values[:, None] == claims[None]
    return (silent | (agrees & known)).all(2), (~silent & ~agrees & known).any(2)


def corpus(templates: Sequence[str]) -> list[str]:
    """Every phrase, noun and template as often as it weighs in the vocabulary."""
    phrases = [word for pair in PHRASES.values() for words in pair for word in words]
    adjectives = [word for words in ADJECTIVES.values() for word in words]
    nouns = [*NOUNS, *ADULTS, *CHILDREN]
    return [
        *phrases * 40,
        *adjectives * 40,
        *nouns * 100,
        *("with and",) * 200,
        *(t.replace("{}", " ") for t in templates),
    ]


def known_words(templates: Sequence[str]) -> frozenset[str]:
    """The words that captions are made of, in lower case: what a CLIP trained on them can have learnt."""
    return frozenset(word for text in corpus(templates) for word in _words(text))


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalpha() else " " for letter in text.lower()).split()
