"""Measure what sharing a run out gains: one worker against N, one thread each, on the same units of work.

    OMP_NUM_THREADS=1 python benchmarks/workers.py --workers 2 --images 100 --prompts 4 --ray

With ``--ray`` the N workers are actors of a local Ray cluster besides, whose seconds of the wall show what Ray adds.

Two clocks: the wall's, which counts other work of the machine as well, and the processor's: seconds of the busiest
worker, which is what the wall would say if every worker had a core for itself. ``start`` is what a worker takes before
its first unit (libraries, networks), which a run pays once.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from eval.domains import load_domain
from eval.editors.registry import parse_methods
from eval.judging.recipes import recipes
from eval.runs.executors.processes import Processes
from eval.runs.executors.ray import Ray
from eval.runs.executors.schedule import Schedule
from eval.runs.executors.setup import Setup
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.store import Store

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measured(executor, store):
    """Wall and processor seconds of the work, and of the start, by worker; of Ray's actors those of the wall."""
    setup = executor.setup
    schedule = Schedule(setup.arguments, [spec.label for spec in setup.specs], store, setup.arguments.strengths)
    began, first, last = time.perf_counter(), {}, {}
    started = None
    for outcome in executor.outcomes(schedule, lambda unit: None):
        for pid in getattr(executor, "process_ids", ()):
            last[pid] = cpu_seconds(pid)
            first.setdefault(pid, last[pid])  # the first fit, made when the networks were there
        started = started or time.perf_counter()
        schedule.ended(outcome)
        if outcome.error:
            raise SystemExit(outcome.error)
    wall_s = time.perf_counter() - started
    seconds = {"wall_s": wall_s, "start_wall_s": started - began}
    if busy := [last[pid] - first[pid] for pid in last]:
        seconds |= {"busiest_s": max(busy), "all_s": sum(busy)}
    return seconds


@click.command()
@click.option("--methods", default="deltaedit,styleclip-global")
@click.option("--images", default=100)
@click.option("--prompts", default=4)
@click.option("--batch", default=25)
@click.option("--workers", default=2)
@click.option("--ray", is_flag=True)
def main(methods, images, prompts, batch, workers, ray):
    """Print one line for one worker, one for WORKERS and one for as many of Ray's, and the ratios."""
    domain = load_domain("avatars")
    specs, _ = parse_methods(methods)
    labels = tuple(spec.label for spec in specs)
    arguments = Arguments(
        "avatars", labels, domain.prompts[:prompts], images, parse_strengths("default,calibrated"), 0, batch
    )
    crews = {"1 worker": partial(Processes, count=1), f"{workers} workers": partial(Processes, count=workers)}
    if ray:
        crews[f"{workers} of Ray"] = partial(Ray, workers=workers)
    found = []
    for name, crew in crews.items():
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "run")
            told = manifest(domain, arguments, specs, recipes(domain))
            factors = {name: list(values) for name, values in domain.factors.items()}
            store.claim(told, [asdict(prompt) for prompt in arguments.prompts], factors)
            setup = Setup(partial(load_domain, "avatars"), arguments, specs, store.folder)
            found.append(measured(crew(setup), store))
        numbers = ", ".join(f"{clock} {seconds:.1f}" for clock, seconds in found[-1].items())
        click.echo(f"{name}: {numbers}")
    for clock in ("wall_s", "busiest_s"):
        click.echo(f"gained by {clock}: {found[0][clock] / found[1][clock]:.2f}")
    if ray:
        click.echo(f"Ray takes {found[2]['wall_s'] / found[1]['wall_s']:.2f} of the processes' wall_s")


if __name__ == "__main__":
    main()
