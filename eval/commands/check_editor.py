"""`deltabench check-editor`."""

from __future__ import annotations

import click

from eval.commands import SEED, Finite
from eval.commands.machine.options import device_option


@click.command("check-editor")
@click.argument("editor")
@click.option("--domain", "domain_name", default="avatars", show_default=True, help="Domain to check on.")
@click.option("--prompt", "prompt_name", default=None, help="Prompt to edit for; default the first of the domain.")
@click.option("--images", type=click.IntRange(2, 16), default=3, show_default=True, help="Test images to edit.")
@click.option("--strength", type=Finite(), default=1.0, show_default=True, help="Strength of the edits.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="For editors that take one.")
@device_option
@click.pass_context
def check_editor(
    context: click.Context,
    editor: str,
    domain_name: str,
    prompt_name: str | None,
    images: int,
    strength: float,
    seed: int,
    device: str | None,
) -> None:
    """Check that EDITOR keeps the contract: a name of `deltabench methods` or module:Class, with parameters or without.

    The exit code is 1 if a check fails.
    """
    from eval.domains import load_domain
    from eval.editors import conformance, registry
    from eval.errors import UsageError
    from eval.progress import activity
    from eval.prompts import choose

    specs, _ = registry.parse_methods(editor)
    if len(specs) != 1:
        raise UsageError(f"'{editor}' stands for several editors; check one of {', '.join(s.label for s in specs)}.")
    spec = specs[0]
    with activity(f"checking {spec.label} on {domain_name}"):
        domain = load_domain(domain_name, device=device)
        prompt = choose(domain.prompts, [] if prompt_name is None else [prompt_name])[0]
        latents = domain.test_sources(images).latents
        spec.build(seed)  # parameters that the constructor refuses are the user's mistake, not a finding
        judges = domain.judges  # loaded before the editor works, so that it meets them behind their guard
        checks = conformance.check_editor(lambda: spec.build(seed), domain.editing, latents, prompt, strength, judges)
    click.echo(f"{spec.label} on {domain_name}, prompt '{prompt.name}', {images} images")
    for check in checks:
        click.echo(f"  {check}")
    failed = sum(not check.passed for check in checks)
    click.echo(f"{failed} of {len(checks)} checks failed." if failed else f"All {len(checks)} checks passed.")
    context.exit(1 if failed else 0)
