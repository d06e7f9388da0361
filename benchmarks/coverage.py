"""Do 95 % intervals cover, and does the corrected test raise false alarms? Synthetic experiments with a known truth.

    python benchmarks/coverage.py [--experiments 500] [--seed 0]

Prints the tables of docs/statistics.md. An experiment is a table of cells, images x prompts, made of random effects of
image, prompt and cell; a share of the cells that depends on the prompt is missing, as ineligible cells are.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter

import numpy as np
from scipy.special import ndtr

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

PROMPTS = 16
SIZES = (200, 20)  # images
BATCH = 25  # experiments that share bootstrap draws
DRAWS = 2000
FLIPS = 2000
LEVEL = 0.05


@dataclass(frozen=True)
class Effects:
    """Standard deviations of the random effects."""

    name: str
    image: float
    prompt: float
    cell: float


EFFECTS = (
    Effects("all three", 0.5, 0.5, 1.0),
    Effects("mostly image", 1.0, 0.1, 0.5),
    Effects("mostly prompt", 0.1, 1.0, 0.5),
    Effects("cell only", 0.0, 0.0, 1.0),
)
OUTCOMES = ("normal", "skewed", "share 50 %", "share 90 %", "difference of shares")


def noise(rng, size, skewed):
    """Mean 0, standard deviation 1."""
    return rng.exponential(size=size) - 1 if skewed else rng.normal(size=size)


def missing_rates(rng):
    """How often a cell of each prompt counts."""
    return rng.uniform(0.6, 1.0, PROMPTS)


def experiment(rng, outcome, effects, images, population):
    """One table of cells [I, P] (NaN where missing) and the mean of the population it was drawn from."""
    skewed = outcome == "skewed"
    image = effects.image * noise(rng, (images, 1), skewed)
    prompt = effects.prompt * rng.normal(size=(1, PROMPTS))
    rates = missing_rates(rng)
    counts = rng.random((images, PROMPTS)) < rates

    def latent():
        return image + prompt + effects.cell * noise(rng, (images, PROMPTS), skewed)

    if outcome in ("normal", "skewed"):
        values = 1 + latent()
        by_prompt, overall = 1 + prompt[0], 1.0
    else:
        threshold = -1.2816 * np.hypot(np.hypot(effects.image, effects.prompt), effects.cell)
        chance_spread = np.hypot(effects.image, effects.cell)

        def share(bar):
            given_prompt = ndtr((prompt[0] - bar) / chance_spread)
            return given_prompt, float(ndtr(-bar / np.hypot(chance_spread, effects.prompt)))

        bar = 0.0 if outcome == "share 50 %" else threshold
        values = (latent() > bar).astype(float)
        by_prompt, overall = share(bar)
        if outcome == "difference of shares":
            values -= latent() > 0.5 * threshold
            other_by_prompt, other = share(0.5 * threshold)
            by_prompt, overall = by_prompt - other_by_prompt, overall - other
    truth = overall if population == LIKE_THESE else float((rates * by_prompt).sum() / rates.sum())
    return np.where(counts, values, np.nan), truth


def coverage(rng, outcome, effects, images, population, experiments):
    """Share of 95 % intervals that hold the truth."""
    method = two_way_bootstrap if population == LIKE_THESE else image_bootstrap
    covered = 0
    for first in range(0, experiments, BATCH):
        made = [experiment(rng, outcome, effects, images, population) for _ in range(min(BATCH, experiments - first))]
        truth = np.array([row[1] for row in made])
        shares = np.full(len(made), outcome.startswith("share"))
        found = method(np.array([row[0] for row in made]), rng, DRAWS, shares=shares)
        covered += int(((found.low <= truth) & (truth <= found.high)).sum())
    return covered / experiments


def null_differences(rng, effects, images, population, editors=3, metrics=4):
    """Paired differences [T, I, P] of editors without any true difference: half the metrics shares, half continuous.

    Effects are those of an editor on an image and on a prompt; for these prompts they cancel over the prompts.
    """
    rates = missing_rates(rng)
    counts = rng.random((images, PROMPTS)) < rates
    rows = []
    for metric in range(metrics):
        common = rng.normal(size=(images, 1)) + rng.normal(size=(1, PROMPTS))
        binary = metric % 2 == 1
        cells = []
        for _ in range(editors):
            prompt = effects.prompt * rng.normal(size=(1, PROMPTS))
            if population == THESE_PROMPTS:
                prompt = 0 * prompt if binary else prompt - (rates * prompt[0]).sum() / rates.sum()
            own = effects.image * rng.normal(size=(images, 1)) + prompt
            values = common + own + effects.cell * rng.normal(size=(images, PROMPTS))
            cells.append((values > 0).astype(float) if binary else values)
        rows += [np.where(counts, a - b, np.nan) for a, b in combinations(cells, 2)]
    return np.array(rows)


def prompt_flips(differences, rng):
    """Flipping the prompts alone, studentised: what the two-way test would be without its other half."""
    signs = sign_patterns(PROMPTS, FLIPS, rng)
    found = []
    for values in differences:
        present = ~np.isnan(values)
        found.append(share_as_extreme(studentised(np.where(present, values, 0.0).T, present.T, signs)))
    return np.array(found)


def false_alarms(rng, effects, images, population, experiments):
    """Test -> (share of single tests below 5 %, share of experiments with any corrected p below 5 %)."""
    tests = {"chosen": lambda d: sign_flip_p(d, population, rng, FLIPS)}
    if population == LIKE_THESE:
        tests["images only"] = lambda d: sign_flip_p(d, THESE_PROMPTS, rng, FLIPS)
        tests["prompts only"] = lambda d: prompt_flips(d, rng)
    single, family = dict.fromkeys(tests, 0.0), dict.fromkeys(tests, 0)
    for _ in range(experiments):
        differences = null_differences(rng, effects, images, population)
        for name, test in tests.items():
            p_values = test(differences)
            single[name] += float((p_values < LEVEL).mean())
            family[name] += bool((holm(p_values) < LEVEL).any())
    return {name: (single[name] / experiments, family[name] / experiments) for name in tests}


def power_at_detectable(rng, effects, images, population, experiments):
    """Share of experiments in which a true difference of the announced size is found, uncorrected."""
    method = two_way_bootstrap if population == LIKE_THESE else image_bootstrap

    def draw():
        return np.array([experiment(rng, "normal", effects, images, population) for _ in range(BATCH)], dtype=object)

    announced = []
    for _ in range(8):
        found = method(np.array(list(draw()[:, 0])), rng, 10)
        announced.append(minimum_detectable_effect(found.standard_error, found.degrees_of_freedom))
    size = float(np.mean(announced))
    hits = []
    for _ in range(max(1, experiments // BATCH)):
        made = draw()
        shifted = np.array([values - truth + size for values, truth in made])
        hits.append((sign_flip_p(shifted, population, rng, FLIPS) < LEVEL).mean())
    return float(np.mean(hits))


def print_row(*values):
    """One row of a markdown table."""
    print("| " + " | ".join(values) + " |", flush=True)


def print_coverage(rng, experiments):
    """Table of coverage; settings outside of 92 to 98 % are repeated below it with five times the experiments."""
    print(f"Coverage of 95 % intervals, % of {experiments} experiments:\n")
    print_row("population", "images x prompts", "variance", *OUTCOMES)
    print_row(*["---"] * (3 + len(OUTCOMES)))
    every, outside = [], []
    for population in POPULATIONS:
        for images in SIZES:
            for effects in EFFECTS:
                row = [coverage(rng, outcome, effects, images, population, experiments) for outcome in OUTCOMES]
                every += row
                outside += [
                    (outcome, effects, images, population)
                    for outcome, share in zip(OUTCOMES, row, strict=True)
                    if not 0.92 <= share <= 0.98
                ]
                print_row(population, f"{images} x {PROMPTS}", effects.name, *[f"{100 * share:.1f}" for share in row])
    print(f"\n{len(every) - len(outside)} of {len(every)} settings within 92 to 98 %; lowest ", end="")
    print(f"{100 * min(every):.1f}, highest {100 * max(every):.1f}, mean {100 * np.mean(every):.1f}.\n")
    repeat_coverage(outside, 5 * experiments)


def repeat_coverage(settings, experiments):
    """Coverage of single settings, from draws of their own."""
    print(f"Those outside again, % of {experiments} new experiments:\n")
    print_row("population", "images x prompts", "variance", "outcome", "coverage")
    print_row(*["---"] * 5)
    for number, (outcome, effects, images, population) in enumerate(settings):
        share = coverage(np.random.default_rng([9, number]), outcome, effects, images, population, experiments)
        print_row(population, f"{images} x {PROMPTS}", effects.name, outcome, f"{100 * share:.1f}")
    print()


def print_false_alarms(rng, experiments):
    """Table of false alarms of single tests and of families."""
    print(f"False alarms where no editor differs, % of {experiments} experiments of 12 tests (3 pairs x 4 metrics);")
    print("single test below 5 % / any of the 12 below 5 % after Holm:\n")
    print_row("population", "images x prompts", "variance", "test used", "images flipped only", "prompts flipped only")
    print_row(*["---"] * 6)
    for population in POPULATIONS:
        for images in SIZES:
            for effects in EFFECTS:
                found = false_alarms(rng, effects, images, population, experiments)
                texts = [
                    "{:.1f} / {:.1f}".format(*(100 * share for share in found[name])) if name in found else ""
                    for name in ("chosen", "images only", "prompts only")
                ]
                print_row(population, f"{images} x {PROMPTS}", effects.name, *texts)
    print()


def print_power(rng, experiments):
    """Table of the power at the minimum detectable effect."""
    print(f"Power at the minimum detectable effect (announced: 80 %), % of {experiments} experiments:\n")
    print_row("population", "images x prompts", *[effects.name for effects in EFFECTS])
    print_row(*["---"] * (2 + len(EFFECTS)))
    for population in POPULATIONS:
        for images in SIZES:
            row = [power_at_detectable(rng, effects, images, population, experiments) for effects in EFFECTS]
            print_row(population, f"{images} x {PROMPTS}", *[f"{100 * share:.1f}" for share in row])
    print()


def main():
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = perf_counter()
    for number, table in enumerate((print_coverage, print_false_alarms, print_power)):
        table(np.random.default_rng([arguments.seed, number]), arguments.experiments)
    print(f"{perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
