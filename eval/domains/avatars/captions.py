"""Captions of avatars, whether they are true of a portrait, and the small vocabulary they are spelt in."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from eval.domains.avatars.factors import FACTOR_NAMES, FACTORS, VALUES, Portraits

CONTEXT_LENGTH = 32  # tokens of the longest text
NOUNS = ("face", "person", "portrait", "avatar", "cartoon")
MERGES = 700  # enough that every word of captions and templates is one or two tokens


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


def learn_merges(texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """Byte-pair merges (Sennrich et al. 2016) over lower-case words, the most frequent pair first; ties by spelling."""
    words = Counter(word for text in texts for word in "".join(c if c.isalpha() else " " for c in text.lower()).split())
    spelt = {word: (*word[:-1], word[-1] + "</w>") for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in spelt.items():
            for pair in zip(symbols, symbols[1:], strict=False):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelt = {word: _merged(symbols, best) for word, symbols in spelt.items()}
    return merges


def _merged(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for symbol in symbols:
        if out and (out[-1], symbol) == pair:
            out[-1] = out[-1] + symbol
        else:
            out.append(symbol)
    return tuple(out)


def save_merges(path: Path, templates: Sequence[str]) -> None:
    """Learn the vocabulary from all phrases, nouns and templates and write it as ``SimpleTokenizer`` reads it."""
    phrases = [words for values in FACTORS.values() for names in values.values() for words in names]
    corpus = [*phrases * 40, *NOUNS * 200, *("with and",) * 200, *(text.replace("{}", " ") for text in templates)]
    lines = ["#version: avatars", *(" ".join(pair) for pair in learn_merges(corpus, MERGES))]
    with gzip.GzipFile(filename="", mode="wb", fileobj=open(path, "wb"), mtime=0) as file:
        file.write("\n".join(lines).encode())


def tokenizer(merges: Path) -> Callable[[list[str]], Tensor]:
    """Texts -> int64 [N, 32], by ``open_clip``'s own tokenizer with this domain's merges."""
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(str(merges), context_length=CONTEXT_LENGTH)  # type: ignore[no-any-return]
