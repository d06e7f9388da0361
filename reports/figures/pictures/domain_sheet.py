"""One picture that shows what a domain with shipped networks is worth: its images, samples and measurements."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import torch

from eval.domains.avatars import datasets
from eval.domains.avatars.domain import AvatarsDomain
from eval.domains.avatars.factors import FACTORS
from eval.domains.avatars.renderer import render
from eval.domains.faces.domain import FacesDomain
from eval.pixels import to_uint8

COLUMNS = 12
LINE_LETTERS = 190
Rows = list[tuple[str, np.ndarray]]


def _values_row(factor: str) -> np.ndarray:
    """One portrait that hides nothing, with every value of a factor: uint8 [values, H, W, 3]."""
    person = datasets.portraits("calibration", 1).changed({"top": "short", "accessories": "none", "eyes": "open"})
    return np.concatenate([render(person.changed({factor: value})) for value in FACTORS[factor]])


def avatars_rows(domain: AvatarsDomain) -> Rows:
    """Captioned rows of pictures, uint8 [n, H, W, 3] each."""
    sources = domain.test_sources(COLUMNS)
    with torch.inference_mode():
        inverted = domain.editing.images(sources.latents)
        sampled = domain.editing.images(domain.sample(2 * COLUMNS, 0))
        first, last = domain.sample(1, 7), domain.sample(1, 8)
        steps = torch.linspace(0, 1, COLUMNS)[:, None, None].to(first.w_plus)
        between = domain.editing.synthesis(first.w_plus + steps * (last.w_plus - first.w_plus))
    rows = [
        ("test portraits, rendered", to_uint8(sources.images[:])),
        ("the same, inverted", to_uint8(inverted)),
        ("samples of the generator", to_uint8(sampled[:COLUMNS])),
        ("", to_uint8(sampled[COLUMNS:])),
        ("from one sample to another", to_uint8(between)),
    ]
    for prompt in domain.prompts[:: max(1, len(domain.prompts) // 4)][:4]:
        rows.append((f"counterfactual of “{prompt.target}”", to_uint8(domain.counterfactuals("test", COLUMNS, prompt))))
    rows += [(f"values of {factor.replace('_', ' ')}", _values_row(factor)) for factor in FACTORS]
    return rows


def faces_rows(domain: FacesDomain) -> Rows:
    """Captioned rows of pictures, uint8 [n, H, W, 3] each: faces that runs edit, samples, labelled faces."""
    from eval.domains.faces.labelled import read
    from eval.domains.faces.networks import FACTORS as READ
    from eval.domains.faces.networks import LABELS

    sources, labels = domain.test_sources(2 * COLUMNS), read("held_out")
    with torch.inference_mode():
        first, last = domain.sample(1, 7), domain.sample(1, 8)
        steps = torch.linspace(0, 1, COLUMNS)[:, None, None].to(first.w_plus)
        between = domain.editing.synthesis(first.w_plus + steps * (last.w_plus - first.w_plus))
    rows = [
        ("test faces", to_uint8(sources.images[:COLUMNS])),
        ("", to_uint8(sources.images[COLUMNS : len(sources)])),
        ("from one sample to another", to_uint8(between)),
    ]
    for factor in list(READ)[:8]:
        for value, name in zip(READ[factor][1:], LABELS[factor], strict=True):
            seeds = [int(seed) for seed in labels.index[labels[name] == 1][: COLUMNS // 2]]
            pictures = domain.generator.pictures(domain.generator.w(seeds)).permute(0, 2, 3, 1).numpy()
            rows.append((f"{factor.replace('_', ' ')}: {value} (by eye)", pictures))
    return rows


def measured_lines(domain: AvatarsDomain | FacesDomain) -> list[str]:
    """The measurements of every network's card."""
    lines = []
    for network in domain.shipped:
        measured = domain.card(network)["measured"]
        kept = {name: value for name, value in measured.items() if ": " not in name or name.endswith(": mean")}
        if len(kept) < 2:  # of a judge that has no mean
            kept = {name.partition(": ")[2] or name: value for name, value in measured.items()}
        parts = [f"{name} {_short(value)}" for name, value in kept.items()]
        lines += textwrap.wrap(f"{network}: " + ", ".join(parts), LINE_LETTERS)
    return lines


def _short(value: float | str) -> str:
    """A measurement without its interval; counts are whole numbers."""
    return f"{value:.3g}" if isinstance(value, float) else str(value).partition(" ")[0]


def draw_sheet(domain: AvatarsDomain | FacesDomain, out: Path) -> Path:
    """Draw the sheet as PNG; returns the file written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = avatars_rows(domain) if isinstance(domain, AvatarsDomain) else faces_rows(domain)
    lines = measured_lines(domain)
    height = 0.72 * len(rows) + 0.2 * len(lines) + 0.5
    figure = Figure(figsize=(11.5, height), dpi=120)
    FigureCanvasAgg(figure)
    top = 1 - 0.4 / height
    figure.text(0.01, 1 - 0.12 / height, f"Domain {domain.name}", fontsize=13, weight="bold", va="top")
    for number, (caption, pictures) in enumerate(rows):
        strip = np.concatenate(list(pictures), axis=1)
        bottom = top - 0.72 * (number + 1) / height
        figure.text(0.01, bottom + 0.34 / height, caption, fontsize=8, va="center")
        width = 0.78 * len(pictures) / COLUMNS
        axes = figure.add_axes((0.21, bottom, width, 0.70 / height))
        axes.imshow(strip, aspect="auto", interpolation="lanczos")
        axes.set_axis_off()
    bottom = top - (0.72 * len(rows) + 0.1) / height
    figure.text(0.01, bottom, "\n".join(lines), fontsize=7.5, va="top", linespacing=1.5)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
    return out
