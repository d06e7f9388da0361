"""`deltabench methods`."""

from __future__ import annotations

import inspect
from typing import Any

import click

from eval.commands import Group


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def methods(context: click.Context) -> None:
    """List the editors."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from eval import registry

    classes, problems = registry.load_every(registry.names())
    table = Table("name", "space", "what it does", "paper", box=None)
    for name, editor in classes.items():
        found: Any = editor
        what = (inspect.getdoc(found) or "").partition("\n")[0]
        table.add_row(name, found.space, what, found.paper)
    Console().print(table)
    for alias, members in registry.ALIASES.items():
        click.echo(f"'{alias}' means {','.join(member for member in members if member in classes)}.")
    click.echo("Parameters: deltabench methods show NAME")
    for problem in problems:
        click.echo(f"Left out: {problem}", err=True)


@methods.command()
@click.argument("name")
def show(name: str) -> None:
    """Describe the editor NAME: paper, space, parameters with types and defaults."""
    from eval import registry
    from eval.editor_spec import parameters_of

    found: Any = registry.load_class(name)
    click.echo(f"{name}\n  paper       {found.paper or '-'}\n  space       {found.space}")
    for position, parameter in enumerate(parameters_of(found)):
        click.echo(f"  {'' if position else 'parameters':10}  {parameter_text(parameter)} ({parameter.type_name})")
    click.echo(f"\n{inspect.getdoc(found) or 'It has no description.'}")


def parameter_text(parameter: Any) -> str:
    """A parameter with its default: ``threshold=0.03``."""
    if parameter.default is inspect.Parameter.empty:
        return f"{parameter.name}=…"
    default = parameter.default
    return f"{parameter.name}={str(default).lower() if default is None or isinstance(default, bool) else default}"
