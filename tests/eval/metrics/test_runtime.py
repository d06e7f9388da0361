from pathlib import Path

import numpy as np
import pytest
import torch

from eval.metrics.runtime import peak_memory_mib


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_peak_memory_counts_an_allocation():
    before = peak_memory_mib(torch.device("cpu"))
    block = np.ones(60 * 2**20 // 8)
    # At least what the block adds to the memory now resident, which may be below the peak before it.
    assert block.nbytes == 60 * 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    resident_kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert peak_memory_mib(torch.device("cpu")) >= max(before, resident_kib / 1024 - 1)
    assert peak_memory_mib(torch.device("cpu")) < 2**20
