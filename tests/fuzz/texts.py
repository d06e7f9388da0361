"""Prompt sets, descriptions of domains, ablations and labels: as people write them, with odd values, and damaged."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

from eval.domains.photos.description import read_description
from eval.labelling.labels import Labels
from eval.prompts import Prompt, load_prompts
from eval.studies.ablation.plan import check, load, shipped
from tests.eval.domains.photos.conftest import DOMAIN
from tests.fuzz.damage import damaged, odd
from tests.fuzz.trial import Refused, read

FIELDS = ("name", "source", "target", "attribute", "value")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
LETTERS = "aZ 09_-.,:;'\"\\/|$%&#[]{}()<>=+*~^`@!?\t\néßñœ眼镜はい한국어שלוםعربي😀\u0301\u200b\u202e\x00\x1b\x7f\ufeff"


class TomlFile:
    """See ``Trial``; of a reader of TOML files.

    Args:
        folder: to work in.
    """

    right: Mapping[str, Any]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.whole = toml(self.right).encode()

    def reader(self, path: Path) -> Any:
        """What the reader makes of a file."""
        raise NotImplementedError

    def __call__(self, draw: Random) -> bool:
        path = self.folder / draw.choice(("x.toml", "x.txt", "x"))
        is_odd = draw.random() < 0.7
        text = toml(odd(dict(self.right), draw, dates=True)).encode(draw.choice(ENCODINGS))
        path.write_bytes(text if is_odd else damaged(self.whole, draw))
        try:
            read(lambda: self.reader(path), self.folder)
        except Refused:
            return False
        return True


class Prompts(TomlFile):
    """Prompt sets; two of five are right, with texts of any letters."""

    right = MappingProxyType({"source": "face", "prompt": [dict.fromkeys(FIELDS, "a"), dict.fromkeys(FIELDS, "b")]})

    def reader(self, path: Path) -> Any:
        return load_prompts(path)

    def __call__(self, draw: Random) -> bool:
        return self._right(draw) if draw.random() < 0.4 else super().__call__(draw)

    def _right(self, draw: Random) -> bool:
        rows = [{field: words(draw) for field in FIELDS} for _ in range(draw.randint(1, 4))]
        for number, row in enumerate(rows):
            row["name"] += str(number)
        text = toml({"prompt": rows}).replace("\n", draw.choice(("\n", "\r\n")))
        path = self.folder / draw.choice(("prompts.toml", "prompts.txt"))
        path.write_bytes(text.encode(draw.choice(ENCODINGS)))
        found = read(lambda: load_prompts(path), self.folder)
        assert found == tuple(Prompt(**row) for row in rows), f"{rows} is read as {found}"
        return True


class Domain(TomlFile):
    """Descriptions of domains of photographs."""

    right = tomllib.loads(DOMAIN)

    def reader(self, path: Path) -> Any:
        return read_description(path)


class Ablation(TomlFile):
    """Ablations."""

    right = tomllib.loads(shipped()["conditioning"].read_text(encoding="utf-8"))

    def reader(self, path: Path) -> Any:
        ablation = load(path)
        check(ablation, str(path))
        return ablation


class LabelFile:
    """See ``Trial``; of label files: half are right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, draw: Random) -> bool:
        path = self.folder / "labels.csv"
        answers = {str(number): draw.choice(("1", "0", "nan", "")) for number in range(draw.randint(0, 5))}
        text = io.StringIO()
        table = csv.writer(text, lineterminator=draw.choice(("\n", "\r\n")))
        table.writerow(["image", "smile"])
        for item, answer in answers.items():
            table.writerow([f"{item} {words(draw)}".replace("\0", "") if draw.random() < 0.2 else item, answer])
        is_right = draw.random() < 0.5
        content = text.getvalue().encode()
        path.write_bytes(content if is_right else damaged(content, draw))
        try:
            found = read(lambda: Labels(path, "image", ["smile"]), self.folder)
        except Refused:
            assert not is_right, content
            return False
        meaning = {"1": True, "0": False, "nan": None}
        wanted = [meaning[answer] for answer in answers.values() if answer]
        assert not is_right or list(found["smile"].values()) == wanted
        return True


def words(draw: Random) -> str:
    """A text that is no blank."""
    text = "".join(draw.choice(LETTERS) for _ in range(draw.randint(1, 20)))
    return text if text.strip() else f"{text}x"


def toml(value: Mapping[str, Any]) -> str:
    """A table as TOML, everything in one line a key; values that TOML lacks are texts."""
    return "".join(f"{_key(key)} = {_toml(inside)}\n" for key, inside in value.items())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, int | datetime.date):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(inside)}" for key, inside in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return _key(str(value))


def _key(text: Any) -> str:
    """A text in quotes; JSON's escapes are TOML's, except for letters beyond 16 bits and the last of ASCII."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
