"""Factors -> SVG (dicebear, style avataaars) -> RGB (resvg), cropped to the face as FFHQ is."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import numpy as np

from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, Portraits

RESOLUTION_PX = 64
_SUPERSAMPLING = 2  # rendered at twice the size, then averaged: smoother edges than resvg's own at 64 px
_CANVAS = 280  # side of the style's canvas, in its units
_CROP = (38.0, 24.0, 204.0, 204.0)  # x, y, width, height of the face crop on the canvas

_SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", "http://www.w3.org/2000/svg")

_SKIN = {"pale": "#ffdbb4", "light": "#edb98a", "tanned": "#d08b5b", "brown": "#ae5d29", "dark": "#614335"}
_HAIR = {"black": "#2c1b18", "brown": "#724133", "blond": "#d6b370", "red": "#c93305", "gray": "#e8e1e1"}
_TOP = {
    "afro": "fro",
    "curly": "shortCurly",
    "long": "straight01",
    "short": "shortFlat",
    "receding": "sides",
    "hat": "hat",
    "winter_hat": "winterHat02",
    "hijab": "hijab",
}
_HAT_COLOR = {"hat": "#262e33", "winter_hat": "#ff488e", "hijab": "#25557c"}
_FACIAL_HAIR = {"beard": "beardLight", "long_beard": "beardMajestic", "moustache": "moustacheMagnum"}
_ACCESSORIES = {"glasses": "prescription02", "sunglasses": "sunglasses"}
_MOUTH = {"smile": "smile", "sad": "sad", "serious": "serious", "open": "screamOpen"}
_EYES = {"open": "default", "closed": "closed", "happy": "happy", "surprised": "surprised"}
_EYEBROWS = {"flat": "default", "angry": "angry", "worried": "sadConcerned", "raised": "raisedExcited"}
_CLOTHES = "shirtCrewNeck"
_CLOTHES_COLOR = {"black": "#262e33", "blue": "#5199e4", "red": "#ff5c5c", "green": "#5fc98a", "yellow": "#ffe066"}
_BACKGROUND = {"blue": "#b6e3f4", "pink": "#ffd5dc", "gray": "#929598"}

# component -> (its place on the canvas, its centre in its own units), in drawing order
_PLACES = {
    "clothes": ((40.0, 184.7), (100.0, 0.0)),
    "mouth": ((94.0, 140.0), (46.0, 16.0)),
    "nose": ((128.0, 130.0), (12.0, 4.0)),
    "eyes": ((98.0, 98.0), (42.0, 14.0)),
    "eyebrows": ((91.86, 82.0), (48.1, 14.0)),
    "top": ((8.0, 0.0), (132.0, 0.0)),
    "facialHair": ((81.0, 98.0), (60.5, 60.0)),
    "accessories": ((75.77, 46.0), (65.2, 68.0)),
}
_OPTIONAL = ("top", "facialHair", "accessories")


@cache
def _style() -> Any:
    from dicebear import Style

    return Style(json.loads((files("dicebear_styles") / "avataaars.json").read_text(encoding="utf-8")))


@cache
def _part(component: str, variant: str, color: str) -> str:
    """SVG of one component as dicebear draws it, in the component's own coordinates; '' for a variant of ''."""
    from dicebear import Avatar

    if not variant:
        return ""
    colors = ("hair", "facialHair", "hat", "accessories", "clothes")
    options: dict[str, object] = {f"{name}Probability": 0 for name in _OPTIONAL if name != component}
    options |= {f"{component}Variant": [variant], **{f"{name}Color": [color] for name in colors}}
    if component in _OPTIONAL:
        options[f"{component}Probability"] = 100
    svg = ElementTree.fromstring(Avatar(_style(), options).to_string())
    (group,) = (g for g in svg.iter(f"{_SVG}g") if g.get("id", "").startswith(f"{component}-{variant}-"))
    return "".join(ElementTree.tostring(child, encoding="unicode") for child in group)


@cache
def _head() -> str:
    """SVG of the bare head and its shadow, with ``{skin}`` where the colour goes."""
    from dicebear import Avatar

    skin = "#010203"
    svg = ElementTree.fromstring(Avatar(_style(), {"skinColor": [skin]}).to_string())
    paths = svg.findall(f"{_SVG}g/{_SVG}path")
    return "".join(ElementTree.tostring(path, encoding="unicode") for path in paths).replace(skin, "{skin}")


def _shaded(color: str, shade: float) -> str:
    """A hex colour made up to 9 % darker or lighter (shade in [-1, 1]): the continuous part of a skin tone."""
    channels = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{min(255, round(channel * (1 + 0.09 * shade))):02x}" for channel in channels)


def _variants(values: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Component -> (variant, colour) of one portrait."""
    hair = _HAIR[values["hair_color"]]
    return {
        "clothes": (_CLOTHES, _CLOTHES_COLOR[values["clothes_color"]]),
        "mouth": (_MOUTH[values["mouth"]], hair),
        "nose": ("default", hair),
        "eyes": (_EYES[values["eyes"]], hair),
        "eyebrows": (_EYEBROWS[values["eyebrows"]], hair),
        "top": (_TOP.get(values["top"], ""), _HAT_COLOR.get(values["top"], hair)),
        "facialHair": (_FACIAL_HAIR.get(values["facial_hair"], ""), hair),
        "accessories": (_ACCESSORIES.get(values["accessories"], ""), "#262e33"),
    }


def _moves(geometry: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Component -> (shift down in canvas units, scale x, scale y), for a person's geometry (float [10] in [-1, 1])."""
    eyes_y, eyes_spacing, eyes_size, brows_y, nose_y, nose_size, mouth_y, mouth_width, _, _ = map(float, geometry)
    spread = 1 + 0.14 * eyes_spacing
    nose = 1 + 0.35 * nose_size
    return {
        "eyes": (5 * eyes_y, spread, 1 + 0.22 * eyes_size),
        "eyebrows": (4.5 * eyes_y + 3.5 * brows_y, spread, 1.0),
        "accessories": (5 * eyes_y, 1 + 0.10 * eyes_spacing, 1.0),
        "nose": (4.5 * nose_y, nose, nose),
        "mouth": (5 * mouth_y, 1 + 0.22 * mouth_width, 1.0),
        "facialHair": (3 * mouth_y, 1.0, 1.0),
    }


def portrait_svg(portrait: Portraits) -> str:
    """SVG text of one portrait (``len(portrait) == 1``), its view box set to the face crop."""
    values = {factor: VALUES[factor][portrait.values[0, i]] for i, factor in enumerate(FACTOR_NAMES)}
    geometry = portrait.geometry[0]
    moves = _moves(geometry)
    drawn = [_head().replace("{skin}", _shaded(_SKIN[values["skin"]], float(geometry[9])))]
    for component, (variant, color) in _variants(values).items():
        (x, y), (centre_x, centre_y) = _PLACES[component]
        shift, scale_x, scale_y = moves.get(component, (0.0, 1.0, 1.0))
        drawn.append(
            f'<g transform="translate({x + centre_x:g} {y + centre_y + shift:.3f}) scale({scale_x:.4f} {scale_y:.4f}) '
            f'translate({-centre_x:g} {-centre_y:g})">{_part(component, variant, color)}</g>'
        )
    middle, width = _CANVAS / 2, 1 + 0.07 * float(geometry[8])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" fill="none" viewBox="{" ".join(f"{side:g}" for side in _CROP)}">'
        f'<rect width="{_CANVAS}" height="{_CANVAS}" fill="{_BACKGROUND[values["background"]]}"/>'
        f'<g transform="translate({middle:g} 0) scale({width:.4f} 1) translate({-middle:g} 0)">{"".join(drawn)}</g>'
        "</svg>"
    )


def render_one(portrait: Portraits) -> np.ndarray:
    """Render one portrait: uint8 [64, 64, 3]."""
    import resvg_py
    from PIL import Image

    side = RESOLUTION_PX * _SUPERSAMPLING
    png = bytes(resvg_py.svg_to_bytes(svg_string=portrait_svg(portrait), width=side, height=side))
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return np.asarray(image.reduce(_SUPERSAMPLING))


def _render_block(portraits: Portraits) -> np.ndarray:
    return np.stack([render_one(portraits[i]) for i in range(len(portraits))])


def render_blocks(portraits: Portraits, workers: int = 0, block: int = 250) -> Iterator[np.ndarray]:
    """Render in order, ``block`` portraits at a time: uint8 [n, 64, 64, 3].

    Args:
        workers: worker processes; 0 renders in this one. The bytes do not depend on it.
    """
    parts = [portraits[start : start + block] for start in range(0, len(portraits), block)]
    if workers == 0:
        yield from map(_render_block, parts)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_render_block, parts)


def render(portraits: Portraits, workers: int = 0) -> np.ndarray:
    """Render all portraits: uint8 [N, 64, 64, 3]; the same portraits give the same bytes."""
    if len(portraits) == 0:
        return np.zeros((0, RESOLUTION_PX, RESOLUTION_PX, 3), np.uint8)
    return np.concatenate(list(render_blocks(portraits, workers)))
