"""Keeps the weights of editors and judges apart: none serve on both sides.

Caught: a file or a tensor that a domain has on both sides; and weights that an editor holds after ``prepare`` or
``fit`` and that equal a judge's, however they were loaded.

Not caught: weights that an editor reads by itself, changes or hides outside of its attributes, and multiplies by
hand. No program can prove the absence of that; reading the editor's code can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from eval.domains.base import Domain, Judges
from eval.domains.guard import Watch
from eval.domains.reachable import reachable
from eval.errors import UsageError

FEWEST_NUMBERS = 64  # a smaller tensor may equal another by chance or convention (means, biases, temperatures)
EDITING_NETWORKS = ("synthesis", "encoder", "clip", "identity", "perceptual")  # fields of EditingDomain
JUDGE_NETWORKS = ("attributes", "clip", "identity", "frechet", "second", "realism")  # fields of Judges


def check_apart(domain: Domain) -> None:
    """Refuse a domain whose editors and judges share weights.

    Raises:
        UsageError: a weight file (by sha256) or a tensor serves on both sides; it names both.
    """
    judging = domain.judges.fingerprints
    editing_files = {name: digest for name, digest in domain.fingerprints.items() if name not in judging}
    for judge, digest in judging.items():
        shared = [name for name, other in editing_files.items() if other == digest]
        if shared:
            raise UsageError(_shared(domain.name, judge, shared[0], f"the same file, sha256 {digest[:12]}"))
    weights = judge_weights(domain.judges)
    for name in EDITING_NETWORKS:
        for judge in held_weights([getattr(domain.editing, name)], weights):
            raise UsageError(_shared(domain.name, judge, name, "they share a tensor"))


def _shared(domain: str, judge: str, editing: str, how: str) -> str:
    return (
        f"The judge '{judge}' of the domain {domain} and its editing network '{editing}' are not independent "
        f"({how}); a judge must be a network that no editor has: train or choose another."
    )


Weights = Mapping[tuple[int, ...], list[tuple[str, Tensor]]]  # shape -> judges and their tensors


def judge_weights(judges: Judges) -> Weights:
    """The tensors of all judges that are large enough to be told apart, by shape."""
    found: dict[tuple[int, ...], list[tuple[str, Tensor]]] = {}
    large = [(name, tensor) for name in JUDGE_NETWORKS for tensor in _large([getattr(judges, name)])]
    varied = _told([_varied(tensor.detach()) for _, tensor in large])
    for (name, tensor), is_varied in zip(large, varied, strict=True):
        if is_varied:
            found.setdefault(tuple(tensor.shape), []).append((name, tensor))
    return found


def held_weights(things: Iterable[object], weights: Weights) -> list[str]:
    """The judges whose weights are among the tensors that some objects hold, each named once."""
    pairs = [(name, mine, other) for mine in _large(things) for name, other in weights.get(tuple(mine.shape), [])]
    same = _told([_equal(mine.detach().to(other.device).float(), other.detach().float()) for _, mine, other in pairs])
    return list(dict.fromkeys(name for (name, _, _), is_same in zip(pairs, same, strict=True) if is_same))


def check_holds_no_judge(editor: str, instance: object, weights: Weights) -> None:
    """Look through an editor's attributes after it was prepared or fitted.

    Raises:
        JudgeTouched: it holds weights of a judge.
    """
    names = held_weights([vars(instance)] if hasattr(instance, "__dict__") else [], weights)
    if names:
        raise Watch(editor, [f"{name} (it holds the weights)" for name in names]).error()


def _varied(tensor: Tensor) -> Tensor:
    """Whether not all numbers are the same, as they are in many networks by convention: scalar."""
    return (tensor != tensor.flatten()[0]).any()


def _equal(first: Tensor, second: Tensor) -> Tensor:
    return (first == second).all() & _varied(first)


def _told(flags: Sequence[Tensor]) -> list[bool]:
    """Scalars of any device as bools, asked for once: every question makes a GPU wait."""
    told: list[bool] = torch.stack([flag.to(flags[0].device) for flag in flags]).tolist() if flags else []
    return told


def _large(things: Iterable[object]) -> Iterator[Tensor]:
    """Tensors of at least ``FEWEST_NUMBERS`` numbers; of networks the parameters, not the buffers."""
    for thing in reachable(things):
        if isinstance(thing, Tensor) and thing.is_floating_point() and thing.numel() >= FEWEST_NUMBERS:
            yield thing
