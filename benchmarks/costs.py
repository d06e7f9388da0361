"""Measure what the steps of a run cost on this machine, for the estimates that the package ships.

    python benchmarks/costs.py deltaedit,styleclip-global --images 50 --out eval/costs.json

Editors that are not named keep the costs that the file already has.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from deltaedit.tools.artefacts import hardware_name
from eval.domains import load_domain
from eval.editors.registry import parse_methods
from eval.machine.costs import measure_costs


@click.command()
@click.argument("methods")
@click.option("--domain", default="avatars")
@click.option("--images", default=50)
@click.option("--prompts", default=3)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(methods, domain, images, prompts, out):
    """Measure METHODS and write the JSON file."""
    loaded = load_domain(domain, device="cpu")
    specs, problems = parse_methods(methods)
    for problem in problems:
        click.echo(problem, err=True)
    costs = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    costs |= measure_costs(loaded, specs, images, prompts) | {"hardware": hardware_name()}
    out.write_text(json.dumps(costs, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    click.echo(out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
