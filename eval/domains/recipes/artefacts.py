"""What editors compute once on a domain, to be shipped: R_s, the Delta Mapper, StyleCLIP's mappers.

They are the artefacts that ``deltabench run`` would compute itself when it found none; the file names are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from deltaedit.tools.artefacts import Artefacts, record_sums
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.files import write_whole
from eval.domains.recipes.training import Report
from eval.prompts import Prompt

ARTEFACTS = ("relevance", "delta-mapper", "styleclip-mapper")


def build(
    name: str, domain: EditingDomain, prompts: Sequence[Prompt], folder: Path, report: Report, halved: bool = False
) -> str:
    """Compute one of ``ARTEFACTS`` unless it is there.

    Args:
        name: which.
        domain: for whose networks.
        prompts: that get a latent mapper each.
        folder: where the artefacts of the package are.
        report: where progress goes.
        halved: store it in half precision.

    Returns:
        What it cost and where it lies.
    """
    from baselines.styleclip_mapper import StyleClipMapper
    from deltaedit.editor import DeltaEdit, trained_mapper
    from deltaedit.relevance import domain_relevance

    domain = replace(domain, artefacts=Artefacts(folder, device=domain.device))
    if name == "relevance":
        artefact = domain_relevance(domain, report=lambda done, rows: report(name, done, rows, {}))
    elif name == "delta-mapper":
        artefact = trained_mapper(domain, DeltaEdit(), lambda *args: report(name, *args))
    else:
        editor = StyleClipMapper()
        editor.prepare(domain)
        for number, prompt in enumerate(prompts, 1):
            editor.fit(prompt)
            report(name, number, len(prompts), {})
        record_sums(folder)
        return f"{len(prompts)} mappers in {domain.artefacts.cache}"
    if artefact.built_here and halved:
        in_half_precision(artefact.path)
    record_sums(folder)
    return f"{artefact.path}: {artefact.cost_s:.0f} s on {artefact.hardware}"


def in_half_precision(path: Path) -> None:
    """Store the float32 tensors of an artefact as float16, which halves what is shipped."""
    from safetensors import safe_open
    from safetensors.torch import save

    with safe_open(path, "pt") as stored:  # type: ignore[no-untyped-call]
        meta, names = stored.metadata(), list(stored.keys())
        tensors = {name: stored.get_tensor(name) for name in names}
    small = {name: tensor.half() if tensor.dtype == torch.float32 else tensor for name, tensor in tensors.items()}
    write_whole(path, lambda file: file.write(save(small, meta)))
