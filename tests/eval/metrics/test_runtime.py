import math
from pathlib import Path

import numpy as np
import pytest

from eval.metrics.runtime import Runtime, break_even_images, peak_memory_mib, runtime


def cost(editor="a", **values):
    return {
        "editor": editor,
        "prepare_s": 60.0,
        "hardware": "two cores",
        "fit_s": {"x": 4.0, "y": 2.0, "z": 9.0},
        **values,
    }


CHUNKS = [
    {"count": 10, "edit_s": 1.0, "synthesis_s": 2.0, "peak_memory_mib": 100.0},
    {"count": 10, "edit_s": 30.0, "synthesis_s": 2.0, "peak_memory_mib": 300.0},  # a hiccup
    {"count": 5, "edit_s": 1.0, "synthesis_s": 1.0, "peak_memory_mib": 200.0},
]


def test_medians_per_image_and_prompt():
    found = runtime(cost(), CHUNKS)
    assert (found.prepare_s, found.fit_s, found.hardware) == (60, 4, "two cores")
    assert found.edit_s == pytest.approx(0.2)
    assert found.synthesis_s == pytest.approx(0.2)
    assert found.peak_memory_mib == 300
    assert found.edits == 25


def test_missing_numbers_are_nan():
    found = runtime({"editor": "a"}, [])
    assert all(
        math.isnan(x) for x in (found.prepare_s, found.fit_s, found.edit_s, found.synthesis_s, found.peak_memory_mib)
    )


def editor(prepare_s, fit_s, edit_s):
    return Runtime("a", prepare_s, fit_s, edit_s, 0.1, 0.0, "", 1)


def test_amortised_over_prompts_and_images():
    # 100 + 5·(10 + 20·0.5) = 200 s for 100 pictures
    assert editor(100.0, 10.0, 0.4).total_s(5, 20) == pytest.approx(200)
    assert editor(100.0, 10.0, 0.4).amortised_s(5, 20) == pytest.approx(2)


def test_break_even_is_where_the_totals_meet():
    trained, optimising = editor(100.0, 40.0, 0.1), editor(0.0, 0.0, 5.1)
    images = break_even_images(trained, optimising, prompts=4)
    assert images == pytest.approx((100 + 4 * 40) / 4 / 5)
    assert trained.total_s(4, images) == pytest.approx(optimising.total_s(4, images))


def test_break_even_at_once_never_and_unknown():
    assert break_even_images(editor(0.0, 0.0, 9.0), editor(1.0, 0.0, 1.0)) == 0
    assert break_even_images(editor(1.0, 0.0, 1.0), editor(0.0, 0.0, 1.0)) == math.inf
    assert math.isnan(break_even_images(editor(math.nan, 0.0, 1.0), editor(0.0, 0.0, 1.0)))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_peak_memory_counts_an_allocation():
    before = peak_memory_mib()
    block = np.ones(60 * 2**20 // 8)
    # At least what the block adds to the memory now resident, which may be below the peak before it.
    assert block.nbytes == 60 * 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    resident_kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert peak_memory_mib() >= max(before, resident_kib / 1024 - 1)
    assert peak_memory_mib() < 2**20
