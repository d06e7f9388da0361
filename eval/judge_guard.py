"""Keeps editors and judges apart: while an editor works no judge answers, and no weights serve on both sides.

Caught: a call of a judge, of a network inside it or of a copy of that, from wherever the editor has it; reading a
judge's weight file through ``eval``; both also where the editor hides the error, because a touch is remembered; and
weights that an editor holds after ``prepare`` or ``fit`` and that equal a judge's, however they were loaded.

Not caught: weights that an editor reads by itself, changes or hides outside of its attributes, and multiplies by
hand. No program can prove the absence of that; reading the editor's code can.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from deltaedit.domain import EditingDomain
from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.domains.base import Domain, Judges

FEWEST_NUMBERS = 64  # a smaller tensor may equal another by chance or convention (means, biases, temperatures)
EDITING_NETWORKS = ("synthesis", "encoder", "clip", "identity", "perceptual")  # fields of EditingDomain
JUDGE_NETWORKS = ("attributes", "clip", "identity", "frechet")  # fields of Judges
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, ModuleType, torch.dtype, torch.device)


class JudgeTouched(RuntimeError):
    """An editor used a network that scores."""


@dataclass
class Watch:
    """An editor at work.

    Attributes:
        editor: its label.
        touched: the judges that it tried to use, in order.
    """

    editor: str
    touched: list[str] = field(default_factory=list)

    def error(self) -> JudgeTouched:
        """What is wrong, in one sentence."""
        names = " and ".join(f"'{name}'" for name in dict.fromkeys(self.touched))
        return JudgeTouched(
            f"The editor {self.editor} touched {names}; judges only score: an editor may use the networks of its "
            "EditingDomain and others of its own."
        )


# Process-wide on purpose: an editor that starts a thread, or loads the judges a second time, must meet the same guard.
_at_work: list[Watch] = []


@contextmanager
def editing(editor: str) -> Iterator[Watch]:
    """While this is open every judge of the process raises.

    Args:
        editor: its label, for the error.

    Raises:
        JudgeTouched: at the touch; and at the end, where the editor caught that error and went on.
    """
    watch = Watch(editor)
    _at_work.append(watch)
    try:
        yield watch
    finally:
        _at_work.remove(watch)
    if watch.touched:
        raise watch.error()


def refuse(judge: str) -> None:
    """Called wherever a judge would answer.

    Raises:
        JudgeTouched: an editor is at work.
    """
    if _at_work:
        _at_work[-1].touched.append(judge)
        raise _at_work[-1].error()


class Guarded:
    """A judge that answers only while no editor is at work.

    Args:
        function: images -> scores.
        judge: its name, for the error.
    """

    def __init__(self, function: Callable[[Tensor], Any], judge: str) -> None:
        self.function = function
        self.judge = judge

    def __call__(self, images: Tensor) -> Any:
        """As the function."""
        refuse(self.judge)
        return self.function(images)


def guarded(function: Callable[[Tensor], Any], judge: str) -> Callable[[Tensor], Any]:
    """The function behind the guard, and every network that it holds."""
    protect(function, judge)
    return function if isinstance(function, Guarded) else Guarded(function, judge)


def protect(thing: object, judge: str) -> None:
    """Make the networks that something holds refuse to run while an editor is at work; copies of them do as well."""
    for network in _reachable([thing]):
        if isinstance(network, nn.Module):
            for part in network.modules():
                if not any(_is_refusal(hook) for hook in part._forward_pre_hooks.values()):
                    part.register_forward_pre_hook(functools.partial(_refuse_to_run, judge))


def _refuse_to_run(judge: str, network: nn.Module, inputs: Any) -> None:
    refuse(judge)


def _is_refusal(hook: object) -> bool:
    return isinstance(hook, functools.partial) and hook.func is _refuse_to_run


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
    for name in JUDGE_NETWORKS:
        for tensor in _tensors([getattr(judges, name)]):
            found.setdefault(tuple(tensor.shape), []).append((name, tensor))
    return found


def held_weights(things: Iterable[object], weights: Weights) -> list[str]:
    """The judges whose weights are among the tensors that some objects hold, each named once."""
    names = []
    for tensor in _tensors(things):
        for name, other in weights.get(tuple(tensor.shape), []):
            if name not in names and (tensor is other or torch.equal(_plain(tensor), _plain(other))):
                names.append(name)
    return names


def check_holds_no_judge(editor: str, instance: object, weights: Weights) -> None:
    """Look through an editor's attributes after it was prepared or fitted.

    Raises:
        JudgeTouched: it holds weights of a judge.
    """
    names = held_weights([vars(instance)] if hasattr(instance, "__dict__") else [], weights)
    if names:
        raise Watch(editor, [f"{name} (it holds the weights)" for name in names]).error()


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu()


def _tensors(things: Iterable[object]) -> Iterator[Tensor]:
    """Tensors of at least ``FEWEST_NUMBERS`` different enough numbers; of networks the parameters, not the buffers."""
    for thing in _reachable(things):
        if isinstance(thing, Tensor) and thing.is_floating_point() and thing.numel() >= FEWEST_NUMBERS:
            flat = thing.detach().flatten()
            if bool((flat != flat[0]).any()):
                yield thing


def _reachable(things: Iterable[object]) -> Iterator[object]:
    """Everything that some objects hold in attributes, items, closures and bound methods.

    Classes, Python modules and globals are not followed, nor a whole ``Domain`` or ``EditingDomain``: editors are given
    that, and through its methods it leads to everything.
    """
    waiting, seen = list(things), {}
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, _PLAIN) or id(thing) in seen or _is_domain(thing):
            continue
        seen[id(thing)] = thing  # kept, so that its id is not given to another object
        yield thing
        waiting.extend(_held(thing))


def _is_domain(thing: object) -> bool:
    own = getattr(thing, "__dict__", ())
    halves = [name in own or hasattr(type(thing), name) for name in ("judges", "editing")]
    return all(halves) or isinstance(thing, EditingDomain)


def _held(thing: object) -> Iterable[object]:
    if isinstance(thing, Tensor):
        return ()
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, (list, tuple, set, frozenset)):
        return list(thing)
    if isinstance(thing, nn.Module):
        return [value for name, value in vars(thing).items() if name != "_buffers"]
    if isinstance(thing, MethodType):
        return [thing.__self__, thing.__func__]
    if isinstance(thing, FunctionType):
        return [*_closure(thing), *(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
    if isinstance(thing, functools.partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    return list(getattr(thing, "__dict__", {}).values())


def _closure(function: FunctionType) -> list[object]:
    contents = []
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a cell that nothing was put into yet
            contents.append(cell.cell_contents)
    return contents
