from __future__ import annotations

import pytest
import torch

from eval.memory import BLOCK_PIXELS, BYTES_A_PIXEL, SHARE, free_bytes, in_blocks, is_out_of_memory, pictures_at_once

CPU = torch.device("cpu")


def test_a_block_that_does_not_fit_is_halved_and_done_again() -> None:
    tried: list[tuple[int, int]] = []

    def work(rows: slice) -> list[int]:
        tried.append((rows.start, rows.stop))
        if rows.stop - rows.start > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return list(range(rows.start, rows.stop))

    assert [row for block in in_blocks(work, 20, 10) for row in block] == list(range(20))
    assert tried[:3] == [(0, 10), (0, 5), (0, 3)] and (3, 6) in tried  # later blocks stay small


def test_other_errors_and_one_row_that_does_not_fit_are_not_hidden() -> None:
    def fails(rows: slice) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        in_blocks(fails, 4, 4)

    def too_large(rows: slice) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        in_blocks(too_large, 4, 4)
    assert in_blocks(fails, 0, 4) == []


def test_a_real_allocation_that_is_too_large_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value) and not is_out_of_memory(RuntimeError("CUDA error: invalid device"))


def test_pictures_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.memory.free_bytes", lambda device: None)
    assert [pictures_at_once(side, CPU, 50) for side in (64, 256, 512, 1024)] == [50, 50, 32, 8]
    assert BLOCK_PIXELS == 8 * 1024**2
    monkeypatch.setattr("eval.memory.free_bytes", lambda device: int(2.5 * BYTES_A_PIXEL * 1024**2 / SHARE))
    assert [pictures_at_once(1024, CPU, most) for most in (1, 50)] == [1, 2]
    monkeypatch.setattr("eval.memory.free_bytes", lambda device: 0)
    assert pictures_at_once(1024, CPU, 50) == 1  # it is tried


def test_free_memory_is_what_the_system_tells() -> None:
    free = free_bytes(CPU)
    assert free is None or 0 < free < 2**50
