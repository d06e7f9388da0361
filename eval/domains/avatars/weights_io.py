"""The networks of the embedded domain from its weight files."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deltaedit.backbones.clip import Clip
from eval.domains.avatars.factors import FACTOR_NAMES, VALUES
from eval.domains.avatars.networks import (
    CLIPS,
    MERGES_FILE,
    AttributeNetwork,
    AvatarEncoder,
    AvatarGenerator,
    IdentityNetwork,
    build_clip,
)
from eval.domains.avatars.second_judge import PatchReader, SecondJudge
from eval.domains.realism import Realism
from eval.domains.shipped_weights import ShippedWeights
from eval.domains.vocabulary import tokenizer

JUDGE_NETWORKS = ("attribute-judge", "judge-clip", "identity", "frechet-features", "second-judge", "realism")
Network = TypeVar("Network", bound=nn.Module)
# Networks may be asked for first within inference mode, but editors take gradients through them.
NORMAL_TENSORS = torch.inference_mode(False)


class Weights(ShippedWeights):
    """The weight files of one folder.

    Args:
        folder: holds ``<network>.safetensors`` and ``SHA256SUMS``.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("avatars", folder, JUDGE_NETWORKS)

    @NORMAL_TENSORS
    def generator(self) -> AvatarGenerator:
        """Factor codes -> image."""
        network = AvatarGenerator()
        self.restore("generator", network)
        return network

    @NORMAL_TENSORS
    def encoder(self) -> AvatarEncoder:
        """Image -> W+."""
        network = last(AvatarEncoder())
        self.restore("encoder", network)
        return network

    @NORMAL_TENSORS
    def clip(self, network: str) -> Clip:
        """``editing-clip`` or ``judge-clip``."""
        model = build_clip(CLIPS[network])
        self.restore(network, model)
        fold_norms(model)
        return avatar_clip(last(model))

    @NORMAL_TENSORS
    def attribute_judge(self) -> tuple[AttributeNetwork, dict[str, Tensor]]:
        """The judge and the standard deviation of its one-vs-rest log-odds over held-out renders, [V] a factor."""
        tensors, card = self.read("attribute-judge")
        sigma = tensors.pop("sigma").split([len(VALUES[factor]) for factor in FACTOR_NAMES])
        network = last(AttributeNetwork(tuple(card["widths"])))
        self.fill("attribute-judge", network, tensors)
        return network, dict(zip(FACTOR_NAMES, sigma, strict=True))

    @NORMAL_TENSORS
    def second_judge(self) -> SecondJudge:
        """The second attribute judge, on a tower of its own."""
        tensors, card = self.read("second-judge")
        slack, reader = tensors.pop("slack"), PatchReader(int(card["width"]))
        self.fill("second-judge", reader, tensors)
        network = SecondJudge(self.clip("judge-clip").model.visual, reader, slack)
        self.freeze("second-judge", network)
        return network

    @NORMAL_TENSORS
    def realism(self) -> Realism:
        """Distance from real pictures."""
        network = Realism(self.features("frechet-features"), **self.read("realism")[0])
        self.freeze("realism", network)
        return network

    @NORMAL_TENSORS
    def features(self, name: str) -> AttributeNetwork:
        """``frechet-features``, which the Fréchet distance compares, or the editors' ``perceptual`` network."""
        tensors, card = self.read(name)
        network = last(AttributeNetwork(tuple(card["widths"])))
        self.fill(name, network, tensors)
        return network

    @NORMAL_TENSORS
    def identity(self, name: str) -> tuple[IdentityNetwork, float, float]:
        """``identity`` (the judge) or ``editing-identity``; the mean cosine of different persons and of the same."""
        network = last(IdentityNetwork())
        card = self.restore(name, network)
        return network, float(card["measured"]["different persons"]), float(card["measured"]["same person"])


def last(network: Network) -> Network:
    """Channels last, in which convolutions on a CPU need no reordering of what they get."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def fold_norms(network: nn.Module) -> None:
    """Put every batch norm into the convolution before it, as ``open_clip`` pairs them by name: two passes less."""
    for module in list(network.modules()):
        for norm, convolution in (("bn1", "conv1"), ("bn2", "conv2"), ("bn3", "conv3"), ("1", "0")):
            if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
                setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
                setattr(module, norm, nn.Identity())


def avatar_clip(model: nn.Module) -> Clip:
    """The domain's CLIP around a model: 64 px, images kept in [-1, 1]."""
    return Clip(model, tokenizer(MERGES_FILE), 64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
