"""kill -9 at random moments: after the same command again everything is as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.faults.product import Case, Process

LONGEST_PAUSE_S = 0.02  # of it the process may wait for the disk
MOST_KILLS_A_RUN = 6  # then the run is left to end, so that there is something to compare


class Whole(NamedTuple):
    """A run that nothing happened to.

    Attributes:
        contents: see ``Case.contents``.
        work_s: seconds of the processor that it takes.
        files: how many it writes.
    """

    contents: dict[str, str]
    work_s: float
    files: int


class Found(Exception):
    """Something that must not be; says what."""


def kill_often(root: Path, whole: Whole, kills: int, seed: int) -> Counter[str]:
    """Kill runs until so many kills are done.

    Args:
        root: folder to work in.
        whole: what must come out.
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
        here = _one_run(case, draw, whole, min(MOST_KILLS_A_RUN, kills - phases.total()))
        phases += here
        print(f"{phases.total():4d} kills; the last run had {here.total()} and is the same", flush=True)
        shutil.rmtree(case.root)
    return phases


def _one_run(case: Case, draw: random.Random, whole: Whole, most: int) -> Counter[str]:
    """One run, killed at most so often, then finished."""
    phases, finished = Counter[str](), {}
    while phases.total() < most:
        process = case.start()
        _let_go_on(process, case, draw, whole)
        if not process.kill():
            break
        phases[case.phase()] += 1
        _check_kept(finished, case.chunks())
        finished = case.chunks()
    code = case.finish()
    if code != 0:
        raise Found(f"{case.root}: the same command again ended with {code}:\n{case.log}")
    _check_kept(finished, case.chunks())
    check_same(case, whole)
    return phases


def _let_go_on(process: Process, case: Case, draw: random.Random, whole: Whole) -> None:
    """Until a random moment: of its work, or between the files that it writes, which are close to one another."""
    if draw.random() < 0.5:
        seconds = draw.uniform(0, whole.work_s)
        process.until(lambda: process.used_s() >= seconds)
    else:
        files = draw.randint(0, whole.files)
        process.until(lambda: case.written() >= files)
    time.sleep(draw.uniform(0, LONGEST_PAUSE_S))


def _check_kept(before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]) -> None:
    again = [name for name, state in before.items() if now.get(name) != state]
    if again:
        raise Found(f"Finished chunks were computed twice: {', '.join(again[:3])}.")


def check_same(case: Case, whole: Whole) -> None:
    """Refuse contents other than those wanted, and half-written files.

    Raises:
        Found: it names the first.
    """
    found, wanted = case.contents(), whole.contents
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            how = "is missing" if name not in found else "should not be there" if name not in wanted else "differs"
            raise Found(f"{case.folder}: {name} {how}. The last command said:\n{case.log}")
    if case.leftovers():
        raise Found(f"{case.root} holds half-written files: {', '.join(case.leftovers()[:3])}.")
