"""One chunk from codes to numbers, in parts that fit into memory: edit, synthesise, judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from deltaedit.backbones.latents import Latents
from eval.device import clock
from eval.domains.base import Domain
from eval.judging.cells import JudgedSources, judge_edits
from eval.judging.counterfactuals import Counterfactuals
from eval.judging.synthesis import synthesised
from eval.memory import in_blocks, pictures_at_once
from eval.pixels import to_uint8
from eval.prompts import Prompt
from eval.runs.arrays import array
from eval.runs.plan import AT_ONCE, Chunk

Edit = Callable[[slice], tuple[Latents, float]]  # rows of the chunk -> their edited codes and the seconds these took


@dataclass(frozen=True)
class Part:
    """Some cells of a chunk: one dict of numbers a cell, arrays by name, seconds by name."""

    cells: list[dict[str, Any]]
    arrays: dict[str, np.ndarray]
    costs: dict[str, float]


def judged_chunk(
    domain: Domain,
    sources: JudgedSources,
    counterfactuals: Counterfactuals,
    prompt: Prompt,
    chunk: Chunk,
    edit: Edit,
    kept: int,
) -> Part:
    """Make and judge the edits of a chunk, all at once if they fit.

    Args:
        domain: its generator and its judges.
        sources: the images of the run.
        counterfactuals: of the prompt.
        prompt: what is asked for.
        chunk: which images.
        edit: makes the codes.
        kept: of how many pictures, from the first, the pictures and styles are kept.
    """
    device = domain.editing.device

    def part(rows: slice) -> Part:
        edited, edit_s = edit(rows)
        few = max(0, min(kept - rows.start, rows.stop - rows.start))
        with torch.inference_mode():
            began = clock(device)
            images = synthesised(domain.editing, edited)
            drawn = clock(device)
            of_run = slice(chunk.first + rows.start, chunk.first + rows.stop)
            cells, features = judge_edits(domain, sources, counterfactuals, prompt, of_run, images)
            judged = clock(device)
        arrays = {"images": to_uint8(images[:few]), "latents_s": array(edited.s[:few]), **features}
        return Part(cells, arrays, {"edit_s": edit_s, "synthesis_s": drawn - began, "judge_s": judged - drawn})

    most = pictures_at_once(domain.editing.synthesis.resolution, device, min(chunk.count, AT_ONCE))
    parts = in_blocks(part, chunk.count, most)
    return Part(
        [cell for made in parts for cell in made.cells],
        {name: np.concatenate([made.arrays[name] for made in parts]) for name in parts[0].arrays},
        {name: sum(made.costs[name] for made in parts) for name in parts[0].costs},
    )
