"""Which value a picture shows by its pixels: against scipy, and on portraits whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from eval.domains import load_domain
from eval.metrics.book import metric_of
from eval.metrics.nearest import distances, shows_value

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
        reconstructions = domain.editing.images(people.latents)
    for prompt in domain.prompts[:6:2]:  # glasses, smile, big eyes
        values = domain.factors[prompt.attribute]
        every = [
            domain.counterfactuals("calibration", IMAGES, type(prompt)(*("x",) * 3, prompt.attribute, v))
            for v in values
        ]
        candidates, asked = torch.stack(every, 1), values.index(prompt.value)
        has = torch.from_numpy(people.factors[:, list(domain.factors).index(prompt.attribute)] == asked)
        with torch.inference_mode():
            inverted = domain.editing.images(domain.invert(every[asked]))
        passed.append(shows_value(inverted, candidates, asked))
        idle.append(shows_value(reconstructions, candidates, asked)[~has])
    assert torch.cat(passed).nanmean() > 0.97
    assert torch.cat(idle).nanmean() < 0.05
    assert record.is_share and record.eligible_only and record.needs_counterfactual
