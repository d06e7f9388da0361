"""`deltabench prompts`."""

from __future__ import annotations

import click


@click.command()
@click.option("--domain", default="avatars", show_default=True, help="Whose prompts.")
def prompts(domain: str) -> None:
    """List the prompts of a domain: what editors read, and what the judge looks for."""
    from rich.console import Console
    from rich.table import Table

    from eval.domains import load_domain
    from eval.prompts import other_sets

    table = Table("name", "source text", "target text", "attribute", "value", box=None)
    for prompt in load_domain(domain).prompts:
        table.add_row(prompt.name, prompt.source, prompt.target, prompt.attribute, prompt.value)
    Console().print(table)
    for name in other_sets(domain):
        click.echo(f"Another set of texts: --prompts {name}")
