"""Pictures that no attribute judge should believe: made of the generator's codes and of pixels, by no editor.

A label is the number of a value, the number of values for *no valid value*, or -1 where nobody can say.

Codes: one factor of a person is moved towards another value, by a share of the way between none and five times of it,
through all styles or some of them, and random styles are moved besides. What the picture shows of that factor is found
against the pictures of the person with every value of it: it is the nearest one's if it is far nearer than the way to
any other value, and none if it lies between values or away from all.

Pixels: portraits laid over one another, halves of two, averages of up to eight, shuffled tiles, noise, blur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.latents import Latents
from deltaedit.tools.files import keep
from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, Portraits, column, sample_portraits
from eval.domains.avatars.networks import AvatarEncoder, AvatarGenerator, to_float
from eval.folders import cache_folder
from eval.pixels import round_to_8_bit, to_uint8

UNKNOWN = -1
NONE = np.array([len(VALUES[factor]) for factor in FACTOR_NAMES])  # the label of no valid value
PERSONS, MOVED_EACH = 16, 4  # of a block; all have the same factor moved, each in four ways
BLOCK = PERSONS * MOVED_EACH
SHOWN, AWAY = 0.1, 0.2  # squared distance in the region to the nearest value, over that to the next value from there
REGION = 0.1  # a pixel belongs to a factor if some value changes it by more, of 2
LEAST = 1.0  # squared distance of two values below which the factor is hidden
MOVES = ((0.0, 0.3), (0.3, 0.7), (0.7, 1.3), (1.3, 5.0))  # shares of the way, drawn equally often


@dataclass(frozen=True)
class Networks:
    """What the pictures are made with."""

    generator: AvatarGenerator
    encoder: AvatarEncoder


@torch.no_grad()
def moved_codes(networks: Networks, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of moved codes, kept in the cache folder.

    Args:
        networks: generator and encoder.
        count: how many, a multiple of ``BLOCK``.
        seed: another gives other persons and moves.

    Returns:
        Pictures uint8 [count, 64, 64, 3] and labels int64 [count, F].
    """
    path = cache_folder() / "avatars" / f"moved-codes-v1-{seed}-{count}.npz"
    if path.exists():
        with np.load(path) as stored:
            return stored["pictures"], stored["labels"]
    blocks = [_moved_block(networks, np.random.default_rng((seed, i))) for i in range(count // BLOCK)]
    pictures, labels = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    keep(path, lambda file: np.savez(file, pictures=pictures, labels=labels))
    return pictures, labels


@torch.no_grad()
def inversions(networks: Networks, pictures: np.ndarray, name: str) -> np.ndarray:
    """Portraits uint8 [N, 64, 64, 3] through encoder and generator, kept in the cache folder."""
    path = cache_folder() / "avatars" / f"inversions-v1-{name}-{len(pictures)}.npy"
    if path.exists():
        stored: np.ndarray = np.load(path)
        return stored
    synthesis, parts = networks.generator.synthesis, []
    for start in range(0, len(pictures), 64):
        codes = Latents.from_w_plus(synthesis, networks.encoder(to_float(pictures[start : start + 64])))
        parts.append(to_uint8(synthesis.synthesize(codes.s, codes.s_rgb)))
    inverted = np.concatenate(parts)
    keep(path, lambda file: np.save(file, inverted))
    return inverted


def _moved_block(networks: Networks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    people = sample_portraits(PERSONS, int(rng.integers(2**31)), rho=0.0)
    inverted = bool(rng.random() < 0.3)
    factor = str(rng.choice(FACTOR_NAMES))
    wanted = _with_every_value(networks, people, factor, inverted)
    references = torch.stack([_pictures(networks, latents) for latents in wanted], 1)  # [n, V, 3, 64, 64]
    styles, persons = torch.stack([latents.s for latents in wanted], 1), torch.arange(PERSONS)  # [n, V, C]
    before = people.values[:, column(factor)]
    s_rgb = torch.stack([latents.s_rgb for latents in wanted], 1)[persons, before]
    pictures, shown = [], []
    for _ in range(MOVED_EACH):
        after = (before + rng.integers(1, len(wanted), PERSONS)) % len(wanted)
        start = styles[persons, before]
        moved = start + _step(rng, styles[persons, after] - start)
        images = round_to_8_bit(networks.generator.synthesis.synthesize(moved, s_rgb))
        pictures.append(to_uint8(images))
        shown.append(shown_value(images, references))
    labels = np.full((BLOCK, len(FACTOR_NAMES)), UNKNOWN)
    labels[:, column(factor)] = np.concatenate(shown)
    return np.concatenate(pictures), labels


def _with_every_value(networks: Networks, people: Portraits, factor: str, inverted: bool) -> list[Latents]:
    """The persons with each value of a factor, one ``Latents`` a value: exact, or as encoded again."""
    found = []
    for value in VALUES[factor]:
        w_plus = networks.generator.w_plus(torch.from_numpy(people.changed({factor: value}).codes()))
        latents = Latents.from_w_plus(networks.generator.synthesis, w_plus)
        if inverted:
            w_plus = networks.encoder(_pictures(networks, latents))
            latents = Latents.from_w_plus(networks.generator.synthesis, w_plus)
        found.append(latents)
    return found


def _pictures(networks: Networks, latents: Latents) -> Tensor:
    return round_to_8_bit(networks.generator.synthesis.synthesize(latents.s, latents.s_rgb))


def _step(rng: np.random.Generator, way: Tensor) -> Tensor:
    """A share of the way through some of the styles, in half of the rows with random styles moved besides."""
    rows, styles = way.shape
    share = np.array([rng.uniform(*MOVES[kind]) for kind in rng.integers(len(MOVES), size=rows)])
    through = rng.random((rows, styles)) < rng.choice([1.0, 0.8, 0.5], (rows, 1))
    others = rng.random((rows, styles)) < rng.choice([0.02, 0.1, 0.5], (rows, 1))
    size = rng.choice([0.0, 0.0, 0.3, 1.0, 3.0], (rows, 1))
    noise = rng.standard_normal((rows, styles)) * others * size * way.std().item() * 3
    return way * torch.from_numpy(share[:, None] * through).float() + torch.from_numpy(noise).float()


def shown_value(images: Tensor, references: Tensor) -> np.ndarray:
    """Which value the pictures show of a factor.

    Args:
        images: float32 [n, 3, H, W] in [-1, 1].
        references: float32 [n, V, 3, H, W], the same persons with every value.

    Returns:
        int64 [n]: the value; V where it is none; ``UNKNOWN`` where that cannot be said.
    """
    values = references.shape[1]
    changes = (references - references.mean(1, keepdim=True)).abs().amax((1, 2), keepdim=True) > REGION
    region = changes[:, 0].float()  # [n, 1, H, W]
    distance = ((images[:, None] - references).square() * region[:, None]).sum((2, 3, 4))  # [n, V]
    nearest = distance.argmin(1)
    chosen = references[torch.arange(len(images)), nearest]
    between = ((references - chosen[:, None]).square() * region[:, None]).sum((2, 3, 4))
    between[torch.arange(len(images)), nearest] = torch.inf
    way = between.amin(1)
    ratio = distance.amin(1) / way.clamp(min=LEAST)
    shown = torch.where(ratio < SHOWN, nearest, torch.where(ratio > AWAY, values, UNKNOWN))
    found: np.ndarray = shown.masked_fill(way < LEAST, UNKNOWN).numpy()
    return found


def spoiled_pixels(pictures: np.ndarray, values: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Spoil portraits in their pixels, each in one of six ways.

    Args:
        pictures: uint8 [n, 64, 64, 3].
        values: int64 [n, F], what they show.
        rng: draws the ways.

    Returns:
        Pictures float32 [n, 3, 64, 64] in [-1, 1] and labels int64 [n, F].
    """
    images, n = to_float(pictures), len(pictures)
    other = rng.permutation(n)
    differ = values != values[other]
    labels = np.where(np.ones_like(differ), NONE, UNKNOWN)
    spoiled = images.clone()
    for row, way in enumerate(rng.integers(6, size=n)):
        if way <= 1:  # laid over one another, or halves
            share = torch.full((1, 64, 64), float(rng.uniform(0.3, 0.7))) if way == 0 else _half(rng)
            spoiled[row] = share * images[row] + (1 - share) * images[other[row]]
            labels[row] = np.where(differ[row], NONE, UNKNOWN)
        elif way == 2:
            spoiled[row] = images[rng.choice(n, min(n, 8), replace=False)].mean(0)
        elif way == 3:
            spoiled[row] = _shuffled(images[row], int(rng.choice([4, 8, 16])), rng)
        elif way == 4:
            noise = torch.from_numpy(rng.standard_normal((3, 64, 64), dtype=np.float32))
            spoiled[row] = images[row] * float(rng.uniform(0, 0.6)) + noise * float(rng.uniform(0.5, 1.0))
        else:
            small = int(rng.choice([2, 4, 6]))
            spoiled[row] = F.interpolate(F.adaptive_avg_pool2d(images[row : row + 1], small), 64, mode="bilinear")[0]
    return spoiled, labels


def _half(rng: np.random.Generator) -> Tensor:
    """1 on one side of a line through the middle of the picture, 0 on the other: float32 [1, 64, 64]."""
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-6, 6)
    y, x = np.mgrid[-31.5:32:1, -31.5:32:1]
    return torch.from_numpy((np.cos(angle) * x + np.sin(angle) * y > offset)[None].astype(np.float32))


def _shuffled(image: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """Square tiles of ``side`` px in another order."""
    tiles = F.unfold(image[None], side, stride=side)
    order = torch.from_numpy(rng.permutation(tiles.shape[2]))
    return F.fold(tiles[:, :, order], (64, 64), side, stride=side)[0]
