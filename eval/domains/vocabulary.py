"""The small vocabulary that a domain's captions are spelt in, and open_clip's tokenizer for it."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor

from eval.errors import UsageError

CONTEXT_LENGTH = 32  # tokens of the longest text
MERGES = 700  # enough that every word of captions and templates is one or two tokens


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


def save_merges(path: Path, domain: str, corpus: Iterable[str]) -> None:
    """Learn the vocabulary of a domain's texts and write it as ``SimpleTokenizer`` reads it."""
    lines = [f"#version: {domain}", *(" ".join(pair) for pair in learn_merges(corpus, MERGES))]
    with gzip.GzipFile(filename="", mode="wb", fileobj=open(path, "wb"), mtime=0) as file:
        file.write("\n".join(lines).encode())


def tokenizer(merges: Path) -> Callable[[list[str]], Tensor]:
    """Texts -> int64 [N, 32], by ``open_clip``'s own tokenizer with a domain's merges.

    Raises:
        UsageError: the file is missing or damaged (gzip keeps a sum of what is in it).
    """
    from open_clip.tokenizer import SimpleTokenizer

    try:
        with gzip.open(merges) as file:
            file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{merges} is missing or damaged ({error}); install the package again.") from None
    return SimpleTokenizer(str(merges), context_length=CONTEXT_LENGTH)  # type: ignore[no-any-return]
