"""How far the judges can be believed: what they read on pictures whose truth is known, edited ones above all.

Pictures are the counterfactuals of the domain's renderer to each prompt, as rendered and as an encoder and generator
give them back: the second kind is what the judges see in a run. The truth is the portrait's factors
with the prompt's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.text import text_feature
from eval.domains.base import Domain, Sources
from eval.errors import UsageError
from eval.judging.source_checks import WORST_LOSS
from eval.judging.synthesis import synthesised
from eval.pixels import round_to_8_bit
from eval.prompts import Prompt

BATCH = 64
FALSE_MATCH_RATES = (0.01, 0.001)  # share of pairs of different persons that the threshold lets pass
HISTOGRAM_EDGES = np.linspace(-1, 1, 81)
LOWEST_AUC = 0.8  # of the identity network, below which no threshold is worth naming


@torch.inference_mode()
def measure_judges(domain: Domain, count: int, report: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure the judges of a domain on its first ``count`` test images and the counterfactuals to all prompts.

    Args:
        domain: must know the counterfactuals and factors.
        count: images.
        report: told before every prompt.

    Returns:
        What ``deltabench judges`` stores as ``judges.json``; ``docs/metrics.md`` describes the fields.

    Raises:
        UsageError: the domain does not know what is right.
    """
    sources = domain.test_sources(count)
    if sources.factors is None or domain.counterfactuals("test", 1, domain.prompts[0]) is None:
        raise UsageError(
            f"The domain '{domain.name}' knows no exact factors and no counterfactuals, so its judges cannot be "
            "checked on them; check them on avatars: `deltabench judges`."
        )
    originals = round_to_8_bit(sources.images[:].to(domain.editing.device))
    readers = _readers(domain)
    tally = {name: _Tally(domain) for name in readers}
    persons = _apply(domain.judges.identity, originals)
    same: dict[str, list[Tensor]] = {"counterfactuals": [], "inverted": []}
    different: dict[str, list[Tensor]] = {"counterfactuals": [], "inverted": []}
    for prompt in domain.prompts:
        report(prompt.name)
        truth, seen = _truth(domain, sources, prompt)
        for stage, images in _pictures(domain, count, prompt).items():
            for name, read in readers.items():
                tally[name].add(stage, prompt, read(images), truth, seen)
            cosines = persons @ _apply(domain.judges.identity, images).T
            same[stage].append(cosines.diagonal())
            different[stage].append(cosines[~torch.eye(count, dtype=torch.bool)])
    visible = _visible_unedited(domain, count)
    for name, read in readers.items():
        tally[name].add("unedited", None, read(originals), sources.factors, visible)
    return {
        "domain": domain.name,
        "images": count,
        "prompts": [prompt.name for prompt in domain.prompts],
        "factors": list(domain.factors),
        "fingerprints": dict(domain.judges.fingerprints),
        "readers": {name: counted.result() for name, counted in tally.items()},
        "cards": _cards(domain),
        "identity": {
            stage: _verification(torch.cat(pairs), torch.cat(different[stage]))
            for stage, pairs in same.items()
            if pairs
        },
    }


def _readers(domain: Domain) -> dict[str, Callable[[Tensor], np.ndarray]]:
    """Judge -> images to the value it reads for each factor, int64 [N, F]; the CLIP by the nearest of the texts."""
    readers = {"attributes": lambda images: _read_attributes(domain, images)}
    texts = _value_texts(domain)
    if texts:
        readers["clip"] = lambda images: _read_by_texts(domain, images, texts)
    return readers


def _read_attributes(domain: Domain, images: Tensor) -> np.ndarray:
    parts = [domain.judges.attributes(block) for block in images.split(BATCH)]
    read: np.ndarray = np.stack(
        [torch.cat([part[factor].argmax(1) for part in parts]).cpu().numpy() for factor in domain.factors], 1
    )
    return read


def _value_texts(domain: Domain) -> list[Tensor]:
    """For each factor the judge CLIP's features [V, E] of its values' texts; none where the domain has no words."""
    words = getattr(domain, "value_text", None)
    if words is None:
        return []
    clip = domain.judges.clip
    return [
        torch.stack([text_feature(clip, words(factor, value)) for value in values])
        for factor, values in domain.factors.items()
    ]


def _read_by_texts(domain: Domain, images: Tensor, texts: list[Tensor]) -> np.ndarray:
    features = _apply(domain.judges.clip.encode_images, images)
    read: np.ndarray = np.stack([(features @ values.cpu().T).argmax(1).numpy() for values in texts], 1)
    return read


def _pictures(domain: Domain, count: int, prompt: Prompt) -> dict[str, Tensor]:
    """The counterfactuals as rendered, and through the inversion where the domain has an encoder."""
    exact = domain.counterfactuals("test", count, prompt)
    assert exact is not None
    pictures = {"counterfactuals": round_to_8_bit(exact.to(domain.editing.device))}
    if domain.editing.encoder is not None:
        pictures["inverted"] = torch.cat(
            [_inverted(domain, block) for block in pictures["counterfactuals"].split(BATCH)]
        )
    return pictures


def _inverted(domain: Domain, images: Tensor) -> Tensor:
    assert domain.editing.encoder is not None
    w_plus = domain.editing.encoder(images)
    return round_to_8_bit(synthesised(domain.editing, Latents.from_w_plus(domain.editing.synthesis, w_plus)))


def _truth(domain: Domain, sources: Sources, prompt: Prompt) -> tuple[np.ndarray, np.ndarray]:
    """Factors after the counterfactual, int64 [N, F], and which of them can be seen, bool [N, F]."""
    assert sources.factors is not None
    truth, factor = sources.factors.copy(), list(domain.factors).index(prompt.attribute)
    truth[:, factor] = domain.factors[prompt.attribute].index(prompt.value)
    seen = domain.visible("test", len(sources), prompt)
    return truth, np.ones(truth.shape, dtype=bool) if seen is None else np.asarray(seen, dtype=bool)


def _visible_unedited(domain: Domain, count: int) -> np.ndarray:
    """What is seen before and after some edit is seen before: bool [N, F]."""
    masks = [domain.visible("test", count, prompt) for prompt in domain.prompts]
    full = np.ones((count, len(domain.factors)), dtype=bool)
    seen: np.ndarray = np.any([full if mask is None else np.asarray(mask, dtype=bool) for mask in masks], axis=0)
    return seen


def _apply(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([network(block).float().cpu() for block in images.split(BATCH)])


class _Tally:
    """Right and seen cells of one judge, by stage, factor and prompt."""

    def __init__(self, domain: Domain) -> None:
        self.factors = list(domain.factors)
        self.counts: dict[tuple[str, str, str], np.ndarray] = {}  # (stage, kind, name) -> [right, seen]

    def add(self, stage: str, prompt: Prompt | None, read: np.ndarray, truth: np.ndarray, seen: np.ndarray) -> None:
        right = read == truth
        for i, factor in enumerate(self.factors):
            self._count(stage, "factor", factor, right[:, i], seen[:, i])
        if prompt is not None:
            target = self.factors.index(prompt.attribute)
            others = [i for i in range(len(self.factors)) if i != target]
            self._count(stage, "target", prompt.name, right[:, target], seen[:, target])
            self._count(stage, "others", prompt.name, right[:, others], seen[:, others])

    def _count(self, stage: str, kind: str, name: str, right: np.ndarray, seen: np.ndarray) -> None:
        counts = self.counts.setdefault((stage, kind, name), np.zeros(2, dtype=np.int64))
        counts += [int((right & seen).sum()), int(seen.sum())]

    def result(self) -> dict[str, Any]:
        """Stage -> ``factor``, ``target`` (of a prompt) or ``others`` -> name -> accuracy; None if nothing is seen."""
        found: dict[str, Any] = {}
        for (stage, kind, name), (right, seen) in self.counts.items():
            accuracy = float(right / seen) if seen else None
            found.setdefault(stage, {}).setdefault(kind, {})[name] = accuracy
        return found


def _verification(same: Tensor, different: Tensor) -> dict[str, Any]:
    """How well the cosine tells a person's edited picture from another's, and the cosine that means "same person"."""
    positive, negative = same.double().numpy(), np.sort(different.double().numpy())
    found: dict[str, Any] = {
        "pairs": [len(positive), len(negative)],
        "ceiling": float(positive.mean()),
        "floor": float(negative.mean()),
        "auc": float(np.searchsorted(negative, positive).mean() / len(negative)),
        "edges": HISTOGRAM_EDGES.tolist(),
        "same": np.histogram(positive, HISTOGRAM_EDGES)[0].tolist(),
        "different": np.histogram(negative, HISTOGRAM_EDGES)[0].tolist(),
        "at": [],
    }
    for rate in FALSE_MATCH_RATES:
        threshold = float(np.quantile(negative, 1 - rate, method="higher"))
        found["at"].append(
            {"false_match_rate": rate, "threshold": threshold, "verified": float((positive > threshold).mean())}
        )
    return found


def _cards(domain: Domain) -> dict[str, Mapping[str, float]]:
    """Judge -> what its card says was measured on held-out pictures; empty where the domain keeps no cards."""
    card: Any = getattr(domain, "card", None)
    if card is None:
        return {}
    return {name: dict(card(name)["measured"]) for name in domain.judges.fingerprints}


def broken_promises(found: Mapping[str, Any], accuracy: Mapping[str, float]) -> list[str]:
    """What makes the judges unusable, one sentence each; empty where all is well.

    Args:
        found: of ``measure_judges``.
        accuracy: factor -> what the attribute judge's card promises.
    """
    sentences = []
    for stage, kinds in found["readers"]["attributes"].items():
        for factor, measured in kinds["factor"].items():
            if measured is not None and factor in accuracy and measured < accuracy[factor] - WORST_LOSS:
                sentences.append(
                    f"The attribute judge reads '{factor}' right in {measured:.0%} of the {stage} pictures; its card "
                    f"promises {accuracy[factor]:.0%}."
                )
    for stage, identity in found["identity"].items():
        if identity["auc"] < LOWEST_AUC:
            sentences.append(
                f"The identity judge tells persons apart in {identity['auc']:.0%} of the {stage} pairs; below "
                f"{LOWEST_AUC:.0%} its cosines mean little."
            )
    return sentences
