"""What editors compute once on a domain, to be shipped: R_s, the Delta Mapper, StyleCLIP's mappers.

They are the artefacts that ``deltabench run`` would compute itself when it found none; the file names are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deltaedit.artefacts import Artefacts
from deltaedit.domain import EditingDomain
from eval.domains.recipes.training import Report
from eval.prompts import Prompt

ARTEFACTS = ("relevance", "delta-mapper", "styleclip-mapper")


def build(name: str, domain: EditingDomain, prompts: Sequence[Prompt], folder: Path, report: Report) -> str:
    """Compute one of ``ARTEFACTS`` unless it is there.

    Args:
        name: which.
        domain: for whose networks.
        prompts: that get a latent mapper each.
        folder: where the artefacts of the package are.
        report: where progress goes.

    Returns:
        What it cost and where it lies.
    """
    from baselines.styleclip_mapper import StyleClipMapper
    from deltaedit.editor import DeltaEdit, trained_mapper
    from deltaedit.relevance import domain_relevance

    domain = replace(domain, artefacts=Artefacts(folder))
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
        return f"{len(prompts)} mappers in {domain.artefacts.cache}"
    return f"{artefact.path}: {artefact.cost_s:.0f} s on {artefact.hardware}"
