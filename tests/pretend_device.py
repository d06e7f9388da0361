"""A second device on a machine that has none: tensors there are marked, and what a GPU would refuse is refused.

The numbers are computed on the CPU. Refused: an operation on tensors of both devices (one of them a CPU tensor of more
than 0 dimensions), a marked tensor as a NumPy array, random numbers of a CPU generator drawn there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

PRETEND = torch.device("xpu:0")  # a kind of device that DeltaBench does nothing special for
_CROSS = {Tensor.copy_, torch._has_compatible_shallow_copy_type}  # may see both
_NUMPY = {Tensor.numpy, Tensor.__array__}
_PLACED = {Tensor.__getitem__, Tensor.__setitem__}  # a CPU tensor may be the index of a marked one
_DRAWN = {torch.randn, torch.rand, torch.randint, torch.randperm, torch.normal}


class MixedDevices(RuntimeError):
    """What a GPU would have refused."""


class PretendDevice(TorchFunctionMode):
    """While it is open, ``PRETEND`` is a device of this machine."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function == Tensor.device.__get__:
            return PRETEND if is_marked(args[0]) else function(*args)
        if function in _NUMPY and is_marked(args[0]):
            raise MixedDevices("can't convert a tensor of the second device to numpy; use .cpu() first")
        given = list(_tensors((args, kwargs)))
        if function == Tensor.data.__set__:
            function(*args)
            return _mark(args[0], is_marked(args[1]))
        if function is Tensor.cpu:
            return _mark(function(*args, **kwargs).clone(), False) if is_marked(args[0]) else function(*args, **kwargs)
        if function is Tensor.to:
            return self._moved(args, kwargs)
        there = kwargs.get("device")
        if there is not None and torch.device(there).type == PRETEND.type:
            if function in _DRAWN and kwargs.get("generator") is not None:
                raise MixedDevices("Expected a generator of the second device but found 'cpu'")
            kwargs["device"] = "cpu"
            return _mark(function(*args, **kwargs), True)
        if there is not None:
            return function(*args, **kwargs)
        self._check(function, given, args)
        out = function(*args, **kwargs)
        if any(map(is_marked, given)):
            for tensor in _tensors(out):
                if not any(tensor is other for other in given):
                    _mark(tensor, True)
        return out

    def _moved(self, args: Any, kwargs: Any) -> Tensor:
        source, *others = args
        named = kwargs.pop("device", None)
        places = [named, *others]
        there: bool | None = None
        for place in places:
            if isinstance(place, Tensor):
                there = is_marked(place)
                kwargs.setdefault("dtype", place.dtype)
            elif isinstance(place, str | torch.device):
                there = torch.device(place).type == PRETEND.type
            elif isinstance(place, torch.dtype):
                kwargs["dtype"] = place
        out = source.to(**kwargs) if kwargs else source
        if there is None or there == is_marked(source):
            return _mark(out, is_marked(source)) if out is not source else out
        return _mark(out.clone() if out is source else out, there)

    @staticmethod
    def _check(function: Any, given: list[Tensor], args: Any) -> None:
        if function in _CROSS:
            return
        marked = [is_marked(tensor) for tensor in given]
        if function in _PLACED and is_marked(args[0]):
            return
        alone = [tensor for tensor, there in zip(given, marked, strict=True) if not there and tensor.dim()]
        if any(marked) and alone:
            name = getattr(function, "__name__", function)
            raise MixedDevices(
                f"{name}: Expected all tensors to be on the same device, but found two: cpu and {PRETEND}"
            )


def is_marked(tensor: Tensor) -> bool:
    """Whether a tensor is on the pretended device."""
    return "pretended" in tensor.__dict__


def _mark(out: Any, there: bool) -> Any:
    for tensor in _tensors(out):
        if there:
            tensor.__dict__["pretended"] = True
        else:
            tensor.__dict__.pop("pretended", None)
    return out


def _tensors(things: Any) -> Iterator[Tensor]:
    if isinstance(things, Tensor):
        yield things
    elif isinstance(things, dict):
        yield from _tensors(list(things.values()))
    elif isinstance(things, (list, tuple)):
        for thing in things:
            yield from _tensors(thing)
