import math

import numpy as np
import pytest
import torch

from eval.metrics.counterfactual import PSNR_CEILING_DB
from eval.metrics.locality import outside_l1, outside_psnr


def test_only_the_pixels_outside_count():
    rng = np.random.default_rng(0)
    before, after = rng.uniform(-1, 1, (2, 4, 3, 6, 5))
    region = rng.random((6, 5)) < 0.4
    outside = np.broadcast_to(~region, before.shape)
    for i, (x, y) in enumerate(zip(before, after, strict=True)):
        difference = (x - y)[outside[i]]
        tensors = [torch.from_numpy(part) for part in (before, after, region)]
        assert outside_l1(*tensors)[i].item() == pytest.approx(np.abs(difference).mean())
        expected = 10 * math.log10(4 / np.square(difference).mean())
        assert outside_psnr(*tensors)[i].item() == pytest.approx(expected)


def test_each_picture_may_have_its_own_region():
    """As if each were alone with its region; nothing outside of one leaves the others as they are."""
    rng = np.random.default_rng(1)
    before, after = (torch.from_numpy(each) for each in rng.uniform(-1, 1, (2, 3, 3, 6, 5)))
    regions = torch.from_numpy(rng.random((3, 6, 5)) < 0.4)
    regions[2] = True
    for measure in (outside_l1, outside_psnr):
        alone = [measure(before[i : i + 1], after[i : i + 1], regions[i]) for i in range(3)]
        torch.testing.assert_close(measure(before, after, regions), torch.cat(alone), equal_nan=True)
        assert measure(before, after, regions).isnan().tolist() == [False, False, True]


def test_the_size_of_the_region_does_not_raise_the_psnr():
    """A uniform difference of 0.2 is 20 dB whatever part of the picture is looked at."""
    before, after = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.2)
    for rows in (0, 2, 7):
        region = torch.zeros(8, 8, dtype=torch.bool)
        region[:rows] = True
        assert outside_psnr(before, after, region).item() == pytest.approx(20, abs=1e-4)


def test_changes_inside_are_free():
    region = torch.zeros(4, 4, dtype=torch.bool)
    region[1:3] = True
    before, after = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    after[..., 1:3, :] = 1
    assert outside_l1(before, after, region).item() == 0
    assert outside_psnr(before, after, region).item() == pytest.approx(PSNR_CEILING_DB)


def test_nothing_outside_has_no_number():
    region = torch.ones(4, 4, dtype=torch.bool)
    x = torch.zeros(2, 3, 4, 4)
    assert outside_l1(x, x, region).isnan().all()
    assert outside_psnr(x, x, region).isnan().all()
