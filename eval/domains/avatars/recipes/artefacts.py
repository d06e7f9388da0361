"""What editors compute once on the embedded domain, to be shipped: R_s, the Delta Mapper, StyleCLIP's mappers.

They are the artefacts that ``deltabench run`` would compute itself when it found none; the file names are the same.
"""

from __future__ import annotations

from dataclasses import replace

from deltaedit.artefacts import Artefacts
from deltaedit.domain import EditingDomain
from eval.domains.avatars.networks import WEIGHTS
from eval.domains.avatars.recipes.training import Report
from eval.prompts import Prompt

ARTEFACTS = ("relevance", "delta-mapper", "styleclip-mapper")


def _shipping_domain() -> tuple[EditingDomain, tuple[Prompt, ...]]:
    """The editing domain, whose artefacts go to the package, and its prompts."""
    from eval.domains.avatars.domain import AvatarsDomain
    from eval.domains.avatars.weights_io import Weights

    domain = AvatarsDomain(Weights(WEIGHTS))
    return replace(domain.editing, artefacts=Artefacts(WEIGHTS / "artefacts")), domain.prompts


def build(name: str, report: Report) -> str:
    """Compute one of ``ARTEFACTS`` unless it is there; returns what it cost and where it lies."""
    from baselines.styleclip_mapper import StyleClipMapper
    from deltaedit.editor import DeltaEdit, trained_mapper
    from deltaedit.relevance import domain_relevance

    domain, prompts = _shipping_domain()
    if name == "relevance":
        artefact = domain_relevance(domain, report=lambda done, rows: report(name, done, rows, {}))
    elif name == "delta-mapper":
        artefact = trained_mapper(domain, DeltaEdit().settings(), lambda *args: report(name, *args))
    else:
        editor = StyleClipMapper()
        editor.prepare(domain)
        for number, prompt in enumerate(prompts, 1):
            editor.fit(prompt)
            report(name, number, len(prompts), {})
        return f"{len(prompts)} mappers in {domain.artefacts.cache}"
    return f"{artefact.path}: {artefact.cost_s:.0f} s on {artefact.hardware}"
