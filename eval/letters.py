"""Letters of every script in pictures and figures: from a font that has them, or as code points; never empty boxes."""

from __future__ import annotations

import unicodedata
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILY = "DejaVu Sans"  # comes with matplotlib: the same on every machine; Latin, Greek, Cyrillic, some symbols
BOXES = "Last Resort"  # fonts, one of them matplotlib's, that have a box for everything
UNSEEN = ("Cc", "Cf", "Mn", "Zs", "Zl", "Zp")  # categories of Unicode that leave no box: marks, joiners, spaces


def lacking(text: str) -> str:
    """The letters of a text that ``FAMILY`` does not have, each once, in order.

    >>> lacking("Brücke 戴戴 ok")
    '戴'
    """
    if text.isascii():
        return ""
    known = _letters(str(_file(FAMILY)))
    return "".join(sorted({x for x in text if ord(x) not in known and unicodedata.category(x) not in UNSEEN}))


@cache
def families(letters: str) -> tuple[str, ...]:
    """Families of fonts on this machine that have letters which ``FAMILY`` lacks; the one with the most of them first.

    Letters that no font has are left: see ``drawable``.
    """
    from matplotlib.font_manager import fontManager

    wanted, chosen = set(map(ord, letters)), []
    if not wanted:
        return ()
    found = {entry.name: entry.fname for entry in fontManager.ttflist if entry.style == "normal"}
    found = {name: path for name, path in found.items() if not name.startswith(BOXES)}
    has = {name: wanted & _letters(str(path)) for name, path in sorted(found.items())}
    while wanted and has:
        best = max(has, key=lambda name: len(has[name] & wanted))
        if not has[best] & wanted:
            break
        chosen.append(best)
        wanted -= has[best]
    return tuple(chosen)


def drawable(text: str, font: Path | None = None) -> str:
    r"""The text with the code points of letters that no font of this machine has, or that ``font`` has not.

    >>> drawable("Brücke"), drawable("a\U000F0000")
    ('Brücke', 'a[U+F0000]')
    """
    missing = lacking(text)
    fonts = [_file(family) for family in families(missing)] if font is None else [font]
    lost = set(missing) - {chr(code) for path in fonts for code in _letters(str(path))}
    return "".join(f"[U+{ord(letter):04X}]" if letter in lost else letter for letter in text)


def draw_letters(figure: Figure) -> None:
    """Give every text of a figure the fonts that it needs; call it before the figure is saved."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if missing := lacking(text.get_text()):
            text.set_text(drawable(text.get_text()))
            text.set_fontfamily([FAMILY, *families(missing)])


def tell_lost(texts: str) -> None:
    """Warn, once for all, of letters that no font of this machine has."""
    lost = "".join(letter for letter in lacking(texts) if drawable(letter) != letter)
    if lost:
        warnings.warn(
            f"No font of this machine has {lost[:20]}{'…' if len(lost) > 20 else ''}: figures show [U+…] instead; "
            "install one that has, for example Noto Sans CJK, and give `deltabench report` again.",
            stacklevel=2,
        )


def font_file(text: str) -> Path:
    """The file of one font for a whole text: ``FAMILY``, or the first that has all that ``FAMILY`` lacks."""
    missing = lacking(drawable(text))
    for family in families(missing):
        if {ord(letter) for letter in text if letter.isalnum()} <= _letters(str(_file(family))):
            return _file(family)
    return _file(FAMILY)


@cache
def _file(family: str) -> Path:
    from matplotlib.font_manager import FontProperties, fontManager

    return Path(fontManager.findfont(FontProperties(family=[family])))


@cache
def _letters(path: str) -> frozenset[int]:
    """The code points that a font can draw; none of one that matplotlib cannot read, such as coloured bitmaps."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (RuntimeError, OSError, ValueError):
        return frozenset()
