"""Damage to files, drawn at random: bytes, members of archives, values of tables."""

from __future__ import annotations

import copy
import datetime
import io
import math
import zipfile
from random import Random
from typing import Any

MOST_NOISE = 64  # bytes
ODD_VALUES = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**400, 0.5, -0.5, 1e308, math.nan, math.inf, -math.inf),
    *("", " ", "x", "none", "0", "ä\n\x00", "眼镜😀", "[bold]", "$x$", "../../x", "/", "x" * 400, "\u202e", "con"),
    *([], [1], ["a", "b"], [[0.0, 0.0, 1.0]], [[0.0, 0.25, 1.0, 0.5]], [[[]]], {}, {"x": 1}, {"name": "a"}),
)


def damaged(data: bytes, draw: Random) -> bytes:
    """Bytes of a file with one thing changed, now and then none or several."""
    for _ in range(draw.choice((0, 1, 1, 1, 2))):
        data = draw.choice((_cut, _noise, _zeros, _more, _twice, _head, _flip, _other_archive))(data, draw)
    return data


def _cut(data: bytes, draw: Random) -> bytes:
    return data[: draw.randint(0, len(data))]


def _noise(data: bytes, draw: Random) -> bytes:
    at, noise = draw.randint(0, len(data)), draw.randbytes(draw.randint(1, MOST_NOISE))
    return data[:at] + noise + data[at + len(noise) :]


def _zeros(data: bytes, draw: Random) -> bytes:
    at, size = draw.randint(0, len(data)), draw.randint(1, MOST_NOISE)
    return data[:at] + bytes(size) + data[at + size :]


def _more(data: bytes, draw: Random) -> bytes:
    at = draw.randint(0, len(data))
    return data[:at] + draw.randbytes(draw.randint(1, MOST_NOISE)) + data[at:]


def _twice(data: bytes, draw: Random) -> bytes:
    return data + data


def _head(data: bytes, draw: Random) -> bytes:
    noise = draw.randbytes(draw.randint(1, 16))
    return noise + data[len(noise) :]


def _flip(data: bytes, draw: Random) -> bytes:
    """One bit, most often near the beginning, where the formats say what follows."""
    if not data:
        return data
    at = draw.randrange(min(len(data), draw.choice((32, 512, len(data)))))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


def _other_archive(data: bytes, draw: Random) -> bytes:
    """A zip archive with right checksums and a member that is missing, renamed, damaged, doubled or packed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # of damage that was done before
        return data
    if not members:
        return data
    number = draw.randrange(len(members))
    name, content = members[number]
    change = draw.choice(("missing", "renamed", "damaged", "packed"))
    if change == "missing":
        del members[number]
    elif change != "packed":
        renamed = draw.choice((f"{name}.npy", f"../{name}", f"/tmp/{name}", name.upper(), "x"))
        members[number] = (renamed, content) if change == "renamed" else (name, _noise(content, draw))
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if change == "packed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for each, inside in members:
            archive.writestr(each, inside)
    return buffer.getvalue()


def odd(value: Any, draw: Random, dates: bool = False) -> Any:
    """A copy of nested tables and lists in which values are missing, others, renamed or moved.

    Args:
        value: tables, lists and plain values, as of JSON or TOML.
        draw: of the changes.
        dates: whether there may be dates, as in TOML.
    """
    value = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            break
        holder, key = draw.choice(places)
        change = draw.choice(("other", "other", "missing", "renamed", "wrapped", "moved"))
        strange = [*ODD_VALUES, *([datetime.date(2024, 2, 29)] if dates else [])]
        if change == "missing":
            del holder[key]
        elif change == "renamed" and isinstance(holder, dict):
            holder[draw.choice((f"{key}s", str(key).upper(), "", "x y", "ключ"))] = holder.pop(key)
        elif change == "wrapped":
            holder[key] = draw.choice(([holder[key]], {"x": holder[key]}, [holder[key], holder[key]]))
        elif change == "moved":
            other, place = draw.choice(places)
            holder[key] = copy.deepcopy(other[place])
        else:
            holder[key] = copy.deepcopy(draw.choice(strange))
    return value


def _places(value: Any) -> Any:
    """Every (table or list, key or number) in nested tables and lists."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in pairs:
        yield value, key
        yield from _places(inside)
