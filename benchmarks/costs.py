"""Measure what the steps of a run cost on this machine, for the estimates of `deltabench run --dry-run`.

    python benchmarks/costs.py deltaedit,styleclip-global --images 50 --out eval/costs.json

Editors that are not named keep the costs that the file already has.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import click
import torch

from deltaedit.tools.artefacts import hardware_name
from eval.domains import load_domain
from eval.editors.registry import parse_methods
from eval.editors.timed_editor import TimedEditor, offers_offsets
from eval.judging.cells import judge_attributes, judge_edits, judge_sources
from eval.judging.counterfactuals import Candidates, judge_counterfactuals
from eval.runs.calibration import usable


def seconds_of(work, *arguments):
    """What a call gives, and how long it took."""
    began = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - began


@click.command()
@click.argument("methods")
@click.option("--domain", default="avatars")
@click.option("--images", default=50)
@click.option("--prompts", default=3)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(methods, domain, images, prompts, out):
    """Measure METHODS and write the JSON file."""
    loaded = load_domain(domain)
    chosen = loaded.prompts[:prompts]
    costs = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    sources, render_s = seconds_of(loaded.test_sources, images)
    judged, judge_s = seconds_of(judge_sources, loaded, sources, images)
    counterfactuals, counterfactual_s = seconds_of(
        lambda: [judge_counterfactuals(loaded, "test", images, p, images) for p in chosen]
    )
    latents = usable(sources.latents)
    with torch.inference_mode():
        pictures, synthesis_s = seconds_of(loaded.editing.images, latents)
    _, edit_judge_s = seconds_of(judge_edits, loaded, judged, counterfactuals[0], chosen[0], slice(0, images), pictures)
    right = Candidates.of(loaded, "test", judged.originals[:], chosen[0])
    looked_at = judged.logits, pictures, chosen[0], counterfactuals[0].visible, right
    _, sweep_s = seconds_of(judge_attributes, loaded, *looked_at)
    costs |= {
        "hardware": hardware_name(),
        "source_s": (render_s + judge_s) / images,
        "counterfactual_s": counterfactual_s / images / len(chosen),
        "synthesis_s": synthesis_s / images,
        "judge_s": edit_judge_s / images,
        "sweep_judge_s": sweep_s / images,
    }
    specs, problems = parse_methods(methods)
    for problem in problems:
        click.echo(problem, err=True)
    for spec in specs:
        editor = TimedEditor(spec, loaded.editing, 0, None)
        firsts, others = [], []
        for prompt in chosen:
            editor.fit(prompt)
            firsts.append(editor.edit(latents, prompt, 1.0)[1] / images)
            others.append(seconds_of(editor.edit, latents, prompt, 0.5)[1] / images)
        first_s, other_s = statistics.median(firsts), statistics.median(others)
        shares = offers_offsets(spec.build(0))  # then only the first strength pays for the offsets
        costs[spec.name] = {
            "prepare_s": editor.costs["prepare_here_s"],
            "fit_s": statistics.median(editor.costs["fit_here_s"].values()),
            "prepare_computed_s": editor.costs["prepare_s"],
            "fit_computed_s": statistics.median(editor.costs["fit_s"].values()),
            "edit_s": other_s if shares else first_s,
            "offset_s": max(first_s - other_s, 0.0) if shares else 0.0,
        }
    out.write_text(json.dumps(costs, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    click.echo(out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
