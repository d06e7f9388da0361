"""Training of the networks of the embedded domain, one file a recipe."""

from __future__ import annotations

from collections.abc import Callable

# In this order: a card of a later network may be measured with an earlier one.
NETWORKS = (
    "attribute-judge",
    "frechet-features",
    "identity",
    "perceptual",
    "generator",
    "encoder",
    "editing-clip",
    "editing-identity",
    "judge-clip",
    "second-judge",
    "realism",
    "relevance",
    "delta-mapper",
    "styleclip-mapper",
)


def train_network(name: str, report: Callable[[str, int, int, dict[str, float]], None]) -> str:
    """Train a network or finish a training that was broken off, measure it, write weights and card.

    The last three are what editors compute from the networks before them; they are computed and stored with their cost.

    Args:
        name: one of ``NETWORKS``.
        report: (network, steps done, steps in all, recent losses), called about every 100 steps.

    Returns:
        The cards, as Markdown; of the last three one line.
    """
    from eval.domains.avatars.domain import AvatarsDomain
    from eval.domains.avatars.networks import WEIGHTS
    from eval.domains.avatars.recipes.shipping import ship
    from eval.domains.avatars.weights_io import Weights
    from eval.domains.recipes.artefacts import ARTEFACTS, build

    if name not in ARTEFACTS:
        return ship(name, report)
    domain = AvatarsDomain(Weights(WEIGHTS))
    return build(name, domain.editing, domain.prompts, WEIGHTS / "artefacts", report)
