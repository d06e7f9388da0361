"""`deltabench methods`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import click

from eval.commands import Group

WIDTH = 150  # columns of the list where the output is no terminal: narrower, words would be cut


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def methods(context: click.Context) -> None:
    """List the editors."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from eval.editors import registry
    from eval.runs.plan import shipped_costs

    classes, problems = registry.load_every(registry.names())
    costs = shipped_costs()
    table = Table("name", "space", "strength", "set-up", "a prompt", "an edit", "paper", box=None)
    for name, editor in classes.items():
        found: Any = editor
        table.add_row(name, found.space, knob_of(found), *costs_of(costs, name), found.paper)
    Console(width=max(Console().width, WIDTH)).print(table)
    click.echo(f"Strength 1 is the published default. Costs: measured on avatars, {costs.get('hardware', 'n/a')}.")
    for alias, members in registry.ALIASES.items():
        click.echo(f"'{alias}' means {','.join(member for member in members if member in classes)}.")
    click.echo("Parameters: deltabench methods show NAME")
    for problem in problems:
        click.echo(f"Left out: {problem}", err=True)


@methods.command()
@click.argument("name")
def show(name: str) -> None:
    """Describe the editor NAME: paper, space, parameters with types and defaults."""
    from eval.editors import registry
    from eval.editors.spec import parameters_of
    from eval.runs.plan import shipped_costs

    found: Any = registry.load_class(name)
    click.echo(f"{name}\n  paper       {found.paper or '-'}\n  space       {found.space}")
    click.echo(f"  strength    {knob_of(found) or 'not described'}")
    costs = shipped_costs()
    if name in costs:
        set_up, prompt, edit = costs_of(costs, name)
        click.echo(f"  costs       set-up {set_up}, a prompt {prompt}, an edit {edit}  (avatars, {costs['hardware']})")
    for position, parameter in enumerate(parameters_of(found)):
        allowed = f": {parameter.allowed}" if parameter.allowed else ""
        name = "" if position else "parameters"
        click.echo(f"  {name:10}  {parameter_text(parameter)} ({parameter.type_name}){allowed}")
        if parameter.about:
            click.echo(f"{'':16}{parameter.about}")
    click.echo(f"\n{inspect.getdoc(found) or 'It has no description.'}")


def knob_of(editor: Any) -> str:
    """What the strength multiplies, in the editor's own words; empty where it has none."""
    return str(getattr(editor, "knob", ""))


def costs_of(costs: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    """Set-up once per generator, fitting a prompt, one edit: measured durations as text, blank where not measured.

    >>> costs_of({"deltaedit": {"prepare_computed_s": 90.0, "fit_computed_s": 0.02, "edit_s": 0.003}}, "deltaedit")
    ('90 s', '20 ms', '3 ms')
    """
    cost = costs.get(name, {})
    edit_s = None if "edit_s" not in cost else cost["edit_s"] + cost.get("offset_s", 0.0)
    return tuple(map(short_duration, (cost.get("prepare_computed_s"), cost.get("fit_computed_s"), edit_s)))  # type: ignore[return-value]


def short_duration(seconds: float | None) -> str:
    """Two digits and a unit.

    >>> [short_duration(seconds) for seconds in (None, 0.0, 0.0031, 0.5, 12.34, 754.0)]
    ['', '< 1 ms', '3.1 ms', '0.5 s', '12 s', '13 min']
    """
    if seconds is None or seconds != seconds:
        return ""
    if seconds < 0.001:
        return "< 1 ms"
    value, unit = (
        (seconds * 1000, "ms") if seconds < 0.1 else (seconds, "s") if seconds < 120 else (seconds / 60, "min")
    )
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"


def parameter_text(parameter: Any) -> str:
    """A parameter with its default: ``threshold=0.03``."""
    if parameter.default is inspect.Parameter.empty:
        return f"{parameter.name}=…"
    default = parameter.default
    return f"{parameter.name}={str(default).lower() if default is None or isinstance(default, bool) else default}"
