"""Do 95 % intervals cover, and does the corrected test raise false alarms? Synthetic experiments with a known truth.

    python benchmarks/coverage.py [--experiments 500] [--seed 0] [--tables coverage few alarms power] [--sizes 200x16]

Prints the tables of docs/statistics.md. An experiment is a table of cells, images x prompts, made of random effects of
image, prompt and cell; a share of the cells that depends on the prompt is missing, as ineligible cells are. Every entry
has draws of its own, so that tables made in several processes are those of one.
"""

from __future__ import annotations

import argparse
import zlib
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter, process_time

import numpy as np
from scipy.special import ndtr, ndtri

from eval.statistics import (
    LIKE_THESE,
    POPULATIONS,
    THESE_PROMPTS,
    holm,
    image_bootstrap,
    minimum_detectable_effect,
    sign_flip_p,
    two_way_bootstrap,
)
from eval.statistics.permutation import share_as_extreme, sign_patterns, studentised

SIZES = ((50, 16), (50, 8), (200, 16))  # images, prompts
TESTED = (*SIZES, (20, 16))  # sizes of the tables of tests
FEW = ((50, 4), (50, 2))
BATCH = 25  # experiments that share bootstrap draws
DRAWS = 1000
FLIPS = 1000
LEVEL = 0.05
FACTORS = 7  # whose kept share is a value between 0 and 1


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
SHARES = {"share 50 %": 0.5, "share 90 %": 0.9, "share 97 %": 0.97, "kept 95 %": 0.95}
OUTCOMES = ("normal", "skewed", "heavy tails", *SHARES, "difference of shares")


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

    def share(bar):
        """Of cells above the bar: of each prompt, and of all prompts."""
        return ndtr((prompt[0] - bar) / effects.within_prompt), float(ndtr(-bar / effects.total))

    if outcome in SHARES:
        bar = -float(ndtri(SHARES[outcome])) * effects.total
        factors = FACTORS if outcome.startswith("kept") else 1
        values = np.mean([latent() > bar for _ in range(factors)], axis=0)
        by_prompt, overall = share(bar)
    elif outcome == "difference of shares":
        bars = -float(ndtri(0.9)) * effects.total * np.array([1.0, 0.5])
        values = (latent() > bars[0]) * 1.0 - (latent() > bars[1])
        (by_prompt, overall), (other_by_prompt, other) = share(bars[0]), share(bars[1])
        by_prompt, overall = by_prompt - other_by_prompt, overall - other
    else:
        values, by_prompt, overall = 1 + latent(), 1 + prompt[0], 1.0
    truth = overall if population == LIKE_THESE else float((rates * by_prompt).sum() / rates.sum())
    return np.where(counts, values, np.nan), truth


def coverage(rng, outcome, effects, size, population, experiments):
    """Share of 95 % intervals that hold the truth."""
    method = two_way_bootstrap if population == LIKE_THESE else image_bootstrap
    covered = 0
    for first in range(0, experiments, BATCH):
        made = [experiment(rng, outcome, effects, size, population) for _ in range(min(BATCH, experiments - first))]
        truth = np.array([row[1] for row in made])
        found = method(np.array([row[0] for row in made]), rng, DRAWS, shares=np.full(len(made), outcome in SHARES))
        covered += int(((found.low <= truth) & (truth <= found.high)).sum())
    return covered / experiments


METRICS = ("normal", "share", "heavy tails", "kept")


def null_differences(rng, effects, size, population, editors, metrics):
    """Paired differences [T, I, P] of editors without any true difference.

    Effects are those of an editor on an image and on a prompt; for these prompts they cancel over the prompts.
    """
    images, prompts = size
    rates = missing_rates(rng, prompts)
    counts = rng.random(size) < rates
    rows = []
    for metric in metrics:
        outcome = "heavy tails" if metric == "heavy tails" else "normal"
        bounded = metric in ("share", "kept")
        common = rng.normal(size=(images, 1)) + rng.normal(size=(1, prompts))
        cells = []
        for _ in range(editors):
            prompt = effects.prompt * noise(rng, (1, prompts), outcome)
            if population == THESE_PROMPTS:
                prompt = 0 * prompt if bounded else prompt - (rates * prompt[0]).sum() / rates.sum()
            own = common + effects.image * noise(rng, (images, 1), outcome) + prompt
            values = [own + effects.cell * noise(rng, size, outcome) for _ in range(FACTORS if metric == "kept" else 1)]
            cells.append(np.mean([value > -2 for value in values] if bounded else values, axis=0))
        rows += [np.where(counts, a - b, np.nan) for a, b in combinations(cells, 2)]
    return np.array(rows)


def prompt_flips(differences, rng):
    """Flipping the prompts alone, studentised: what the two-way test would be without its other half."""
    signs = sign_patterns(differences.shape[2], FLIPS, rng)
    found = []
    for values in differences:
        present = ~np.isnan(values)
        found.append(share_as_extreme(studentised(np.where(present, values, 0.0).T, present.T, signs)))
    return np.array(found)


def false_alarms(rng, effects, size, population, experiments, editors=3, metrics=METRICS, others=False):
    """Test -> (share of single tests below 5 %, share of experiments with any corrected p below 5 %)."""
    tests = {"chosen": lambda d: sign_flip_p(d, population, rng, FLIPS)}
    if others:
        tests["images only"] = lambda d: sign_flip_p(d, THESE_PROMPTS, rng, FLIPS)
        tests["prompts only"] = lambda d: prompt_flips(d, rng)
    single, family = dict.fromkeys(tests, 0.0), dict.fromkeys(tests, 0)
    for _ in range(experiments):
        differences = null_differences(rng, effects, size, population, editors, metrics)
        for name, test in tests.items():
            p_values = test(differences)
            single[name] += float((p_values < LEVEL).mean())
            family[name] += bool((holm(p_values) < LEVEL).any())
    return {name: (single[name] / experiments, family[name] / experiments) for name in tests}


def power_at_detectable(rng, effects, size, population, experiments):
    """Share of experiments in which a true difference of the announced size is found, uncorrected."""
    method = two_way_bootstrap if population == LIKE_THESE else image_bootstrap

    def draw():
        return np.array([experiment(rng, "normal", effects, size, population) for _ in range(BATCH)], dtype=object)

    announced = []
    for _ in range(8):
        found = method(np.array(list(draw()[:, 0])), rng, 10)
        announced.append(minimum_detectable_effect(found.standard_error, found.degrees_of_freedom))
    difference = float(np.mean(announced))
    hits = []
    for _ in range(max(1, experiments // BATCH)):
        shifted = np.array([values - truth + difference for values, truth in draw()])
        hits.append((sign_flip_p(shifted, population, rng, FLIPS) < LEVEL).mean())
    return float(np.mean(hits))


def of_entry(seed, *names):
    """Generator of one entry of a table."""
    return np.random.default_rng([seed, zlib.crc32(repr(names).encode())])


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


def print_coverage(seed, experiments, populations, sizes=None, effects_of=EFFECTS, again=True):
    """Table of coverage; settings outside of 92 to 98 % are repeated below it with five times the experiments."""
    print(f"Coverage of 95 % intervals, % of {experiments} experiments:\n")
    print_header("population", "images x prompts", "variance", *OUTCOMES)
    every = {}
    for population in populations:
        for size in sizes or SIZES:
            for effects in effects_of:
                row = {}
                for outcome in OUTCOMES:
                    rng = of_entry(seed, population, size, effects.name, outcome)
                    row[outcome, effects, size, population] = coverage(
                        rng, outcome, effects, size, population, experiments
                    )
                every |= row
                texts = [percent(share, 0.92, 0.98) for share in row.values()]
                print_row(population, "{} x {}".format(*size), effects.name, *texts)
    outside = [setting for setting, share in every.items() if not 0.92 <= share <= 0.98]
    shares = list(every.values())
    print(f"\n{len(every) - len(outside)} of {len(every)} settings within 92 to 98 %; lowest ", end="")
    print(f"{percent(min(shares))}, highest {percent(max(shares))}, mean {percent(np.mean(shares))}.\n", flush=True)
    if again and outside:
        repeat_coverage(outside, seed, 5 * experiments)


def print_few(seed, experiments, populations, sizes=None):
    """The same for prompts too few to speak of others like them."""
    if LIKE_THESE in populations:
        print_coverage(seed, experiments, [LIKE_THESE], sizes or FEW, [EFFECTS[0], EFFECTS[2]], again=False)


def repeat_coverage(settings, seed, experiments):
    """Coverage of single settings, from other draws."""
    print(f"Those outside again, % of {experiments} new experiments:\n")
    print_header("population", "images x prompts", "variance", "outcome", "coverage")
    for outcome, effects, size, population in settings:
        rng = of_entry(seed, "again", population, size, effects.name, outcome)
        share = coverage(rng, outcome, effects, size, population, experiments)
        print_row(population, "{} x {}".format(*size), effects.name, outcome, percent(share, 0.92, 0.98))
    print()


def print_false_alarms(seed, experiments, populations, sizes=None):
    """Tables of false alarms of single tests and of families."""
    print(f"False alarms where no editor differs, % of {experiments} experiments of 12 tests (3 pairs x 4 metrics);")
    print("single test below 5 % / any of the 12 below 5 % after Holm:\n")
    print_header(
        "population", "images x prompts", "variance", "test used", "images flipped only", "prompts flipped only"
    )
    for population in populations:
        for size in sizes or TESTED:
            for effects in EFFECTS:
                rng = of_entry(seed, "alarms", population, size, effects.name)
                others = population == LIKE_THESE and size[1] == 16
                found = false_alarms(rng, effects, size, population, experiments, others=others)
                texts = [
                    "{:.1f} / {:.1f}".format(*(100 * share for share in found[name])) if name in found else ""
                    for name in ("chosen", "images only", "prompts only")
                ]
                print_row(population, "{} x {}".format(*size), effects.name, *texts)
    print(f"\n8 editors, 28 tests of one metric, 50 x 16, % of {experiments} experiments:\n")
    print_header("population", "variance", "single test below 5 % / any after Holm")
    for population in populations:
        for effects in EFFECTS[::2]:
            rng = of_entry(seed, "eight", population, effects.name)
            found = false_alarms(rng, effects, TESTED[0], population, experiments, 8, METRICS[:1])
            print_row(population, effects.name, "{:.1f} / {:.1f}".format(*(100 * share for share in found["chosen"])))
    print()


def print_power(seed, experiments, populations, sizes=None):
    """Table of the power at the minimum detectable effect."""
    print(f"Power at the minimum detectable effect (announced: 80 %), % of {experiments} experiments:\n")
    print_header("population", "images x prompts", *[effects.name for effects in EFFECTS])
    for population in populations:
        for size in sizes or TESTED:
            row = [
                power_at_detectable(
                    of_entry(seed, "power", population, size, effects.name), effects, size, population, experiments
                )
                for effects in EFFECTS
            ]
            print_row(population, "{} x {}".format(*size), *[percent(share) for share in row])
    print()


def size_of(text):
    """``200x16`` as a pair of numbers."""
    images, prompts = text.split("x")
    return int(images), int(prompts)


TABLES = {"coverage": print_coverage, "few": print_few, "alarms": print_false_alarms, "power": print_power}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--populations", nargs="+", choices=POPULATIONS, default=list(POPULATIONS))
    parser.add_argument("--sizes", nargs="+", type=size_of, help="images x prompts, for example 200x16; default: all")
    arguments = parser.parse_args()
    began, began_processor = perf_counter(), process_time()
    for table in arguments.tables:
        TABLES[table](arguments.seed, arguments.experiments, arguments.populations, arguments.sizes)
    print(f"{process_time() - began_processor:.0f} s of one core, {perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
