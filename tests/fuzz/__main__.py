"""Inputs at random for every reader: ``python -m tests.fuzz --inputs 10000 --reader codes``.

Every input is made from ``--seed`` and its number alone, so that a fault that is found can be found again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.readers import READERS, generator


def fuzz(name: str, inputs: int, seed: int, first: int, most: int = 5) -> int:
    """Try a reader; the number of faults, at most so many, each with its traceback."""
    faults = was_read = 0
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="deltabench-fuzz-") as folder:
        trial = READERS[name](Path(folder))
        for number in range(first, first + inputs):
            try:
                was_read += trial(generator(name, seed, number))
            except Exception:
                faults += 1
                print(f"{name}: input {number} of --seed {seed}:\n{traceback.format_exc(limit=-8)}", flush=True)
                if faults == most:
                    print(f"{name}: no further inputs after {most} faults", flush=True)
                    break
        tried = number + 1 - first
    took_s = time.process_time() - began
    refused = tried - was_read - faults
    print(f"{name:18} {tried} inputs: {was_read} read, {refused} refused, {faults} faults, {took_s:.0f} s", flush=True)
    return faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="of each reader")
    parser.add_argument("--reader", choices=[*READERS], nargs="*", default=[*READERS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    asked = parser.parse_args()
    sys.exit(1 if sum(fuzz(name, asked.inputs, asked.seed, asked.first) for name in asked.reader) else 0)
