"""What scores edits of faces: networks that others trained on photographs, and heads on their features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from deltaedit.backbones.clip import Clip
from eval.domains.base import Judges
from eval.domains.faces.labelled import seeds_showing
from eval.domains.faces.networks import FACTORS, AttributeJudge, DlibIdentity, FaceFeatures, efficientnet
from eval.domains.faces.second_judge import SecondJudge
from eval.domains.realism import Realism
from eval.domains.shipped_weights import ShippedWeights
from eval.weights.packages import require

JUDGE_NETWORKS = ("attribute-judge", "judge-clip", "realism", "second-judge")
LABELLED = "labelled-faces"
JUDGE_FILES = (*JUDGE_NETWORKS, LABELLED)  # that no editor may read
TRUNK_FILE = "efficientnet-lite0-57934424.pth"
LANDMARKS_FILE = "shape_predictor_68_face_landmarks.dat"
IDENTITY_FILES = ("dlib_face_recognition_resnet_model_v1.dat", LANDMARKS_FILE)


def judges_of(weights: ShippedWeights, clip: Clip, fingerprints: Mapping[str, str], device: torch.device) -> Judges:
    """The judges, from the shipped weights and the files of the packages.

    Raises:
        UsageError: a file is missing or damaged.
    """
    files = require((TRUNK_FILE, *IDENTITY_FILES))
    features = FaceFeatures(efficientnet(files[TRUNK_FILE]))
    weights.freeze("attribute-judge", features)
    tensors, card = weights.read("attribute-judge")
    judge = AttributeJudge(features, tensors["weight"], tensors["bias"])
    weights.freeze("attribute-judge", judge)
    identity = DlibIdentity(*(files[name] for name in IDENTITY_FILES))
    realism = Realism(features, **weights.read("realism")[0])
    weights.freeze("realism", realism)
    judge.to(device)
    realism.to(device)
    second = SecondJudge(identity.landmarks, **weights.read("second-judge")[0])
    weights.freeze("second-judge", second)
    second.to(device)
    measured = card["measured"]
    return Judges(
        attributes=judge,
        sigma=split_sigma(tensors["sigma"]),
        clip=clip,
        identity=identity,
        identity_floor=float(measured["identity: different persons"]),
        identity_ceiling=float(measured["identity: a picture and its mirror image"]),
        same_person=float(measured["identity: cosine at dlib's distance .6"]),
        frechet=features.whole,
        frechet_name="fd_faces",
        fingerprints={name: fingerprints[name] for name in (*JUDGE_NETWORKS, "identity", "frechet-features")},
        protocols={
            "attribute-judge": "efficientnet-lite0-imagenet,3-crops,linear",
            "identity": "dlib-resnet-v1,68-landmarks,fixed-box,unit-norm",
            "frechet-features": "efficientnet-lite0-imagenet,224px-bilinear-antialias,mean",
            "second-judge": "edges-128px,colours-16px,68-landmarks,fixed-box,linear",
            "region": "68-landmarks-of-each-face",
        },
        second=second,
        realism=realism,
        samples=lambda attribute, value: features_showing(weights.read(LABELLED)[0], attribute, value),
        frechet_and_realism=realism.with_features,
    )


def split_sigma(sigma: Tensor) -> dict[str, Tensor]:
    """float32 [V] of all values -> factor -> [V]."""
    parts = sigma.split([len(values) for values in FACTORS.values()])
    return dict(zip(FACTORS, parts, strict=True))


def features_showing(labelled: Mapping[str, Tensor], attribute: str, value: str) -> Tensor:
    """Fréchet features of faces that show a value by the labels of people who looked.

    Args:
        labelled: ``seeds`` int64 [N] and ``features`` float32 [N, D].
        attribute: a factor of the domain.
        value: one of its values.

    Returns:
        float32 [M, D], by seed.
    """
    return labelled["features"][torch.isin(labelled["seeds"], torch.tensor(seeds_showing(attribute, value)))]
