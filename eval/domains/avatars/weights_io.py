"""Weight files of the embedded domain: safetensors with their card inside, checked by sha256 when read.

A card is what the recipe says of a network: data, seed, steps, seconds, hardware, accuracy on held-out renders.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deltaedit.backbones.clip import Clip
from deltaedit.files import write_whole
from eval.domains import guard as judge_guard
from eval.domains.avatars.captions import tokenizer
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
from eval.errors import UsageError

SUMS_FILE = "SHA256SUMS"
JUDGE_NETWORKS = ("attribute-judge", "judge-clip", "identity", "frechet-features")
# Networks may be asked for first within inference mode, but editors take gradients through them.
NORMAL_TENSORS = torch.inference_mode(False)
REPAIR = "install the package again, or train it with `deltabench domain train avatars --network {}`"


class Weights:
    """The weight files of one folder.

    Args:
        folder: holds ``<network>.safetensors`` and ``SHA256SUMS``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _sums(self) -> dict[str, str]:
        path = self.folder / SUMS_FILE
        if not path.exists():
            raise UsageError(
                f"There are no weights of the domain 'avatars' in {self.folder}; install the package again."
            )
        rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
        return {name.removesuffix(".safetensors"): digest for digest, name in rows}

    def fingerprints(self) -> dict[str, str]:
        """Network -> sha256 of its file, as recorded when it was written."""
        return dict(self._sums)

    def read(self, network: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors (floats as float32) and card of a network.

        Raises:
            UsageError: the file is missing, or its bytes are not those that were recorded.
            JudgeTouched: an editor is at work and the network is a judge.
        """
        from safetensors.torch import load

        if network in JUDGE_NETWORKS:
            judge_guard.refuse(f"the weight file of {network}")
        path = self.folder / f"{network}.safetensors"
        repair = REPAIR.format(network)
        if network not in self._sums or not path.exists():
            raise UsageError(f"The weight file {path} is missing; {repair}.")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self._sums[network]:
            raise UsageError(f"The weight file {path} is damaged (its sha256 is not the recorded one); {repair}.")
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        tensors = {k: v.float() if v.is_floating_point() else v for k, v in load(data).items()}
        return tensors, json.loads(header["__metadata__"]["card"])

    def _restore(self, network: str, module: nn.Module) -> dict[str, Any]:
        tensors, card = self.read(network)
        _fill(network, module, tensors)
        return card

    @NORMAL_TENSORS
    def generator(self) -> AvatarGenerator:
        """Factor codes -> image."""
        network = AvatarGenerator()
        self._restore("generator", network)
        return network

    @NORMAL_TENSORS
    def encoder(self) -> AvatarEncoder:
        """Image -> W+."""
        network = AvatarEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._restore("encoder", network)
        return network  # type: ignore[no-any-return]

    @NORMAL_TENSORS
    def clip(self, network: str) -> Clip:
        """``editing-clip`` or ``judge-clip``."""
        model = build_clip(CLIPS[network])
        self._restore(network, model)
        return avatar_clip(model)

    @NORMAL_TENSORS
    def attribute_judge(self) -> tuple[AttributeNetwork, dict[str, Tensor]]:
        """The judge and the standard deviation of its one-vs-rest log-odds over held-out renders, [V] a factor."""
        tensors, card = self.read("attribute-judge")
        sigma = tensors.pop("sigma").split([len(VALUES[factor]) for factor in FACTOR_NAMES])
        network = AttributeNetwork(tuple(card["widths"]))
        _fill("attribute-judge", network, tensors)
        return network, dict(zip(FACTOR_NAMES, sigma, strict=True))

    @NORMAL_TENSORS
    def features(self, name: str) -> AttributeNetwork:
        """``frechet-features``, which the Fréchet distance compares, or the editors' ``perceptual`` network."""
        tensors, card = self.read(name)
        network = AttributeNetwork(tuple(card["widths"]))
        _fill(name, network, tensors)
        return network

    @NORMAL_TENSORS
    def identity(self, name: str) -> tuple[IdentityNetwork, float, float]:
        """``identity`` (the judge) or ``editing-identity``; the mean cosine of different persons and of the same."""
        network = IdentityNetwork()
        card = self._restore(name, network)
        return network, float(card["measured"]["different persons"]), float(card["measured"]["same person"])

    def write(self, network: str, tensors: dict[str, Tensor], card: dict[str, Any]) -> str:
        """Write a weight file (floats as float16), record its sum, generate ``CARDS.md`` anew; returns the sha256."""
        from safetensors.torch import save

        small = {k: v.detach().contiguous().half() if v.is_floating_point() else v.detach() for k, v in tensors.items()}
        data = save(small, {"card": json.dumps(card, sort_keys=True)})
        digest = hashlib.sha256(data).hexdigest()
        write_whole(self.folder / f"{network}.safetensors", lambda file: file.write(data))
        sums = {**(self._sums if (self.folder / SUMS_FILE).exists() else {}), network: digest}
        lines = [f"{sums[name]}  {name}.safetensors\n" for name in sorted(sums)]
        (self.folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8")
        self.__dict__.pop("_sums", None)
        (self.folder / "CARDS.md").write_text(self.cards(), encoding="utf-8")
        return digest

    def cards(self) -> str:
        """The cards of all networks in Markdown."""
        parts = ["# Cards of the shipped networks\n\nGenerated by the recipes; do not edit.\n"]
        for network in sorted(self._sums):
            _, card = self.read(network)
            size_mb = (self.folder / f"{network}.safetensors").stat().st_size / 1e6
            measured = card.pop("measured")
            parts.append(f"\n## {network}\n\n{card.pop('what')}\n\n| | |\n|---|---|\n")
            rows = {**card, "size": f"{size_mb:.1f} MB", "sha256": f"`{self._sums[network]}`"}
            parts += [f"| {name.replace('_', ' ')} | {_shown(value)} |\n" for name, value in rows.items()]
            parts.append("\n| measured on held-out renders | |\n|---|---|\n")
            parts += [f"| {name} | {_shown(value)} |\n" for name, value in measured.items()]
        return "".join(parts)


def _fill(network: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load and freeze; a judge then refuses to run while an editor is at work, however it was come by."""
    module.load_state_dict(tensors)
    module.eval().requires_grad_(False)
    if network in JUDGE_NETWORKS:
        judge_guard.protect(module, network)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def avatar_clip(model: nn.Module) -> Clip:
    """The domain's CLIP around a model: 64 px, images kept in [-1, 1]."""
    return Clip(model, tokenizer(MERGES_FILE), 64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
