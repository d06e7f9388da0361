"""Half precision where the hardware computes with it."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


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
