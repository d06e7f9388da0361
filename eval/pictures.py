"""The one reader of picture files, for every command: any file of pixels that Pillow opens becomes 8-bit RGB on white.

Whatever a file holds is either shown as a viewer shows it or refused by name: 16-bit grey keeps its brightness, numbers
without a stated range are taken by a rule that is said, transparent parts are white, the turn of EXIF is made.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from eval.errors import UsageError, refuse

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
# Whatever a file is called: Pillow draws EPS with Ghostscript and WMF with Windows, which run what such a file says.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "PPM", "TGA", "ICO")
PHONE_SUFFIXES = (".heic", ".heif")  # what iPhones write; Pillow cannot read it
BACKGROUND = (255, 255, 255)  # what is seen through transparent parts
ORIENTATION = 0x0112  # EXIF's tag


@dataclass(frozen=True)
class Picture:
    """A picture of a file.

    Attributes:
        pixels: float32 [3, H, W] in [-1, 1].
        notes: what was done to it that a user may not expect, one sentence each.
    """

    pixels: Tensor
    notes: tuple[str, ...] = ()


def read_picture(path: Path, side_px: int | None = None, fit: str = "centre") -> Picture:
    """A picture, square unless it is wanted whole.

    Args:
        path: of one of ``FORMATS``; of several pictures in a file the first.
        side_px: what it is resized to, by Lanczos' filter; None keeps its side.
        fit: ``centre`` takes the largest middle square, ``square`` refuses what is not square, ``whole`` keeps
            everything and its size.

    Raises:
        UsageError: the file is missing, empty, damaged or no picture, or is not square where it must be.
    """
    from PIL.Image import Resampling

    picture, notes = _opened(path)
    if fit == "whole":
        return Picture(_levels(picture), tuple(notes))
    width, height = picture.size
    side = min(width, height)
    if width != height and fit == "square":
        raise UsageError(
            f"{path} is {width} x {height} px; photographs must be square, and aligned like those that the generator "
            "learnt from."
        )
    left, top = (width - side) // 2, (height - side) // 2
    picture = picture.crop((left, top, left + side, top + side))
    done = [f"cut to the middle {side} x {side}"] if width != height else []
    if side_px is not None and side != side_px:
        picture = picture.resize((side_px, side_px), Resampling.LANCZOS)
        done.append(f"resized to {side_px} x {side_px}")
    if done:
        notes.append(f"{path.name} ({width} x {height} px) is {' and '.join(done)}.")
    return Picture(_levels(picture), tuple(notes))


def read_pictures(paths: Iterable[Path], side_px: int | None = None, fit: str = "centre") -> Iterator[Picture]:
    """Pictures one after the other; when all were looked at, the faults of all are told at once.

    Raises:
        UsageError: at the end, with one line for each file that cannot be used.
    """
    faults = []
    for path in paths:
        try:
            picture = read_picture(path, side_px, fit)
        except UsageError as error:
            faults.append(str(error))
            continue
        yield picture
    refuse(faults)


def check_pictures(paths: Sequence[Path], side_px: int, fit: str) -> dict[str, str]:
    """Read every picture, keep none, and refuse all that cannot be used, also one that is there twice.

    Returns:
        note -> the name of the first picture that it is about; notes that differ in the name alone are one.

    Raises:
        UsageError: with one line for each fault.
    """
    faults: list[str] = []
    seen: dict[bytes, Path] = {}
    notes: dict[str, str] = {}
    for path in paths:
        try:
            picture = read_picture(path, side_px, fit)
        except UsageError as error:
            faults.append(str(error))
            continue
        digest = hashlib.sha256(picture.pixels.numpy().tobytes()).digest()
        if digest in seen:
            faults.append(
                f"{path} is the same picture as {seen[digest].name}; every image must be there once, because each "
                "counts as one more observation: remove one of them."
            )
        seen.setdefault(digest, path)
        for note in picture.notes:
            notes.setdefault(note.replace(path.name, "…", 1), path.name)
    refuse(faults)
    return {note.replace("…", name, 1): name for note, name in notes.items()}


def pictures_in(folder: Path) -> tuple[list[Path], str]:
    """The picture files of a folder, by name, and a sentence about what else is there.

    Hidden files (``._p2.png``) and subfolders are passed over.

    Raises:
        UsageError: the folder cannot be read.
    """
    try:
        files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({error.strerror or error}).") from None
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    others = Counter(path.suffix.lower() or "no ending" for path in files if path.suffix.lower() not in SUFFIXES)
    if not others:
        return pictures, ""
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(6))
    phone = " (convert HEIC to PNG or JPEG to use it)" if any(suffix in PHONE_SUFFIXES for suffix in others) else ""
    count = others.total()
    return pictures, f"{folder}: {count} {'file' if count == 1 else 'files'} of other kinds left out: {kinds}{phone}."


def _opened(path: Path) -> tuple[Image, list[str]]:
    """The first picture of a file, upright, 8-bit RGB, and what was done to it."""
    from PIL import Image

    try:
        if not path.stat().st_size:
            raise UsageError(f"{path} is an empty file, no picture; copy or download it anew.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures and of odd metadata: what matters is said here
            with Image.open(path, formats=FORMATS) as opened:
                opened.load()
                notes = [f"{path.name} holds several pictures; the first is taken."] if _several(opened) else []
                picture = _upright(opened, path.name, notes)
                return _rgb(picture, path, notes), notes
    except UsageError:
        raise
    except FileNotFoundError:
        raise UsageError(f"There is no picture {path}.") from None
    except Exception as error:  # whatever a damaged picture makes Pillow raise
        if path.suffix.lower() in PHONE_SUFFIXES:
            raise UsageError(f"{path} is HEIC, which is not read; convert it to PNG or JPEG.") from None
        reason = " ".join(str(error).replace(str(path), path.name).split())[:120]
        raise UsageError(
            f"{path} is no whole picture that can be read ({reason or type(error).__name__}); copy or download it anew."
        ) from None


def _levels(picture: Image) -> Tensor:
    """Float32 [3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1


def _several(picture: Image) -> bool:
    """Whether a file holds more than one picture, for example the pages of a TIFF."""
    with suppress(Exception):  # counting them reads on in a file that may be damaged there
        return int(getattr(picture, "n_frames", 1)) > 1
    return False


def _upright(picture: Image, name: str, notes: list[str]) -> Image:
    """The picture, turned as EXIF says; a damaged tag is said, and never stands in the way of the picture."""
    from PIL import ImageOps
    from PIL.Image import Transpose

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # SyntaxError, struct.error, … by the kind of damage
        turns = {2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM}
        turns |= {5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90}
        turn = None
        with suppress(Exception):
            turn = turns.get(picture.getexif().get(ORIENTATION, 1))
        used = "used as it is stored" if turn is None else "turned as the orientation says, which could be read"
        notes.append(f"{name} has an unreadable EXIF tag; the picture is {used}.")
        return picture if turn is None else picture.transpose(turn)


def _rgb(picture: Image, path: Path, notes: list[str]) -> Image:
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        return _of_numbers(picture, path, notes)
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        if np.asarray(seen.getchannel("A")).min() < 255:
            notes.append(f"{path.name} has transparent parts, which are white.")
        picture = Image.alpha_composite(Image.new("RGBA", seen.size, BACKGROUND), seen)
    return picture.convert("RGB")


def _of_numbers(picture: Image, path: Path, notes: list[str]) -> Image:
    """Grey of 16 or 32 bits or of floats.

    16-bit files have the range of their type. Others state none: floats up to 1 are shares of white, numbers up to 255
    levels of 8 bits, whole numbers up to 65535 levels of 16.
    """
    from PIL import Image

    numbers = np.asarray(picture).astype(np.float64)
    if not np.isfinite(numbers).all():
        raise UsageError(f"{path} holds numbers that are NaN or infinite; replace them and save it as 8-bit PNG.")
    low, high = float(numbers.min()), float(numbers.max())
    tops = [65535.0] if picture.mode.startswith("I;16") else [255.0, 65535.0] if picture.mode == "I" else [1.0, 255.0]
    top = next((top for top in tops if high <= top), None)
    if top is None or low < 0:
        raise UsageError(
            f"{path} holds numbers from {low:g} to {high:g}, whose black and white nobody knows; allowed are 0 to "
            f"{' or 0 to '.join(f'{top:g}' for top in tops)}: save it as 8-bit PNG."
        )
    if len(tops) > 1:
        notes.append(f"{path.name} states no range; its numbers are taken as 0 (black) to {top:g} (white).")
    grey = np.rint(numbers * (255 / top)).astype(np.uint8)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):  # PNG's one transparent level
        grey[numbers == clear] = BACKGROUND[0]
        notes.append(f"{path.name} has transparent parts, which are white.")
    return Image.fromarray(grey).convert("RGB")
