"""kill -9 at random moments: after the same command again everything is as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from pathlib import Path

from tests.faults.product import Case

MOST_KILLS_A_RUN = 6  # then the run is left to end, so that there is something to compare


class Found(Exception):
    """Something that must not be; says what."""


def kill_often(root: Path, wanted: dict[str, str], whole_s: float, kills: int, seed: int) -> Counter[str]:
    """Kill runs until so many kills are done.

    Args:
        root: folder to work in.
        wanted: contents of a run that nothing happened to.
        whole_s: seconds that such a run takes.
        kills: how many.
        seed: of the moments.

    Returns:
        What the killed processes were doing -> how often.

    Raises:
        Found: a run that ends otherwise.
    """
    draw, phases, number = random.Random(seed), Counter[str](), 0
    while phases.total() < kills:
        number += 1
        case = Case(root / f"kill-{number}")
        here = _one_run(case, draw, whole_s, min(MOST_KILLS_A_RUN, kills - phases.total()), wanted)
        phases += here
        print(f"{phases.total():4d} kills; the last run had {here.total()} and is the same", flush=True)
        shutil.rmtree(case.root)
    return phases


def _one_run(case: Case, draw: random.Random, whole_s: float, most: int, wanted: dict[str, str]) -> Counter[str]:
    """One run, killed at most so often, then finished."""
    phases, finished = Counter[str](), {}
    while phases.total() < most:
        process = case.start()
        time.sleep(draw.uniform(0, whole_s))
        if not process.kill():
            break
        phases[case.phase()] += 1
        _check_kept(finished, case.chunks())
        finished = case.chunks()
    code = case.finish()
    if code != 0:
        raise Found(f"{case.root}: the same command again ended with {code}:\n{case.log}")
    _check_kept(finished, case.chunks())
    check_same(case, wanted)
    return phases


def _check_kept(before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]) -> None:
    again = [name for name, state in before.items() if now.get(name) != state]
    if again:
        raise Found(f"Finished chunks were computed twice: {', '.join(again[:3])}.")


def check_same(case: Case, wanted: dict[str, str]) -> None:
    """Refuse contents other than those wanted, and half-written files.

    Raises:
        Found: it names the first.
    """
    found = case.contents()
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            how = "is missing" if name not in found else "should not be there" if name not in wanted else "differs"
            raise Found(f"{case.folder}: {name} {how}. The last command said:\n{case.log}")
    if case.leftovers():
        raise Found(f"{case.root} holds half-written files: {', '.join(case.leftovers()[:3])}.")
