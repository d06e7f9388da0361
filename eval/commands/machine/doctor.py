"""`deltabench doctor`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

WIDTH, LABEL = 80, 12


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def doctor(as_json: bool) -> None:
    """Say what this machine has to compute with, and what would be slow on it and why."""
    from eval.machine.facts import facts
    from eval.machine.slow import slow_points

    found = facts()
    slow = list(slow_points(found))
    if as_json:
        click.echo(json.dumps({**found, "slow": slow}, ensure_ascii=False))
        return
    for label, value in rows(found):
        click.echo(_wrapped(label, value))
    click.echo()
    for sentence in slow or ["Nothing is known that would make a run slow here."]:
        click.echo(_wrapped("slow" if slow else "", sentence))


def _wrapped(label: str, value: str) -> str:
    """One row of at most 80 letters a line."""
    lines = textwrap.wrap(value, WIDTH - LABEL, break_on_hyphens=False) or [""]
    return "\n".join(f"{label if number == 0 else '':{LABEL}}{line}" for number, line in enumerate(lines))


def rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the table says, row by row."""
    processor, memory, threads = found["processor"], found["memory"], found["threads"]
    load = "" if processor["load"] is None else f", load {processor['load']:.1f}"
    cores = f"{processor['usable']:g} of {processor['cores']} cores usable"
    yield "processor", f"{processor['name']}; {cores}, {processor['vectors']}{load}"
    yield "memory", ", ".join(part for part in map(_gib, memory.items()) if part) or "not told by the system"
    for device in found["devices"]:
        if device["device"] != "cpu":
            free = "" if device["free_gib"] is None else f"{device['free_gib']:.1f} of "
            yield device["device"], f"{device['name']}, {free}{device['total_gib']:.1f} GiB free"
    yield "computes on", f"{found['chosen']} (--device auto)"
    yield "BLAS", f"PyTorch: {found['blas']['torch']}; NumPy: {found['blas']['numpy']}"
    variables = ", ".join(f"{name}={value or 'not set'}" for name, value in threads.items() if name.isupper())
    yield "threads", f"{threads['torch']} in an operation, {threads['between_operations']} between; {variables}"
    yield "versions", ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    yield "system", found["system"]
    yield "cache", f"{found['cache']['folder']} ({found['cache']['free_gib']:.1f} GiB free)"
    yield from found["weights"].items()


def _gib(pair: tuple[str, float | None]) -> str:
    name, size = pair
    return "" if size is None else f"{size:.1f} GiB {name.removesuffix('_gib').replace('_', ' ')}"
