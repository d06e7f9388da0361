"""Less than float32 where the hardware computes faster with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

PRECISIONS = ("float32", "tf32", "bf16")


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there: on a GPU, and on an x86 processor with AVX-512.

    Elsewhere it is emulated, and a convolution takes up to a hundred times as long.
    """
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"


def autocast(device: torch.device, bfloat16: bool) -> AbstractContextManager[None]:
    """Compute in bfloat16 if that is wanted and faster, otherwise in float32.

    So ``bfloat16`` as a hyper-parameter says that its rounding will do; trained weights differ by rounding from one
    machine to another, as those of float32 do.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16 and has_bfloat16(device))


@contextmanager
def computing(device: torch.device, precision: str) -> Iterator[None]:
    """Compute in a precision inside.

    Args:
        device: where.
        precision: ``float32``; ``tf32``, whose products have 10 bits, on NVIDIA's tensor cores; ``bf16``, autocast.

    Raises:
        ValueError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"The 'precision' parameter of computing must be one of {', '.join(PRECISIONS)}. Got {precision!r} instead."
        )
    if precision == "tf32":
        before = _set_tf32(True, True)
        try:
            yield
        finally:
            _set_tf32(*before)
    else:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            yield


def forbid_tf32() -> None:
    """Make float32 mean float32 on NVIDIA's GPUs, where PyTorch rounds convolutions to TF32 unless told not to."""
    _set_tf32(False, False)


def _set_tf32(products: bool, convolutions: bool) -> tuple[bool, bool]:
    """Whether matrix products and convolutions may take TF32; gives what held before."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = products, convolutions
    return before
