"""Which value a picture shows by its pixels: against scipy, and on portraits whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from skimage.metrics import structural_similarity

from eval.domains import load_domain
from eval.metrics.book import metric_of
from eval.metrics.nearest import distances, is_like, likeness, shown, shows_value
from eval.pixels import round_to_8_bit

IMAGES = 12


def test_distances_equal_scipys():
    rng = np.random.default_rng(0)
    images, candidates = rng.normal(size=(3, 2, 6, 7)), rng.normal(size=(3, 4, 2, 6, 7))
    found = distances(torch.from_numpy(images), torch.from_numpy(candidates)).numpy()
    for i in range(3):
        inner = candidates[i, :, :, 1:-1, 1:-1].reshape(4, -1)
        windows = [images[i, :, y : y + 4, x : x + 5].reshape(1, -1) for y in range(3) for x in range(3)]
        expected = np.min([cdist(window, inner, "sqeuclidean")[0] for window in windows], 0) / inner.shape[1]
        assert found[i] == pytest.approx(expected)


def test_without_shifts_a_moved_line_is_another_picture():
    candidates = torch.zeros(1, 2, 1, 8, 8)
    candidates[0, 1, 0, 3] = 1.0  # a line in row 3, or none
    moved = torch.zeros(1, 1, 8, 8)
    moved[0, 0, 4] = 1.0
    assert distances(moved, candidates, 0)[0].tolist() == pytest.approx([8 / 64, 16 / 64])
    assert shows_value(moved, candidates, 1).tolist() == [1.0]


def test_a_hidden_factor_has_no_verdict():
    candidates = torch.rand(1, 3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    candidates[0, 2] = candidates[0, 0]
    assert shows_value(candidates[:, 1], candidates, 1).tolist() == [1.0]
    assert shows_value(candidates[:, 0], candidates, 0).isnan().all()


def test_right_answers_pass_and_doing_nothing_does_not():
    """Counterfactuals through encoder and generator, and unedited reconstructions, of calibration portraits."""
    domain = load_domain("avatars")
    passed, idle = [], []
    record = metric_of("success_by_counterfactual")
    people = domain.calibration_sources(IMAGES)
    with torch.inference_mode():
        reconstructions = round_to_8_bit(domain.editing.images(people.latents))
    for prompt in domain.prompts[:6:2]:  # glasses, smile, big eyes
        values = domain.factors[prompt.attribute]
        every = [
            domain.counterfactuals("calibration", IMAGES, type(prompt)(*("x",) * 3, prompt.attribute, v))
            for v in values
        ]
        candidates, asked = torch.stack(every, 1), values.index(prompt.value)
        has = torch.from_numpy(people.factors[:, list(domain.factors).index(prompt.attribute)] == asked)
        with torch.inference_mode():
            inverted = round_to_8_bit(domain.editing.images(domain.invert(every[asked])))
        passed.append(shown(inverted, candidates, asked, people.images))
        idle.append(shown(reconstructions, candidates, asked, people.images)[~has])
    assert torch.cat(passed).nanmean() > 0.97
    assert torch.cat(idle).nanmean() < 0.05
    assert record.is_share and record.eligible_only and record.needs_counterfactual


def test_likeness_is_scikit_images_inside_and_outside():
    """A square of 12 px that the counterfactual paints white; the edit paints it grey and a dot elsewhere."""
    rng = np.random.default_rng(3)
    original = rng.uniform(-0.5, 0.5, (3, 40, 40)).astype(np.float32)
    right = original.copy()
    right[:, 14:26, 10:22] = 1.0
    edit = right * 0.8
    edit[:, 30:34, 30:34] = -1.0
    first, second = ((picture.transpose(1, 2, 0) + 1) / 2 for picture in (edit, right))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    _, similar = structural_similarity(first, second, channel_axis=-1, data_range=1.0, **options)
    part = np.zeros((40, 40), bool)
    part[13:27, 9:23] = True  # with the rim of 1 px
    inner = (slice(5, -5), slice(5, -5))
    expected = [similar.mean(-1)[inner][choice[inner]].mean() for choice in (part, ~part)]
    found = [value.item() for value in likeness(*(torch.from_numpy(each)[None] for each in (edit, right, original)))]
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_smear_is_the_nearest_and_yet_no_success():
    """With an eighth of the contrast it lies nearest to the right picture; only whole it is like it."""
    original, right = torch.full((1, 3, 40, 40), -1.0), torch.full((1, 3, 40, 40), -1.0)
    right[..., 10:30, 10:30] = torch.tensor([1.0, -1.0]).repeat(10)  # stripes
    other = torch.full_like(right, 1.0)
    candidates = torch.stack([original, other, right], 1)
    smear = original.clone()
    smear[..., 10:30, 10:30] = right[..., 10:30, 10:30] / 8  # SSIM about 2 · 1/8 / (1 + 1/64) = 0.25
    assert shows_value(smear, candidates, 2).tolist() == [1.0]
    assert not is_like(smear, right, original)
    assert shown(torch.cat([smear, right]), candidates.expand(2, -1, -1, -1, -1), 2, original).tolist() == [0.0, 1.0]
    ruined = right.clone()
    ruined[..., :8] = torch.rand(1, 3, 40, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ruined[..., 32:] = ruined[..., :8]
    assert not is_like(ruined, right, original)


def test_without_any_change_only_the_rest_is_compared():
    picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    inside, outside = likeness(picture, picture, picture)
    assert inside.isnan().item() and outside.item() == pytest.approx(1.0)
    assert is_like(picture, picture, picture).item()
