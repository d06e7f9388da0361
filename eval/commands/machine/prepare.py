"""`deltabench prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eval.commands.machine.options import device_option, say_device
from eval.errors import UsageError

if TYPE_CHECKING:
    from deltaedit.tools.artefacts import Artefact
    from deltaedit.tools.domain import EditingDomain


@click.command()
@click.option("--domain", default="avatars", show_default=True, help="Whose generator; see `deltabench domains`.")
@click.option("--shard", default=None, metavar="I/N", help="Compute only part I of N of R_s; the last joins them.")
@click.option("--relevance-only", is_flag=True, help="Leave the Delta Mapper out.")
@device_option
def prepare(domain: str, shard: str | None, relevance_only: bool, device: str | None) -> None:
    """Compute what editors need of a generator before their first edit: R_s, and DeltaEdit's mapper.

    Shards of R_s may be computed anywhere that shares the cache folder ($DELTABENCH_CACHE), each again after a kill;
    the one that ends last joins them. Under torchrun all processes share R_s and each batch of the mapper's training:

    torchrun --nproc-per-node 8 -m deltabench prepare --domain ffhq
    """
    from eval.domains import load_domain
    from eval.machine.processes import joined_processes, own_device

    number, count = parsed_shard(shard)
    with joined_processes(device) as (rank, processes):
        if processes > 1 and count > 1:
            raise UsageError("--shard and torchrun both share R_s out; use one of them.")
        number, count = (rank + 1, processes) if processes > 1 else (number, count)
        loaded = load_domain(domain, device=own_device(device, rank))
        say_device(loaded, quiet=rank > 0)
        if not _relevance(loaded.editing, number, count, quiet=rank > 0) or relevance_only or shard is not None:
            return
        _mapper(loaded.editing, quiet=rank > 0)


def parsed_shard(text: str | None) -> tuple[int, int]:
    """``2/8`` as numbers; 1 and 1 for all.

    >>> parsed_shard("2/8")
    (2, 8)

    Raises:
        UsageError: something else.
    """
    if text is None:
        return 1, 1
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard must be I/N with I from 1 to N, for example 2/8. Got '{text}' instead.")
    return int(number), int(count)


def _relevance(domain: EditingDomain, number: int, count: int, quiet: bool) -> bool:
    """Whether R_s is there in the end."""
    from deltaedit.relevance import domain_relevance
    from deltaedit.tools.distributed import is_first, wait_for_all
    from eval.machine.relevance_parts import RelevanceParts
    from eval.progress import Progress

    if domain.relevance_by_derivative and count == 1:
        _told(domain_relevance(domain), quiet)
        return True
    parts = RelevanceParts(domain)
    found = parts.found()
    if found is None:
        mine = parts.of_shard(number, count)
        with Progress(sum(part.stop - part.first for part in mine), quiet) as progress:
            progress.describe(f"R_s, part {number} of {count}")
            parts.compute(mine, progress.advance)
        wait_for_all()
        missing = len(parts.missing())
        if missing:
            click.echo(f"{missing} of {len(parts.parts)} parts of R_s are missing; compute the other shards.")
            return False
        if is_first():
            parts.joined()
        wait_for_all()
        found = parts.found()
    _told(found, quiet)
    return True


def _mapper(domain: EditingDomain, quiet: bool) -> None:
    """Train DeltaEdit's mapper with its published settings, or find it."""
    from deltaedit.editor import trained_mapper
    from deltaedit.settings import Settings
    from eval.progress import Progress

    settings, done = Settings(), 0
    with Progress(settings.steps, quiet) as progress:

        def report(step: int, steps: int, losses: dict[str, float]) -> None:
            nonlocal done
            progress.advance(step - done)
            done = step
            progress.describe(f"Delta Mapper, validation loss {losses['validation']:.4f}")

        _told(trained_mapper(domain, settings, report), quiet)


def _told(artefact: Artefact | None, quiet: bool) -> None:
    if artefact is not None and not quiet:
        click.echo(f"  {artefact.path}")
