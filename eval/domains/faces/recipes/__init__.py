"""Training of the networks of the domain `faces`, one file a recipe."""

from __future__ import annotations

from collections.abc import Callable

NETWORKS = (
    *("attribute-judge", "judge-clip", "realism", "second-judge", "labelled-faces"),
    *("editing-clip", "encoder", "relevance", "delta-mapper"),
)


def train_network(name: str, report: Callable[[str, int, int, dict[str, float]], None]) -> str:
    """Train a network or finish a training that was broken off, measure it, write weights and card.

    Args:
        name: one of ``NETWORKS``.
        report: (network, steps done, steps in all, recent losses), called about every 100 steps.

    Returns:
        The cards, as Markdown; of what editors compute from the networks, one line.
    """
    from eval.domains.faces.domain import FacesDomain
    from eval.domains.faces.networks import WEIGHTS
    from eval.domains.faces.recipes.shipping import ship
    from eval.domains.recipes.artefacts import build

    if name in ("relevance", "delta-mapper"):
        domain = FacesDomain()
        return build(name, domain.editing, domain.prompts, WEIGHTS / "artefacts", report, halved=True)
    return ship(name, report)
