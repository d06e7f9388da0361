"""Everything that an object holds."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import FunctionType, MethodType, ModuleType

import torch
from torch import Tensor, nn

from deltaedit.tools.domain import EditingDomain

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, ModuleType, torch.dtype, torch.device)


def reachable(things: Iterable[object]) -> Iterator[object]:
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
