import math

import numpy as np
import pytest
import torch

from eval.metrics.counterfactual import PSNR_CEILING_DB, psnr, ssim


def images(seed, side=(24, 30), count=3):
    """Smooth pictures with a little noise, one of them flat."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : side[0], 0 : side[1]] / 10
    waves = [np.sin(x * (i + 1) + channel + y) * 0.7 for i in range(count) for channel in range(3)]
    pictures = np.stack(waves).reshape(count, 3, *side) + rng.normal(0, 0.1, (count, 3, *side))
    pictures[-1] = 0.9
    return pictures.clip(-1, 1).astype(np.float32)


def test_psnr_equals_skimage():
    from skimage.metrics import peak_signal_noise_ratio

    first, second = images(0), images(1)
    second[-1] -= 0.05
    expected = [peak_signal_noise_ratio(a, b, data_range=2) for a, b in zip(first, second, strict=True)]
    assert psnr(torch.from_numpy(first), torch.from_numpy(second)).tolist() == pytest.approx(expected, rel=1e-5)


def test_psnr_of_equal_images_is_the_rounding_error_of_8_bits():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1, 3, 200, 200))
    rounded = np.round((x + 1) * 127.5) / 127.5 - 1
    measured = 10 * math.log10(4 / np.square(x - rounded).mean())
    assert pytest.approx(measured, abs=0.05) == PSNR_CEILING_DB
    same = torch.from_numpy(images(0))
    assert psnr(same, same).tolist() == pytest.approx([PSNR_CEILING_DB] * 3)


def test_ssim_equals_skimage_on_levels_of_0_to_255():
    from skimage.metrics import structural_similarity

    first, second = images(2), images(3)
    second[-1] -= 0.02  # flat against flat: where float32 cancels most
    expected = [
        structural_similarity(
            (a.astype(np.float64) + 1) * 127.5,
            (b.astype(np.float64) + 1) * 127.5,
            data_range=255,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(first, second, strict=True)
    ]
    assert ssim(torch.from_numpy(first), torch.from_numpy(second)).tolist() == pytest.approx(expected, abs=1e-4)


def test_ssim_of_two_flat_greys_by_hand():
    """Without structure the luminance is left: (2·120·136 + C1) / (120² + 136² + C1), C1 = (.01 · 255)²."""
    grey, lighter = (torch.full((1, 3, 16, 16), level / 127.5 - 1) for level in (120, 136))
    expected = (2 * 120 * 136 + 2.55**2) / (120**2 + 136**2 + 2.55**2)
    assert expected == pytest.approx(0.992, abs=5e-4)
    assert ssim(grey, lighter).item() == pytest.approx(expected, abs=1e-5)


def test_ssim_is_symmetric_and_one_for_equal_images():
    first, second = torch.from_numpy(images(4)), torch.from_numpy(images(5))
    assert ssim(first, first).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert ssim(first, second).tolist() == pytest.approx(ssim(second, first).tolist(), abs=1e-5)
    assert ssim(first, second)[0] < 0.95


def test_ssim_of_one_window_by_hand():
    """11 x 11 px: one window, so means, variances and covariance are weighted sums."""
    rng = np.random.default_rng(6)
    a, b = rng.uniform(0, 1, (2, 11, 11))
    g = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
    w = np.outer(g, g) / np.outer(g, g).sum()
    mean_a, mean_b = (w * a).sum(), (w * b).sum()
    var_a, var_b = (w * (a - mean_a) ** 2).sum(), (w * (b - mean_b) ** 2).sum()
    shared = (w * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    first, second = (torch.from_numpy(np.repeat(2 * x[None, None] - 1, 3, axis=1)) for x in (a, b))
    assert ssim(first, second).item() == pytest.approx(expected, rel=1e-9)


def test_ssim_of_small_images_is_refused():
    with pytest.raises(ValueError, match="at least 11 px"):
        ssim(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_pictures_of_another_range_are_refused(measure):
    pictures = torch.from_numpy(images(0))
    levels = ((pictures + 1) * 127.5).round()
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\]. Got uint8 instead; divide levels"):
        measure(levels.to(torch.uint8), levels.to(torch.uint8))
    with pytest.raises(ValueError, match=r"Got values up to ±2\d\d"):
        measure(pictures, levels)
