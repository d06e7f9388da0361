"""From a trained network to a weight file with its card: what it is, how it was trained, what was measured."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deltaedit.tools.artefacts import hardware_name
from eval.domains.avatars import datasets
from eval.domains.avatars.factors import FACTOR_NAMES, Portraits
from eval.domains.avatars.networks import WEIGHTS, AvatarGenerator, to_float
from eval.domains.avatars.recipes import attributes, clips, encoder, generator, identity, realism, second_judge
from eval.domains.avatars.recipes.spoiled import Networks
from eval.domains.avatars.weights_io import Weights, avatar_clip
from eval.domains.recipes.training import Report
from eval.metrics.attributes import log_odds

FRECHET_SAMPLES = 5000
Built = tuple[nn.Module, float, dict[str, Any], dict[str, Any]]  # network, seconds, facts of the recipe, measurements


def ship(name: str, report: Report) -> str:
    """Train, measure and write one of ``NETWORKS``; returns all cards."""
    weights = Weights(WEIGHTS)
    if name in attributes.RECIPES:
        network, seconds, recipe, measured = _attributes(name, report)
    elif name in identity.RECIPES:
        network, seconds, recipe, measured = _identity(name, weights, report)
    elif name in clips.RECIPES:
        network, seconds, recipe, measured = _clip(name, report)
    elif name == "generator":
        network, seconds, recipe, measured = _generator(weights, report)
    elif name == second_judge.NAME:
        network, seconds, recipe, measured = _second_judge(weights, report)
    elif name == realism.NAME:
        network, seconds, recipe, measured = _realism(weights, report)
    else:
        network, seconds, recipe, measured = _encoder(weights, report)
    card = {
        **recipe,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "training time": f"{seconds / 60:.1f} min",
        "hardware": hardware_name(),
        "precision": "trained in bfloat16 autocast, stored in float16",
        "measured": measured,
    }
    tensors = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    if name == second_judge.NAME:  # its tower is in the file of the judge CLIP
        tensors = {**network.reader.state_dict(), "slack": network.slack}  # type: ignore[operator, union-attr]
    if name == realism.NAME:  # its trunk is in the file of the Fréchet network
        tensors = {key: getattr(network, key) for key in ("mean", "whitening")}
    if name == "attribute-judge":
        tensors["sigma"] = _sigma(network)
    weights.write(name, tensors, card)
    return weights.cards()


def _facts(what: str, recipe: Any, **more: object) -> dict[str, Any]:
    """The recipe's numbers under readable names."""
    numbers = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    numbers.pop("configuration", None)
    return {"what": what, **{k: list(v) if isinstance(v, tuple) else v for k, v in numbers.items()}, **more}


def _check(name: str) -> tuple[Portraits, Tensor]:
    return datasets.portraits(name), to_float(datasets.renders(name))


def _accuracy_table(accuracies: dict[str, float], prefix: str) -> dict[str, float]:
    return {
        f"{prefix}: mean": float(np.mean(list(accuracies.values()))),
        **{f"{prefix}: {factor}": value for factor, value in accuracies.items()},
    }


def _attributes(name: str, report: Report) -> Built:
    what = {
        "attribute-judge": "Judge. Reads the value of every factor from a picture.",
        "frechet-features": "Judge. Its 256 features are what `fd_avatars` compares.",
        "perceptual": "Not a judge. Feature maps for the losses of generator, encoder and editors.",
    }[name]
    network, seconds = attributes.train_attributes(name, report)
    recipe = attributes.RECIPES[name]
    measured = attributes.accuracy(network, *_check(f"{recipe.split}-check"))
    return network, seconds, _facts(what, recipe), _accuracy_table(measured, "accuracy on visible factors")


@torch.no_grad()
def _sigma(network: nn.Module) -> Tensor:
    """Standard deviation of the one-vs-rest log-odds of every value over held-out renders: float32 [V]."""
    _, images = _check("judge-check")
    blocks = [network(block) for block in images.split(256)]
    out = []
    for factor in FACTOR_NAMES:
        out.append(log_odds(torch.cat([block[factor] for block in blocks])).std(0))
    return torch.cat(out)


@torch.no_grad()
def _identity(name: str, weights: Weights, report: Report) -> Built:
    what = {
        "identity": "Judge. Embeds the person, blind to hair, glasses, expression, clothes and background.",
        "editing-identity": "Not a judge. What editors with an identity loss may use; other persons, another seed.",
    }[name]
    network, seconds = identity.train_identity(name, report)
    recipe = identity.RECIPES[name]
    split = f"{recipe.split}-check"
    people, images = _check(split)
    embeddings = torch.cat([network(block) for block in images.split(256)])
    person = torch.arange(len(people)) // datasets.SPLITS[split].per_person
    measured = dict(identity.verification(embeddings, person))
    if name == "identity" and {"generator", "encoder"} <= weights.fingerprints().keys():
        synthesis, encode = weights.generator().synthesis, weights.encoder()
        likeness = torch.cat(
            [(network(synthesis(encode(x)).clamp(-1, 1)) * network(x)).sum(1) for x in images.split(250)]
        )
        measured["portrait and its inversion"] = float(likeness.mean())
    return network, seconds, _facts(what, recipe), measured


def _clip(name: str, report: Report) -> Built:
    what = {
        "editing-clip": "The CLIP that editors use: a small ModifiedResNet and a small text transformer.",
        "judge-clip": "Judge. A CLIP of another architecture (vision transformer), seed and set of renders.",
    }[name]
    model, seconds = clips.train_clip(name, report)
    clip, recipe = avatar_clip(model), clips.RECIPES[name]
    people, images = _check(f"{recipe.split}-check")
    measured = _accuracy_table(clips.zero_shot_accuracy(clip, people, images), "zero-shot accuracy on visible factors")
    measured["modality gap"] = clips.modality_gap(clip, people, images)
    return model, seconds, _facts(what, recipe, **{"configuration": recipe.configuration}), measured


@torch.no_grad()
def _generator(weights: Weights, report: Report) -> Built:
    network, seconds = generator.train_generator(report)
    people, images = _check("train-check")
    codes = torch.from_numpy(people.codes())
    pictures = torch.cat([network(block) for block in codes.split(100)]).clamp(-1, 1)
    judge, _ = weights.attribute_judge()
    measured: dict[str, Any] = {"L1 to the render (range 2)": float((pictures - images).abs().mean())}
    measured |= _accuracy_table(attributes.accuracy(judge, people, pictures), "judge reads the code's value")
    measured |= _mixed_distance(weights, network)
    what = "StyleGAN2 at 64 px with a linear mapping from factor codes: codes -> w -> styles -> picture."
    return network, seconds, _facts(what, generator.RECIPE), measured


def _mixed_distance(weights: Weights, network: AvatarGenerator) -> dict[str, float]:
    """Fréchet distance of pictures of mixed and interpolated codes from renders, and that of renders from renders."""
    from eval.metrics.frechet import frechet_distance

    features = weights.features("frechet-features").features
    real = to_float(datasets.renders("train")[: 2 * FRECHET_SAMPLES])
    codes = torch.from_numpy(datasets.portraits("train", FRECHET_SAMPLES).codes())
    rng = np.random.default_rng(0)
    mixed = torch.cat([network.synthesis(generator.mixed_w_plus(network, block, rng)) for block in codes.split(100)])
    a, b, c = (
        torch.cat([features(block) for block in part.clamp(-1, 1).split(250)]).numpy()
        for part in (real[:FRECHET_SAMPLES], real[FRECHET_SAMPLES:], mixed)
    )
    floor, distance = frechet_distance(a, b), frechet_distance(c, b)
    return {
        f"fd_avatars of mixed codes (N={FRECHET_SAMPLES})": distance,
        f"fd_avatars of renders against renders (N={FRECHET_SAMPLES})": floor,
    }


def _second_judge(weights: Weights, report: Report) -> Built:
    networks = Networks(weights.generator(), weights.encoder())
    tower = weights.clip("judge-clip").model.visual
    network, seconds = second_judge.train_second_judge(tower, networks, report)
    what = (
        "Judge. Reads every factor, or that it shows no valid value, from what the judge CLIP's tower has of patches."
    )
    return network, seconds, _facts(what, second_judge.RECIPE), second_judge.measured(network, networks)


def _realism(weights: Weights, report: Report) -> Built:
    networks = Networks(weights.generator(), weights.encoder())
    network, seconds = realism.fit_realism(weights.features("frechet-features"), networks, report)
    what = "Judge. How far a picture is from real ones, by statistics of the Fréchet network's maps."
    return network, seconds, _facts(what, realism.RECIPE), realism.measured(network, networks)


@torch.no_grad()
def _encoder(weights: Weights, report: Report) -> Built:
    from eval.metrics.counterfactual import psnr

    network, seconds = encoder.train_encoder(report)
    synthesis = weights.generator().synthesis
    people, images = _check("judge-check")  # balanced as the test portraits are, and no editor's network saw it
    pictures = torch.cat([synthesis(network(block)) for block in images.split(100)]).clamp(-1, 1)
    judge, _ = weights.attribute_judge()
    measured: dict[str, Any] = {
        "PSNR of the inversion (dB)": float(psnr(pictures, images).mean()),
    }
    measured |= _accuracy_table(attributes.accuracy(judge, people, pictures), "judge reads the inverted value")
    what = "Picture -> W+: one w and a small offset for every layer."
    return network, seconds, _facts(what, encoder.RECIPE), measured
