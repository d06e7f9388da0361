"""Tables of simulated cells with a known truth, and what the simulations print: shared by coverage and false_alarms.

An experiment is a table of cells, images x prompts, made of random effects of image, prompt and cell; a share of the
cells that depends on the prompt is missing, as ineligible cells are.
"""

from __future__ import annotations

import argparse
import zlib
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np
from scipy.special import ndtr, ndtri

from eval.statistics import LIKE_THESE, POPULATIONS

FACTORS = 7  # whose preservation is a value between 0 and 1
SHARES = {"share 50 %": 0.5, "share 90 %": 0.9, "share 97 %": 0.97, "share 99 %": 0.99, "preservation 95 %": 0.95}
DIFFERENCES = {"difference of shares": 0.9, "difference of 50 %": 0.5, "difference of 99 %": 0.99}


@dataclass(frozen=True)
class Effects:
    """Standard deviations of the random effects."""

    name: str
    image: float
    prompt: float
    cell: float

    @property
    def total(self):
        """Standard deviation of a cell."""
        return float(np.sqrt(self.image**2 + self.prompt**2 + self.cell**2))

    @property
    def within_prompt(self):
        """Standard deviation of a cell among those of its prompt."""
        return float(np.hypot(self.image, self.cell))


EFFECTS = (
    Effects("all three", 0.5, 0.5, 1.0),
    Effects("mostly image", 1.0, 0.1, 0.5),
    Effects("mostly prompt", 0.1, 1.0, 0.5),
    Effects("cell only", 0.0, 0.0, 1.0),
)


def noise(rng, size, outcome):
    """Mean 0, standard deviation 1."""
    if outcome == "skewed":
        return rng.exponential(size=size) - 1
    if outcome == "heavy tails":
        return rng.standard_t(4, size=size) / np.sqrt(2)
    return rng.normal(size=size)


def missing_rates(rng, prompts):
    """How often a cell of each prompt counts."""
    return rng.uniform(0.6, 1.0, prompts)


def experiment(rng, outcome, effects, size, population):
    """One table of cells [I, P] (NaN where missing) and the mean of the population it was drawn from."""
    images, prompts = size
    image = effects.image * noise(rng, (images, 1), outcome)
    prompt = effects.prompt * noise(rng, (1, prompts), "normal" if outcome == "skewed" else outcome)
    rates = missing_rates(rng, prompts)
    counts = rng.random(size) < rates

    def latent():
        return image + prompt + effects.cell * noise(rng, size, outcome)

    def share(threshold):
        """Of cells above the threshold: of each prompt, and of all prompts."""
        return ndtr((prompt[0] - threshold) / effects.within_prompt), float(ndtr(-threshold / effects.total))

    if outcome in SHARES:
        threshold = -float(ndtri(SHARES[outcome])) * effects.total
        factors = FACTORS if outcome.startswith("preservation") else 1
        values = np.mean([latent() > threshold for _ in range(factors)], axis=0)
        by_prompt, overall = share(threshold)
    elif outcome in DIFFERENCES:
        bars = -float(ndtri(DIFFERENCES[outcome])) * effects.total * np.array([1.0, 0.5])
        values = (latent() > bars[0]) * 1.0 - (latent() > bars[1])
        (by_prompt, overall), (other_by_prompt, other) = share(bars[0]), share(bars[1])
        by_prompt, overall = by_prompt - other_by_prompt, overall - other
    else:
        values, by_prompt, overall = 1 + latent(), 1 + prompt[0], 1.0
    truth = overall if population == LIKE_THESE else float((rates * by_prompt).sum() / rates.sum())
    return np.where(counts, values, np.nan), truth


def of_entry(seed, *names):
    """Generator of one entry of a table; the numbers of docs/statistics.md were drawn while preservation was "kept"."""
    drawn_as = tuple("kept 95 %" if name == "preservation 95 %" else name for name in names)
    return np.random.default_rng([seed, zlib.crc32(repr(drawn_as).encode())])


def print_row(*values):
    """One row of a markdown table."""
    print("| " + " | ".join(values) + " |", flush=True)


def print_header(*names):
    """First two rows of a markdown table."""
    print_row(*names)
    print_row(*["---"] * len(names))


def percent(share, low=0.0, high=1.0):
    """In bold outside of [low, high]."""
    text = f"{100 * share:.1f}"
    return text if low <= share <= high else f"**{text}**"


def size_of(text):
    """``200x16`` as a pair of numbers."""
    images, prompts = text.split("x")
    return int(images), int(prompts)


def run(description, tables, **more):
    """The command line: print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--populations", nargs="+", choices=POPULATIONS, default=list(POPULATIONS))
    parser.add_argument("--sizes", nargs="+", type=size_of, help="images x prompts, for example 200x16; default: all")
    arguments = parser.parse_args()
    began, began_processor = perf_counter(), process_time()
    for table in arguments.tables:
        tables[table](arguments.seed, arguments.experiments, arguments.populations, arguments.sizes)
    print(f"{process_time() - began_processor:.0f} s of one core, {perf_counter() - began:.0f} s", flush=True)
