"""What the steps of a run cost on this machine, measured once by ``deltabench bench`` and kept; predictions from it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from deltaedit.tools.artefacts import hardware_name
from deltaedit.tools.files import keep
from eval.device import clock
from eval.domains.base import Domain
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor, offers_offsets
from eval.folders import cache_folder
from eval.judging.cells import judge_attributes, judge_edits, judge_sources
from eval.judging.counterfactuals import Candidates, judge_counterfactuals
from eval.judging.recipes import recipes
from eval.judging.synthesis import synthesised
from eval.metrics.runtime import peak_memory_mib
from eval.runs.calibration import usable
from eval.runs.manifest import manifest
from eval.runs.plan import DEFAULT_STRENGTH, KEPT_IMAGES, Arguments, Strength, estimated_s
from eval.runs.runner import Runner
from eval.runs.store import Store

MIB = 2**20


def costs_file(domain: Domain) -> Path:
    """Where the costs of a domain on this machine and device are kept."""
    editing = domain.editing
    return cache_folder() / "costs" / f"{domain.name}-{editing.device.type}-{editing.precision}.json"


def known_costs(domain: Domain) -> dict[str, Any]:
    """What was measured of a domain on this machine with this version of PyTorch; empty where nothing was."""
    found: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        found = json.loads(costs_file(domain).read_text(encoding="utf-8"))
    return found if found.get("made_on") == _made_on(domain) else {}


def _made_on(domain: Domain) -> list[str]:
    return [hardware_name(domain.editing.device), torch.__version__, domain.editing.fingerprint]


def store_costs(domain: Domain, costs: Mapping[str, Any]) -> None:
    """Keep costs beside those of other editors that are known."""
    text = json.dumps({**known_costs(domain), **costs, "made_on": _made_on(domain)}, indent=1, sort_keys=True)
    keep(costs_file(domain), lambda file: file.write(text.encode()))


def seconds_of(device: torch.device, work: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and how long it took."""
    began = clock(device)
    result = work()
    return result, clock(device) - began


def measure_costs(domain: Domain, specs: Sequence[EditorSpec], images: int, prompts: int = 2) -> dict[str, Any]:
    """Do every step of a run on a few images.

    Args:
        domain: whose.
        specs: the editors.
        images: of the test set.
        prompts: the first so many of the domain.

    Returns:
        As ``eval.runs.plan.estimated_s`` takes it, and what ``predicted`` needs besides.
    """
    device, chosen = domain.editing.device, domain.prompts[:prompts]
    _, first_s = seconds_of(device, lambda: judge_sources(domain, domain.test_sources(images), images))
    sources, read_s = seconds_of(device, lambda: domain.test_sources(images))
    judged, source_s = seconds_of(device, lambda: judge_sources(domain, sources, images))
    answers, counterfactual_s = seconds_of(
        device, lambda: [judge_counterfactuals(domain, "test", images, prompt, images) for prompt in chosen]
    )
    latents = usable(sources.latents)
    synthesised(domain.editing, latents[:1])  # the first call of a device loads its kernels
    pictures, synthesis_s = seconds_of(device, lambda: synthesised(domain.editing, latents))
    every = slice(0, images)
    _, judge_s = seconds_of(device, lambda: judge_edits(domain, judged, answers[0], chosen[0], every, pictures))
    right = Candidates.of(domain, "test", judged.originals[every], chosen[0])
    _, sweep_s = seconds_of(
        device, lambda: judge_attributes(domain, judged.logits, pictures, chosen[0], answers[0].visible, right)
    )
    costs: dict[str, Any] = {
        "start_s": max(0.0, first_s - read_s - source_s),
        "source_s": (read_s + source_s) / images,
        "counterfactual_s": counterfactual_s / images / len(chosen),
        "synthesis_s": synthesis_s / images,
        "judge_s": judge_s / images,
        "sweep_judge_s": sweep_s / images,
    }
    for spec in specs:
        costs[spec.name] = _editor_costs(domain, spec, latents, prompts)
    return {**costs, **_folder_costs(domain, images), "peak_memory_mib": peak_memory_mib(device)}


def _editor_costs(domain: Domain, spec: EditorSpec, latents: Any, prompts: int) -> dict[str, float]:
    """Seconds of one editor: preparing and fitting, here and where it was computed; editing first and once more."""
    editor = TimedEditor(spec, domain.editing, 0, None)
    firsts, others = [], []
    for prompt in domain.prompts[:prompts]:
        editor.fit(prompt)
        firsts.append(editor.edit(latents, prompt, 1.0)[1] / len(latents))
        _, other_s = seconds_of(domain.editing.device, partial(editor.edit, latents, prompt, 0.5))
        others.append(other_s / len(latents))
    first_s, other_s = statistics.median(firsts), statistics.median(others)
    shares = offers_offsets(spec.build(0))  # then only the first strength pays for the offsets
    return {
        "prepare_s": editor.costs["prepare_here_s"],
        "fit_s": statistics.median(editor.costs["fit_here_s"].values()),
        "prepare_computed_s": editor.costs["prepare_s"],
        "fit_computed_s": statistics.median(editor.costs["fit_s"].values()),
        "edit_s": other_s if shares else first_s,
        "offset_s": max(first_s - other_s, 0.0) if shares else 0.0,
    }


def _folder_costs(domain: Domain, images: int) -> dict[str, float]:
    """Bytes of a run folder by what is in it, and seconds of writing: of a small run of the editor ``identity``."""
    from eval.editors.registry import parse_methods

    specs, _ = parse_methods("identity")
    batch = max(1, images // 2)  # two chunks: one with kept pictures, one with fewer
    arguments = Arguments(
        domain.name, ("identity",), domain.prompts[:1], 2 * batch, (Strength("default", DEFAULT_STRENGTH),), 0, batch
    )
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        factors = {factor: list(values) for factor, values in domain.factors.items()}
        store.claim(manifest(domain, arguments, specs, recipes(domain)), [], factors)
        _, run_s = seconds_of(domain.editing.device, lambda: Runner(domain, arguments, specs, store).run(quiet=True))
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in Path(folder).rglob("*.*")}
    chunks = [sum(size for name, size in sizes.items() if f"--{first:05d}." in name) for first in (0, batch)]
    kept = [max(0, min(KEPT_IMAGES - first, batch)) for first in (0, batch)]
    picture = max(0.0, (chunks[0] - chunks[1]) / max(1, kept[0] - kept[1]))
    count = 2 * batch
    of_prompts = sum(size for name, size in sizes.items() if name.startswith(("counterfactuals/", "references/")))
    return {
        "source_bytes": sizes.get("sources.npz", 0) / count,
        "counterfactual_bytes": of_prompts / count,
        "picture_bytes": picture,
        "cell_bytes": (chunks[1] - kept[1] * picture) / batch,
        "end_to_end_s": run_s / count,
    }


def predicted(arguments: Arguments, costs: Mapping[str, Any]) -> dict[str, float]:
    """Seconds, memory in MiB and disk in MiB that a run takes, tables and figures apart; only what is known.

    >>> predicted(Arguments("avatars", ("identity",), (), 10), {})
    {}
    """
    found = {}
    seconds = estimated_s(arguments, costs)
    if seconds is not None:
        found["seconds"] = seconds
    if "peak_memory_mib" in costs and not math.isnan(costs["peak_memory_mib"]):
        found["memory_mib"] = float(costs["peak_memory_mib"])
    if "cell_bytes" in costs:
        prompts, images = len(arguments.prompts), arguments.images
        chunks = len(arguments.methods) * len(arguments.strengths) * prompts + (prompts if arguments.goals else 0)
        cells = images * costs["cell_bytes"] + min(KEPT_IMAGES, images) * costs["picture_bytes"]
        fixed = images * (costs["source_bytes"] + prompts * costs["counterfactual_bytes"])
        found["disk_mib"] = (fixed + chunks * cells) / MIB
    return found
