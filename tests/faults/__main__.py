"""Whether a run survives: ``python -m tests.faults --kills 20``. Files are synced here, as in the product."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # forked processes share no pool of threads

from tests.faults.kills import Found, Whole, kill_often
from tests.faults.product import TIMED, Case, preload
from tests.faults.scenarios import SCENARIOS, Skipped


def faults(kills: int, seed: int, only: str) -> int:
    """Try everything; the exit code is 1 where something was not survived."""
    import torch

    torch.set_num_threads(1)
    preload()
    failed, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="deltabench-faults-") as name:
        root = Path(name)
        first, again = Case(root / "whole"), Case(root / "again")
        process = first.start()
        codes = process.wait(), again.finish()
        whole = Whole(first.contents(), process.used_s(), first.written())
        if codes != (0, 0) or whole.contents != again.contents():
            print(f"Two runs that nothing happened to differ, or ended with {codes}:\n{first.log}")
            return 1
        print(f"A run takes {whole.work_s:.1f} s of processor time; {len(whole.contents)} of its files are compared")
        print(f"byte for byte; not compared, for they hold seconds: {', '.join(TIMED)} and the .json of chunks.")
        try:
            phases = kill_often(root / "kills", whole, kills, seed)
            times = ", ".join(f"{phase} {count}" for phase, count in sorted(phases.items()))
            print(f"{phases.total()} of {kills} kills survived, all identical ({times})")
        except Found as error:
            failed += 1
            print(f"FAILED kills: {error}")
        for title, scenario in SCENARIOS.items():
            if only not in title:
                continue
            try:
                scenario(root / title.replace(" ", "-"), whole)
                print(f"survived: {title}", flush=True)
            except Skipped as reason:
                print(f"skipped: {title} ({reason})", flush=True)
            except Found as error:
                failed += 1
                print(f"FAILED {title}: {error}", flush=True)
    print(f"That took {(time.monotonic() - began) / 60:.0f} min.")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kill -9 so often, at random moments")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", default="", help="of the other faults those whose name has this text")
    asked = parser.parse_args()
    sys.exit(faults(asked.kills, asked.seed, asked.only))
