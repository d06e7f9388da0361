"""`deltabench domains`."""

from __future__ import annotations

import click


@click.command()
def domains() -> None:
    """List the domains."""
    from eval.domains import DOMAINS

    width = max(map(len, DOMAINS))
    for name, loader in DOMAINS.items():
        click.echo(f"{name:{width}}  {(loader.__doc__ or '').strip()}".rstrip())
