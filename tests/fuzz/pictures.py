"""Pictures of every kind that Pillow writes: the right pixels by NumPy, and damaged files."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from eval.pictures import read_picture
from tests.fuzz.damage import damaged
from tests.fuzz.trial import Refused, read

KINDS = {  # mode -> the formats that keep its numbers
    "1": ("PNG", "TIFF", "BMP"),
    "L": ("PNG", "TIFF", "BMP", "WEBP"),
    "LA": ("PNG", "TIFF"),
    "RGB": ("PNG", "TIFF", "BMP", "WEBP"),
    "RGBA": ("PNG", "TIFF", "WEBP"),
    "P": ("PNG", "TIFF", "BMP", "GIF"),
    "CMYK": ("TIFF",),
    "I;16": ("PNG", "TIFF"),
    "I": ("TIFF",),
    "F": ("TIFF",),
}
ENDINGS = (".png", ".jpg", ".tif", ".webp", ".bmp", ".heic", "")
TURNS = (  # EXIF's orientation from 1 -> the pixels [H, W, 3] upright
    lambda p: p,
    lambda p: p[:, ::-1],
    lambda p: p[::-1, ::-1],
    lambda p: p[::-1],
    lambda p: p.transpose(1, 0, 2),
    lambda p: np.rot90(p, -1),
    lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    lambda p: np.rot90(p, 1),
)


def exif(turn: int) -> bytes:
    """The tag of an orientation and nothing else."""
    return b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHIHHI", 0x0112, 3, 1, turn, 0, 0)


class Pictures:
    """See ``Trial``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8))
        self.whole = []
        for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"):
            buffer = io.BytesIO()
            picture.save(buffer, kind, **({} if kind in ("GIF", "BMP") else {"exif": exif(6)}))
            self.whole.append(buffer.getvalue())
        buffer = io.BytesIO()
        picture.convert("P").save(buffer, "PNG", transparency=3)
        self.whole.append(buffer.getvalue())

    def __call__(self, draw: Random) -> bool:
        return self._damaged(draw) if draw.random() < 0.5 else self._odd(draw)

    def _damaged(self, draw: Random) -> bool:
        path = self.folder / f"picture{draw.choice(ENDINGS)}"
        path.write_bytes(damaged(draw.choice(self.whole), draw))
        try:
            found = read(lambda: read_picture(path, 8, draw.choice(("centre", "square"))), self.folder)
        except Refused:
            return False
        assert found.pixels.shape == (3, 8, 8)
        assert found.pixels.abs().max() <= 1
        return True

    def _odd(self, draw: Random) -> bool:
        mode = draw.choice(list(KINDS))
        kind, turn = draw.choice(KINDS[mode]), draw.randint(1, 8)
        numbers, right = drawn(mode, np.random.default_rng(draw.randrange(2**32)))
        picture = made(mode, numbers)
        path = self.folder / f"picture.{draw.choice(('x', kind.lower()))}"
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        if kind in ("PNG", "WEBP"):
            options["exif"] = exif(turn)
            right = TURNS[turn - 1](right)
        picture.save(path, kind, **options)
        found = read(lambda: read_picture(path, fit="whole"), self.folder).pixels
        levels = (found.permute(1, 2, 0).numpy() + 1) * 127.5
        assert levels.shape == right.shape, (mode, kind, turn)
        difference = np.abs(levels - right).max()
        assert difference <= 1, f"{mode} as {kind}, orientation {turn}: {difference:.0f} levels off"
        return True


def drawn(mode: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a picture, and its levels float [H, W, 3] from 0 to 255 on white."""
    height, width = rng.integers(1, 10, 2)
    depth = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    numbers = rng.integers(0, 256, (height, width, depth))
    if mode == "1":
        numbers = numbers // 128 * 255
    if mode in ("I;16", "I", "F"):
        top = {"I;16": 65535, "I": int(rng.choice([255, 65535])), "F": int(rng.choice([1, 255]))}[mode]
        numbers = numbers / 255 * top if mode == "F" else numbers * (top // 255)
        numbers.flat[0] = top
        return numbers[..., 0], (numbers / top * 255).repeat(3, 2)
    if mode == "CMYK":
        return numbers, (255 - numbers[..., :3]) * (255 - numbers[..., 3:]) / 255
    colours = numbers[..., : 3 if depth > 2 else 1].astype(float).repeat(1 if depth > 2 else 3, 2)
    if depth in (2, 4):
        share = numbers[..., -1:] / 255
        colours = colours * share + 255 * (1 - share)
    if mode == "P":
        numbers = numbers // 16  # numbers of colours
        colours = palette()[numbers[..., 0]].astype(float)
    return numbers, colours


def palette() -> np.ndarray:
    """Sixteen colours: uint8 [16, 3]."""
    return np.random.default_rng(1).integers(0, 256, (16, 3)).astype(np.uint8)


def made(mode: str, numbers: np.ndarray) -> Image.Image:
    """The picture of these numbers."""
    if mode == "P":
        picture = Image.fromarray(numbers[..., 0].astype(np.uint8)).convert("P")
        picture.putdata(numbers[..., 0].ravel().tolist())
        picture.putpalette(palette().tobytes())
        return picture
    if mode in ("I;16", "I", "F"):
        return Image.fromarray(numbers.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    flat = numbers.astype(np.uint8)
    picture = Image.fromarray(flat[..., 0] if flat.shape[2] == 1 else flat, None if mode != "CMYK" else "CMYK")
    return picture.convert("1", dither=Image.Dither.NONE) if mode == "1" else picture
