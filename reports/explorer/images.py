"""The explorer's pictures: small tiles in one WebP sprite for each prompt and person, within a budget of bytes.

Edits are stored as their difference to the reconstruction: most of it is zero and shrinks to little. The difference is
divided by a step and rounded, so that no pixel is wrong by more than half the step; step 1 is exact.
"""

from __future__ import annotations

import base64
import io
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.device import cores
from reports.explorer.stops import Choices

LARGEST_EXACT_PX = 128  # larger pictures are photos: differences do not shrink enough
LOSSY_QUALITY = 85  # of WebP, up to 100
STEPS = (1, 2, 4, 8, 12)  # with more, flat areas show bands
EFFORT, METHOD = 50, 3  # of WebP, up to 100 and 6: half the time of more effort, for 5 % more bytes
COUNTERFACTUAL, INVERTED = "counterfactual", "oracle"  # the counterfactual; the same through the inversion
Key = tuple[str, str, str]  # stop, editor, prompt


@dataclass(frozen=True)
class Packing:
    """How the pictures are stored.

    Attributes:
        px: height and width of a tile.
        persons: source images that are in the page.
        step: of the differences to the reconstruction; 0: the pictures themselves, with loss.
    """

    px: int
    persons: int
    step: int


@dataclass(frozen=True)
class Pictures:
    """The pictures of a page.

    Attributes:
        packing: how they are stored.
        sources: rows of ``sources.npz`` that are shown.
        native_px: of the run's images.
        kept: how many the run kept.
        base: sprite of the originals and then the reconstructions, base64.
        sprites: one a prompt and person, base64; empty text where it has no tile.
        tiles: stop -> editor -> prompt -> one number a person: tile of the sprite, -1 the reconstruction, None absent.
        references: ``counterfactual`` and ``oracle`` -> prompt -> as tiles; -1 of a counterfactual: the original.
        wide: tiles in a row of a sprite, for each sprite.
    """

    packing: Packing
    sources: tuple[int, ...]
    native_px: int
    kept: int
    base: str
    sprites: list[list[str]]
    tiles: dict[str, dict[str, dict[str, list[int | None]]]]
    references: dict[str, dict[str, list[int | None]]]
    wide: list[list[int]]

    @property
    def size_bytes(self) -> int:
        """Of all sprites in the page."""
        return len(self.base) + sum(len(sprite) for row in self.sprites for sprite in row)


def ladder(native_px: int, persons: int) -> list[Packing]:
    """Ways to store the pictures, the best first.

    >>> [packing.step for packing in ladder(64, 1)]
    [1, 2, 4, 8, 12, 0]
    """
    fewer = [n for n in (16, 12, 8, 6, 4, 3, 2, 1) if n < persons]
    if native_px <= LARGEST_EXACT_PX:
        steps = [Packing(native_px, persons, step) for step in (*STEPS, 0)]
        return steps + [Packing(native_px, n, 0) for n in fewer]
    large = [Packing(min(native_px, 256), n, 0) for n in (persons, *fewer) if n >= min(4, persons)]
    small = [Packing(min(native_px, px), n, 0) for px in (128, 64) for n in (persons, *fewer)]
    return large + small


def pictures(choices: Choices, budget_bytes: int) -> Pictures:
    """The pictures, stored in the best way that fits.

    Args:
        choices: of the run.
        budget_bytes: that all sprites together may have as base64.

    Returns:
        The smallest packing if even that does not fit.
    """
    stored = StoredPictures(choices)
    ways = ladder(stored.native_px, max(len(stored.sources), 1))
    for packing in ways:
        if packing is not ways[-1] and _expected_bytes(stored, packing) > 1.05 * budget_bytes:
            continue
        found = _pack(stored, packing)
        if found.size_bytes <= budget_bytes:
            break
    return found


Tiles = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]  # (stop, editor) -> picture, what it differs from


class StoredPictures:
    """The pictures of a run, one prompt at a time.

    Attributes:
        run: the run.
        prompts: names of those that are shown.
        sources: rows of ``sources.npz`` whose edits some chunk has images of, ascending.
        native_px: height and width of the images.
    """

    def __init__(self, choices: Choices) -> None:
        self.run = choices.run
        self.prompts = [prompt["name"] for prompt in choices.prompts]
        self._chunks = {name: chunks for name, chunks in _chunks(choices).items() if name in self.prompts}
        ids = [chunk for chunks in self._chunks.values() for _, _, chunk in chunks]
        self._kept = {name: [int(row) for row in self.run.chunk_array(name, "kept")] for name in ids}
        self.sources = sorted({row for rows in self._kept.values() for row in rows})
        self._originals, self._plain = self.run.sources("images"), self.run.sources("reconstructions")
        self.native_px = int(self._originals.shape[1])

    def base(self, persons: list[int], px: int) -> tuple[np.ndarray, np.ndarray]:
        """Originals and reconstructions: uint8 [n, px, px, 3] each."""
        return resized(self._originals[persons], px), resized(self._plain[persons], px)

    def tiles(self, prompt: str, persons: list[int], px: int) -> list[Tiles]:
        """For each person all pictures of a prompt: uint8 [px, px, 3] twice."""
        originals, plain = self.base(persons, px)
        found: list[Tiles] = [{} for _ in persons]
        counterfactuals = self.run.counterfactual(prompt, "images")
        if counterfactuals is not None:
            for place, picture in enumerate(resized(counterfactuals[persons], px)):
                found[place][(COUNTERFACTUAL, "")] = (picture, originals[place])
        for stop, editor, chunk in self._chunks.get(prompt, []):
            rows = self._kept[chunk]
            chosen = [(place, rows.index(person)) for place, person in enumerate(persons) if person in rows]
            if chosen:
                images = resized(self.run.chunk_array(chunk, "images")[[row for _, row in chosen]], px)
                for (place, _), picture in zip(chosen, images, strict=True):
                    found[place][(stop, editor)] = (picture, plain[place])
        return found


def _chunks(choices: Choices) -> dict[str, list[tuple[str, str, str]]]:
    """Prompt -> (stop, editor, chunk id); the oracle under the name of its reference."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for stop in choices.stops:
        rows = choices.run.rows.loc[stop.rows, ["prompt", "editor", "chunk"]].drop_duplicates("chunk")
        for prompt, editor, chunk in rows.itertuples(index=False):
            found.setdefault(str(prompt), []).append((stop.name, str(editor), str(chunk)))
    oracle = choices.run.oracle
    if len(oracle):
        for prompt, chunk in oracle[["prompt", "chunk"]].drop_duplicates("chunk").itertuples(index=False):
            found.setdefault(str(prompt), []).append((INVERTED, "", str(chunk)))
    return found


def _expected_bytes(stored: StoredPictures, packing: Packing) -> float:
    """From the sprites of the first and the middle prompt for three persons."""
    prompts = stored.prompts
    persons = stored.sources[: packing.persons]
    some = persons[:: max(1, len(persons) // 3)][:3]
    sample = list(dict.fromkeys([prompts[0], prompts[len(prompts) // 2]]))
    sprites = [_sprite(tiles, packing)[0] for name in sample for tiles in stored.tiles(name, some, packing.px)]
    return sum(map(len, sprites)) / max(len(sprites), 1) * len(prompts) * len(persons)


def _pack(stored: StoredPictures, packing: Packing) -> Pictures:
    persons = stored.sources[: packing.persons]
    sprites: list[list[str]] = []
    wide: list[list[int]] = []
    tiles: dict[str, dict[str, dict[str, list[int | None]]]] = {}
    references: dict[str, dict[str, list[int | None]]] = {COUNTERFACTUAL: {}, INVERTED: {}}
    pool = ThreadPoolExecutor(cores())  # encoding, nearly all of the time, needs no lock of the interpreter
    for name in stored.prompts:
        packed = list(pool.map(lambda mine: _sprite(mine, packing), stored.tiles(name, persons, packing.px)))
        sprites.append([sprite for sprite, _, _ in packed])
        wide.append([columns for _, columns, _ in packed])
        for place, (_, _, numbers) in enumerate(packed):
            for (stop, editor), number in numbers.items():
                known = references[stop] if stop in references else tiles.setdefault(stop, {}).setdefault(editor, {})
                known.setdefault(name, [None] * len(persons))[place] = number
    pool.shutdown()
    base = [picture for part in stored.base(persons, packing.px) for picture in part]
    text = _encoded(_sheet(base, len(persons)), packing) if base else ""
    kept = len(stored.sources)
    return Pictures(packing, tuple(persons), stored.native_px, kept, text, sprites, tiles, references, wide)


def resized(images: np.ndarray, px: int) -> np.ndarray:
    """uint8 [n, px, px, 3], averaged over areas; unchanged if they have that size."""
    from PIL import Image

    if images.shape[1:3] == (px, px) or not len(images):
        return images
    box = Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(image).resize((px, px), box)) for image in images])


def coded(picture: np.ndarray, base: np.ndarray, step: int) -> np.ndarray:
    """What a sprite holds of a picture.

    Args:
        picture: uint8 [H, W, 3].
        base: uint8 [H, W, 3], what it differs from.
        step: 0: the picture; 1: the difference modulo 256, 128 where there is none; more: the difference in steps.

    >>> row = np.array([[[0, 130, 255]]], np.uint8)
    >>> coded(row, np.array([[[4, 126, 0]]], np.uint8), 4).tolist()
    [[[127, 129, 192]]]
    """
    if step == 0:
        return picture
    difference = picture.astype(np.int16) - base
    if step == 1:
        return np.asarray((difference + 128) % 256, np.uint8)
    return np.asarray(np.clip(np.round(difference / step) + 128, 0, 255), np.uint8)


def _sprite(tiles: Tiles, packing: Packing) -> tuple[str, int, dict[tuple[str, str], int]]:
    """The sprite as base64, its tiles in a row, and the tile of each picture; equal ones share a tile."""
    unique: dict[bytes, int] = {}
    sheets: list[np.ndarray] = []
    numbers: dict[tuple[str, str], int] = {}
    for key, (picture, base) in tiles.items():
        if np.array_equal(picture, base):
            numbers[key] = -1
            continue
        tile = coded(picture, base, packing.step)
        mark = tile.tobytes()
        if mark not in unique:
            unique[mark] = len(sheets)
            sheets.append(tile)
        numbers[key] = unique[mark]
    if not sheets:
        return "", 1, numbers
    wide = math.ceil(math.sqrt(len(sheets)))
    return _encoded(_sheet(sheets, wide), packing), wide, numbers


def _sheet(tiles: list[np.ndarray], wide: int) -> np.ndarray:
    px = tiles[0].shape[0]
    sheet = np.full((math.ceil(len(tiles) / wide) * px, wide * px, 3), 128, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // wide * px, number % wide * px
        sheet[top : top + px, left : left + px] = tile
    return sheet


def _encoded(sheet: np.ndarray, packing: Packing) -> str:
    from PIL import Image

    options: dict[str, Any] = {"quality": LOSSY_QUALITY} if packing.step == 0 else {"lossless": True, "quality": EFFORT}
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "WEBP", method=METHOD, **options)
    return base64.b64encode(out.getvalue()).decode("ascii")
