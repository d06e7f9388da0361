"""Do 95 % intervals cover? Synthetic experiments with a known truth.

    python benchmarks/coverage.py [--experiments 500] [--seed 0] [--tables coverage shares few] [--sizes 200x16]

Prints the tables of docs/statistics.md. Every entry has draws of its own, so that tables made in several processes are
those of one.
"""

from __future__ import annotations

import numpy as np
from simulated_cells import DIFFERENCES, EFFECTS, SHARES, experiment, of_entry, percent, print_header, print_row, run

from eval.statistics import LIKE_THESE
from eval.statistics.intervals import estimate

SIZES = ((50, 16), (50, 8), (200, 16))  # images, prompts
FEW = ((50, 4), (50, 2))
OF_TABLES = ((20, 1), (50, 1), (200, 1), (20, 16), (50, 16), (200, 16))  # what tables of a run print
BATCH = 25  # experiments that share bootstrap draws
DRAWS = 1000
OUTCOMES = (
    *("normal", "skewed", "heavy tails"),
    *("share 50 %", "share 90 %", "share 97 %", "preservation 95 %", "difference of shares"),
)
NEAR_ONE = (
    *("normal", "skewed", "share 50 %", "share 90 %", "share 99 %", "preservation 95 %"),
    *("difference of 50 %", "difference of shares", "difference of 99 %"),
)


def coverage(rng, outcome, effects, size, population, experiments):
    """Share of 95 % intervals that hold the truth."""
    covered = 0
    for first in range(0, experiments, BATCH):
        made = [experiment(rng, outcome, effects, size, population) for _ in range(min(BATCH, experiments - first))]
        truth = np.array([row[1] for row in made])
        values, paired = np.array([row[0] for row in made]), outcome in DIFFERENCES
        shares = np.full(len(made), paired or outcome in SHARES)
        found = estimate(values, shares, population, int(rng.integers(2**31)), DRAWS, paired=paired)
        covered += int(((found.low <= truth) & (truth <= found.high)).sum())
    return covered / experiments


def print_coverage(seed, experiments, populations, sizes=None, effects_of=EFFECTS, repeat_outside=True):
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
    if repeat_outside and outside:
        repeat_coverage(outside, seed, 5 * experiments)


def print_few(seed, experiments, populations, sizes=None):
    """The same for prompts too few to speak of others like them."""
    if LIKE_THESE in populations:
        print_coverage(seed, experiments, [LIKE_THESE], sizes or FEW, [EFFECTS[0], EFFECTS[2]], repeat_outside=False)


def repeat_coverage(settings, seed, experiments):
    """Coverage of single settings, from other draws."""
    print(f"Those outside, once more, % of {experiments} new experiments:\n")
    print_header("population", "images x prompts", "variance", "outcome", "coverage")
    for outcome, effects, size, population in settings:
        rng = of_entry(seed, "again", population, size, effects.name, outcome)
        share = coverage(rng, outcome, effects, size, population, experiments)
        print_row(population, "{} x {}".format(*size), effects.name, outcome, percent(share, 0.92, 0.98))
    print()


def print_shares(seed, experiments, populations, sizes=None):
    """What tables print: one prompt or 16, shares up to 99 % and their differences; bold outside of 93 to 97 %."""
    print(f"Coverage of 95 % intervals of what tables print, % of {experiments} experiments:\n")
    print_header("population", "images x prompts", "variance", *NEAR_ONE)
    for population in populations:
        for size in sizes or OF_TABLES:
            if population == LIKE_THESE and size[1] == 1:
                continue
            for effects in EFFECTS if size[1] > 1 else EFFECTS[3:]:
                texts = []
                for outcome in NEAR_ONE:
                    rng = of_entry(seed, "tables", population, size, effects.name, outcome)
                    found = coverage(rng, outcome, effects, size, population, experiments)
                    texts.append(percent(found, 0.93, 0.97))
                print_row(population, "{} x {}".format(*size), effects.name, *texts)
    print(flush=True)


TABLES = {"coverage": print_coverage, "shares": print_shares, "few": print_few}

if __name__ == "__main__":
    run(__doc__.splitlines()[0], TABLES)
