"""`deltabench domains`."""

from __future__ import annotations

import click


@click.command()
def domains() -> None:
    """List the domains, and which of them can be used with the weight files that are there."""
    from eval.domains import DOMAINS

    width = max(map(len, DOMAINS))
    for name, loader in DOMAINS.items():
        click.echo(f"{name:{width}}  {(loader.__doc__ or '').strip()} {_state(name)}".rstrip())
    click.echo("Your own: --domain FILE.toml, see docs/real_domains.md. Weight files: deltabench models")


def _state(name: str) -> str:
    """How many files are missing; '' where none is."""
    from eval.domains.photos import described

    description = described(name)
    missing = 0
    if description is not None:
        missing = sum(file.path is None and not file.optional for file in description.files())
    return f"[{missing} files missing]" if missing else ""
