"""Measure what sharing a run out gains: one worker against N, one thread each, on the same units of work.

    OMP_NUM_THREADS=1 python benchmarks/workers.py --workers 2 --images 100 --prompts 4

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


def measured(setup, store, workers):
    """Wall and processor seconds of the work, and of the start, by worker."""
    executor = Processes(setup, workers)
    schedule = Schedule(setup.arguments, [spec.label for spec in setup.specs], store, setup.arguments.strengths)
    began, first, last = time.perf_counter(), {}, {}
    started = None
    for outcome in executor.outcomes(schedule, lambda unit: None):
        for pid in executor.process_ids:
            last[pid] = cpu_seconds(pid)
            first.setdefault(pid, last[pid])  # the first fit, made when the networks were there
        started = started or time.perf_counter()
        schedule.ended(outcome)
        if outcome.error:
            raise SystemExit(outcome.error)
    wall_s = time.perf_counter() - started
    busy = [last[pid] - first[pid] for pid in last]
    return {"wall_s": wall_s, "start_wall_s": started - began, "busiest_s": max(busy), "all_s": sum(busy)}


@click.command()
@click.option("--methods", default="deltaedit,styleclip-global")
@click.option("--images", default=100)
@click.option("--prompts", default=4)
@click.option("--batch", default=25)
@click.option("--workers", default=2)
def main(methods, images, prompts, batch, workers):
    """Print one line for one worker and one for WORKERS, and the ratios."""
    domain = load_domain("avatars")
    specs, _ = parse_methods(methods)
    labels = tuple(spec.label for spec in specs)
    arguments = Arguments(
        "avatars", labels, domain.prompts[:prompts], images, parse_strengths("default,calibrated"), 0, batch
    )
    found = {}
    for count in (1, workers):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "run")
            told = manifest(domain, arguments, specs, recipes(domain))
            factors = {name: list(values) for name, values in domain.factors.items()}
            store.claim(told, [asdict(prompt) for prompt in arguments.prompts], factors)
            setup = Setup(partial(load_domain, "avatars"), arguments, specs, store.folder, threads=1)
            found[count] = measured(setup, store, count)
        numbers = ", ".join(f"{name} {value:.1f}" for name, value in found[count].items())
        click.echo(f"{count} worker{'s' if count > 1 else ''}: {numbers}")
    for clock in ("wall_s", "busiest_s"):
        click.echo(f"ratio by {clock}: {found[1][clock] / found[workers][clock]:.2f}")


if __name__ == "__main__":
    main()
