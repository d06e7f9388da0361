"""Which part of DeltaEdit's chain falls short on a prompt of `avatars`? Each part in turn gives way to the exact one.

    python benchmarks/culprits.py big-eyes,receding-hairline,pale-skin

* text → image: the mapper is given the CLIP direction between the portrait and its counterfactual instead of Δt;
* mapper → exact offset: the styles move by the difference of the exact codes, as an ideal mapper would have them move;
* encoder → exact codes: the edit starts from the generator's own code of the portrait;
* no mask: τ = 0.

Every variant has its own strength for the prompt, chosen on the same calibration images: success / preservation.
"""

from __future__ import annotations

import click
import numpy as np
import torch
from torch.nn import functional as F

from deltaedit.editor import DeltaEdit, Target
from eval.domains import load_domain
from eval.domains.avatars import datasets
from eval.judging.cells import judge_attributes
from eval.judging.counterfactuals import Candidates
from eval.pixels import round_to_8_bit
from eval.runs.calibration import usable

STRENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0)


def best(domain, latents, offsets, prompt, count):
    """Success and preservation at the strength with the best balance."""
    logits = domain.judges.attributes(round_to_8_bit(domain.editing.images(latents)))
    visible = domain.visible("calibration", count, prompt)
    right = Candidates.of(domain, "calibration", domain.calibration_sources(count).images, prompt)
    rows = []
    for strength in STRENGTHS:
        images = domain.editing.images(latents.with_s(latents.s + strength * offsets))
        success, preservation, eligible, _ = judge_attributes(domain, logits, images, prompt, visible, right)
        a, b = float(np.mean(success[eligible])), float(np.nanmean(preservation[eligible]))
        rows.append((2 * a * b / (a + b) if a + b else 0.0, -strength, a, b))
    _, strength, success, preservation = max(rows)
    return f"{success:.2f} / {preservation:.2f} ({-strength:g})"


def variants(domain, editor, prompt, count):
    """Name -> success, preservation and strength."""
    people = datasets.portraits("calibration", count)
    counterfactuals = people.changed({prompt.attribute: prompt.value})
    sources = domain.calibration_sources(count)
    inverted, exact = usable(sources.latents), usable(domain.encode_exactly(people))
    ideal = domain.encode_exactly(counterfactuals).s - exact.s
    target = editor._targets[prompt.source, prompt.target]
    open_target = Target(target.towards, torch.ones_like(target.mask))
    clip = domain.editing.clip
    pictures = domain.counterfactuals("calibration", count, prompt)
    towards = F.normalize(clip.encode_images(pictures) - clip.encode_images(sources.images), dim=-1)
    by_image = Target(towards, torch.ones_like(target.mask))
    return {
        "deltaedit": best(domain, inverted, editor.offsets_towards(inverted, target), prompt, count),
        "no mask": best(domain, inverted, editor.offsets_towards(inverted, open_target), prompt, count),
        "text → image": best(domain, inverted, editor.offsets_towards(inverted, by_image), prompt, count),
        "encoder → exact codes": best(domain, exact, editor.offsets_towards(exact, target), prompt, count),
        "mapper → exact offset": best(domain, inverted, ideal, prompt, count),
    }


@click.command()
@click.argument("prompts")
@click.option("--images", default=100)
def main(prompts, images):
    """Print a table for PROMPTS, names with commas between them."""
    domain = load_domain("avatars")
    editor = DeltaEdit()
    editor.prepare(domain.editing)
    for prompt in (p for p in domain.prompts if p.name in prompts.split(",")):
        editor.fit(prompt)
        with torch.inference_mode():
            for name, result in variants(domain, editor, prompt, images).items():
                click.echo(f"{prompt.name:20s} {name:24s} {result}")


if __name__ == "__main__":
    main()
