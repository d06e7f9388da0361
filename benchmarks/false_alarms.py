"""Does the corrected test raise false alarms, and has it the power that is announced? Synthetic experiments.

    python benchmarks/false_alarms.py [--experiments 500] [--seed 0] [--tables alarms power] [--sizes 200x16]

Prints the tables of docs/statistics.md, of cells simulated as for the coverage of intervals.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from simulated_cells import (
    EFFECTS,
    FACTORS,
    experiment,
    missing_rates,
    noise,
    of_entry,
    percent,
    print_header,
    print_row,
    run,
)

from eval.statistics import (
    LIKE_THESE,
    THESE_PROMPTS,
    holm,
    image_bootstrap,
    minimum_detectable_effect,
    sign_flip_p,
    two_way_bootstrap,
)
from eval.statistics.permutation import share_as_extreme, sign_patterns, studentised

SIZES = ((50, 16), (50, 8), (200, 16), (20, 16))  # images, prompts
BATCH = 25  # experiments that share bootstrap draws
FLIPS = 1000
LEVEL = 0.05
METRICS = ("normal", "share", "heavy tails", "preservation")


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
        bounded = metric in ("share", "preservation")
        common = rng.normal(size=(images, 1)) + rng.normal(size=(1, prompts))
        cells = []
        for _ in range(editors):
            prompt = effects.prompt * noise(rng, (1, prompts), outcome)
            if population == THESE_PROMPTS:
                prompt = 0 * prompt if bounded else prompt - (rates * prompt[0]).sum() / rates.sum()
            own = common + effects.image * noise(rng, (images, 1), outcome) + prompt
            values = [
                own + effects.cell * noise(rng, size, outcome)
                for _ in range(FACTORS if metric == "preservation" else 1)
            ]
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


def print_false_alarms(seed, experiments, populations, sizes=None):
    """Tables of false alarms of single tests and of families."""
    print(f"False alarms where no editor differs, % of {experiments} experiments of 12 tests (3 pairs x 4 metrics);")
    print("single test below 5 % / any of the 12 below 5 % after Holm:\n")
    print_header(
        "population", "images x prompts", "variance", "test used", "images flipped only", "prompts flipped only"
    )
    for population in populations:
        for size in sizes or SIZES:
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
            found = false_alarms(rng, effects, SIZES[0], population, experiments, 8, METRICS[:1])
            print_row(population, effects.name, "{:.1f} / {:.1f}".format(*(100 * share for share in found["chosen"])))
    print()


def print_power(seed, experiments, populations, sizes=None):
    """Table of the power at the minimum detectable effect."""
    print(f"Power at the minimum detectable effect (announced: 80 %), % of {experiments} experiments:\n")
    print_header("population", "images x prompts", *[effects.name for effects in EFFECTS])
    for population in populations:
        for size in sizes or SIZES:
            row = [
                power_at_detectable(
                    of_entry(seed, "power", population, size, effects.name), effects, size, population, experiments
                )
                for effects in EFFECTS
            ]
            print_row(population, "{} x {}".format(*size), *[percent(share) for share in row])
    print()


TABLES = {"alarms": print_false_alarms, "power": print_power}

if __name__ == "__main__":
    run(__doc__.splitlines()[0], TABLES)
