"""From trained networks to weight files with their cards: what they are, how they were trained, what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deltaedit.backbones.clip import Clip, imagenet_templates
from deltaedit.text import text_feature
from deltaedit.tools.artefacts import hardware_name
from eval.domains.faces.captions import corpus
from eval.domains.faces.domain import FacesDomain
from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.judges import IDENTITY_FILES, TRUNK_FILE
from eval.domains.faces.labelled import MOST, read
from eval.domains.faces.networks import MERGES_FILE, WEIGHTS, DlibIdentity, FaceFeatures, efficientnet
from eval.domains.faces.recipes import attribute_judge, editing_clip, judge_clip, labelled_faces, realism, second_judge
from eval.domains.faces.recipes.attribute_judge import with_interval
from eval.domains.faces.recipes.encoder import encoder_files
from eval.domains.recipes.training import Report
from eval.domains.shipped_weights import ShippedWeights
from eval.domains.vocabulary import save_merges
from eval.weights.packages import require

# attribute -> the text that says it is there, and the one that says it is not.
ZERO_SHOT: dict[str, tuple[str, str]] = {
    "glasses": ("face with glasses", "face"),
    "beard": ("face with beard", "face"),
    "hat": ("face with hat", "face"),
    "bangs": ("face with bangs", "face"),
    "blond_hair": ("face with blond hair", "face"),
    "grey_hair": ("face with grey hair", "face"),
    "bald": ("face with bald head", "face"),
    "long_hair": ("face with long hair", "face with short hair"),
    "curly_hair": ("face with curly hair", "face with straight hair"),
    "smile": ("face with smile", "face with serious expression"),
    "open_mouth": ("face with open mouth", "face with closed mouth"),
    "lipstick": ("face with lipstick", "face"),
    "male": ("male face", "female face"),
    "child": ("child face", "adult face"),
    "old": ("old face", "young face"),
}


def ship(name: str, report: Report) -> str:
    """Train, measure and write one of ``PARTS``; returns all cards."""
    weights = ShippedWeights("faces", WEIGHTS, ())
    WEIGHTS.mkdir(exist_ok=True)
    if not MERGES_FILE.exists():
        save_merges(MERGES_FILE, "faces", corpus(imagenet_templates()))
    tensors, facts, measured = PARTS[name](report)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    card = {**facts, "parameters": parameters, "hardware": hardware_name(), "measured": measured}
    weights.write(name, tensors, card)
    return weights.cards()


def _features() -> FaceFeatures:
    return FaceFeatures(efficientnet(require([TRUNK_FILE])[TRUNK_FILE])).eval()


def _judge(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    files = require(IDENTITY_FILES)
    identity = DlibIdentity(*(files[file] for file in IDENTITY_FILES))
    tensors, measured = attribute_judge.train(_features(), FaceGenerator(), identity)
    facts = {
        "what": "Judge. Linear heads on EfficientNet-lite0's features of the face, the eyes and the mouth.",
        "labels": "labels/judges.csv, 700 faces by eye; measured on labels/held_out.csv",
    }
    return tensors, facts, measured


def _second(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    files = require(IDENTITY_FILES)
    identity = DlibIdentity(*(files[file] for file in IDENTITY_FILES))
    tensors, measured = second_judge.train(identity, FaceGenerator())
    facts = {
        "what": "Judge. Linear heads on edges (histograms of their directions), colours and landmarks; no network.",
        "labels": "labels/captions.csv, 600 faces by eye; measured on labels/held_out.csv",
    }
    return tensors, facts, measured


def _realism(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    tensors, measured = realism.train(_features(), FaceGenerator())
    facts = {
        "what": "Judge. How far a face is from those that the generator samples, by EfficientNet-lite0's maps.",
        **dataclasses.asdict(realism.RECIPE),
    }
    return tensors, facts, measured


def _labelled(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    tensors, counts = labelled_faces.gather(_features(), FaceGenerator())
    facts = {
        "what": "No network: the features that `fd_faces` compares, of faces that people looked at.",
        "labels": f"labels/*.csv, by eye; the first {MOST} of each value at most",
    }
    return tensors, facts, counts


def _editing(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    data = editing_clip.training_samples()
    network, seconds = editing_clip.train_code(data, report=report)
    model = editing_clip.assemble(network, data, report=report)
    return editing_files(model, data, seconds)


def _encoder(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Of the same training as the editing CLIP, which is finished if it was broken off."""
    data = editing_clip.training_samples()
    network, _ = editing_clip.train_code(data, report=report)
    return encoder_files(network, data)


def editing_files(
    model: nn.Module, data: editing_clip.Samples, seconds: float
) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Tensors, facts and measurements of the editing CLIP."""
    clip = FacesDomain.around("editing-clip", model)
    measured = zero_shot(clip)
    w, pictures = FaceGenerator().samples(1_300, 700)
    with torch.inference_mode():
        held_out = torch.cat([clip.encode_images(to_float(block)) for block in pictures.split(100)])
        known = torch.cat([clip.encode_images(to_float(block)) for block in data.pictures.split(100)])
    measured["share of w that the embedding explains"] = editing_clip.explained_code(held_out, w, known, data.w)
    recipe = {k: v for k, v in dataclasses.asdict(editing_clip.RECIPE).items() if k != "texts"}
    facts = {
        "what": "The CLIP that editors use: RegNetY-200MF and a small text transformer; half of it knows the person.",
        **recipe,
        **{f"texts: {k}": v for k, v in dataclasses.asdict(editing_clip.RECIPE.texts).items()},
        "training time": f"{seconds / 60:.1f} min for the trunk",
    }
    return model.state_dict(), facts, measured


def _judge_clip(report: Report) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    model, seconds = judge_clip.train_clip(_features(), FaceGenerator(), report)
    measured = zero_shot(FacesDomain.around("judge-clip", model))
    facts = {
        "what": "Judge. A CLIP on EfficientNet-lite0's frozen trunk, which is the package's and not in this file.",
        "samples": f"{judge_clip.SAMPLES} from seed {judge_clip.FIRST_SEED}",
        **{f"texts: {k}": v for k, v in dataclasses.asdict(judge_clip.RECIPE).items()},
        "training time": f"{seconds / 60:.1f} min",
    }
    tensors = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("visual.trunk.")}
    return tensors, facts, measured


def zero_shot(clip: Clip) -> dict[str, Any]:
    """Accuracy on the held-out labels of reading by texts, the threshold of each attribute set on the captions' faces.

    A text says that something is there or not, but not how sure one must be: CLIP's two texts have different norms and
    frequencies. So the threshold on the difference of their cosines is set where it separates best on the 600 faces of
    ``labels/captions.csv``, and the accuracy is measured on others.
    """
    generator = FaceGenerator()
    sets = {name: _scores(clip, generator, name) for name in ("captions", "held_out")}
    measured, shares = {}, []
    for attribute in ZERO_SHOT:
        scores, labels = sets["captions"][0][attribute], sets["captions"][1][attribute]
        threshold = best_threshold(scores, labels)
        scores, labels = sets["held_out"][0][attribute], sets["held_out"][1][attribute]
        known = ~np.isnan(labels)
        share = float(((scores > threshold) == (labels > 0.5))[known].mean())
        measured[f"zero-shot accuracy: {attribute}"] = with_interval(share, int(known.sum()))
        shares.append(share)
    return {"zero-shot accuracy: mean": float(np.mean(shares)), **measured}


def _scores(clip: Clip, generator: FaceGenerator, name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Difference of the cosines of both texts for each attribute, and the labels, of one set of labels."""
    labels = read(name)
    first, count = int(labels.index[0]), len(labels)
    _, pictures = generator.samples(first, count)
    with torch.inference_mode():
        images = torch.cat([clip.encode_images(to_float(block)) for block in pictures.split(100)])
    scores = {}
    for attribute, (there, absent) in ZERO_SHOT.items():
        direction = text_feature(clip, there) - text_feature(clip, absent)
        scores[attribute] = (images @ direction).numpy()
    return scores, {attribute: labels[attribute].to_numpy() for attribute in ZERO_SHOT}


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The score above which most labelled faces are rightly said to have the attribute.

    >>> float(best_threshold(np.array([0.1, 0.2, 0.6, 0.9, 0.5]), np.array([0, 0, 1, 1, np.nan])))
    0.4
    """
    known = ~np.isnan(labels)
    ordered = np.sort(scores[known])
    middles: Sequence[float] = [*((ordered[1:] + ordered[:-1]) / 2), ordered[-1]]
    right = [((scores > middle) == (labels > 0.5))[known].mean() for middle in middles]
    return middles[int(np.argmax(right))]


# network -> what trains it and returns its tensors, what is known of it and what was measured.
PARTS = {
    "attribute-judge": _judge,
    "editing-clip": _editing,
    "encoder": _encoder,
    "judge-clip": _judge_clip,
    "labelled-faces": _labelled,
    "realism": _realism,
    "second-judge": _second,
}
