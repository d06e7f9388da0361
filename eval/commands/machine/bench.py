"""`deltabench bench`."""

from __future__ import annotations

import click

from eval.commands import COUNT
from eval.commands.machine.options import device_option, precision_option, say_device


@click.command()
@click.option("--domain", default="avatars", show_default=True, help="Whose networks; see `deltabench domains`.")
@click.option(
    "--methods",
    default="identity,deltaedit,styleclip-global",
    show_default=True,
    help="Whose costs to measure.",
)
@click.option("--images", default=50, show_default=True, type=COUNT, help="On how many images.")
@device_option
@precision_option
def bench(domain: str, methods: str, images: int, device: str | None, precision: str) -> None:
    """Measure how fast this machine is, beside what its arithmetic allows; `run --dry-run` predicts from it.

    Prints a table in Markdown, to paste.
    """
    from eval.device import device_sentence
    from eval.domains import load_domain
    from eval.editors.registry import parse_methods
    from eval.machine.costs import costs_file, measure_costs, store_costs
    from eval.machine.operations import Operation, markdown, multiplication_rate, operations
    from eval.progress import activity

    specs, problems = parse_methods(methods)
    for problem in problems:
        click.echo(f"Left out: {problem}", err=True)
    loaded = load_domain(domain, device=device, precision=precision)
    say_device(loaded)
    with activity("measuring"):
        rate = multiplication_rate(loaded.editing.device)
        rows = list(operations(loaded))
        costs = measure_costs(loaded, specs, images)
    store_costs(loaded, costs)
    rows += [Operation(f"edit by {spec.name}", "image", costs[spec.name]["edit_s"], None) for spec in specs]
    rows.append(Operation("run of identity, end to end", "image", costs["end_to_end_s"], None))
    click.echo(device_sentence(loaded.editing.device, precision))
    click.echo(f"A float32 matrix product does {rate / 1e9:.3g} GMAC a second.\n")
    click.echo(markdown(rows, rate))
    click.echo(f"\nKept for `deltabench run --dry-run` in {costs_file(loaded)}", err=True)
