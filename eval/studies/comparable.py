"""What two runs must share so that their numbers may be compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eval.errors import UsageError
from eval.runs.reader import Run

ROUNDING_LEVELS = 1  # by which reconstructions may differ: the last digit of two machines, rounded to 8 bits


def refuse_mixture(first: Run, second: Run) -> None:
    """Refuse to put numbers of two runs together that were not made the same way.

    Raises:
        UsageError: one sentence that names every part that differs.
    """
    if first is second:
        return
    parts = list(differing_parts(first, second))
    if parts:
        raise UsageError(
            f"{first.folder} and {second.folder} cannot be compared, as they differ in {'; '.join(parts)}."
        )


def differing_parts(first: Run, second: Run) -> Iterator[str]:
    """In words, what two runs do not share: domain, weights, recipes, preparation of images, prompts, images."""
    one, other = first.manifest, second.manifest
    if one["domain"] != other["domain"]:
        yield f"the domain ({one['domain']} and {other['domain']})"
        return
    networks = _unequal(one.get("fingerprints", {}), other.get("fingerprints", {}))
    if networks:
        yield f"the weights of {', '.join(networks)}"
    yield from _differing_recipes(one.get("recipes", {}), other.get("recipes", {}))
    for network in _shared(one.get("inputs", {}), other.get("inputs", {})):
        for part in _unequal(one["inputs"][network], other["inputs"][network]):
            values = [str(manifest["inputs"][network].get(part)) for manifest in (one, other)]
            yield f"the {part.removesuffix('_px')} of the images for {network} ({values[0]} and {values[1]})"
    prompts = _unequal(*({prompt["name"]: prompt for prompt in run.asked_prompts} for run in (first, second)))
    if prompts:
        yield f"the prompts ({', '.join(prompts)})"
    yield from _differing_images(first, second)


def _differing_recipes(one: dict[str, str], other: dict[str, str]) -> Iterator[str]:
    """Metrics whose recipes differ, those of the same difference together."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(_shared(one, other)):
        if one[name] != other[name]:
            found.setdefault(recipe_difference(one[name], other[name]), []).append(name)
    for (mine, theirs), names in found.items():
        yield f"the recipe of {', '.join(names)} ({mine} and {theirs})"


def recipe_difference(one: str, other: str) -> tuple[str, str]:
    """The parts of two recipe ids that only one of them has.

    >>> recipe_difference("bicubic,79-templates,8-bit@clip:aa", "nearest,79-templates,8-bit@clip:aa")
    ('bicubic', 'nearest')
    """
    mine, theirs = (text.replace("@", ",").split(",") for text in (one, other))
    left, right = [part for part in mine if part not in theirs], [part for part in theirs if part not in mine]
    return ", ".join(left) or "nothing", ", ".join(right) or "nothing"


def _differing_images(first: Run, second: Run) -> Iterator[str]:
    if len(first.names) != len(second.names):
        yield f"the number of images ({len(first.names)} and {len(second.names)})"
    elif first.names != second.names or not np.array_equal(first.sources("images"), second.sources("images")):
        yield "the images"
    elif _apart(first.sources("reconstructions"), second.sources("reconstructions")) > ROUNDING_LEVELS:
        yield "the reconstructions of the images"


def _apart(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of two sets of pictures, uint8, in grey levels; all of them where the sizes differ."""
    if one.shape != other.shape:
        return 256
    return int(np.abs(one.astype(np.int16) - other).max(initial=0))


def _shared(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in one if name in other]


def _unequal(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Keys that only one has, or whose values differ."""
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]
