import numpy as np
import pytest
import torch

from eval.domains.photos.measures import measure


def attributes(images):
    """Two factors: the mean of red and its opposite; nothing that differs."""
    red = images[:, 0].mean((1, 2))
    return {"red": torch.stack([red, -red], 1), "same": torch.zeros(len(images), 3)}


def identity(images):
    """Unit vector from the colours of the top left pixel."""
    return torch.nn.functional.normalize(images[:, :, 0, 0], dim=1)


def test_sigma_floor_and_ceiling_by_hand():
    images = torch.zeros(3, 3, 2, 2)
    images[:, 0] = torch.tensor([-1.0, 0.0, 1.0])[:, None, None]
    images[:, :, 0, 0] = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    images[:, :, 0, 1] = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    found = measure(images.split(2), attributes, identity)
    reds = np.array([image[0].mean() for image in ((images + 1) * 127.5).round().numpy() / 127.5 - 1])
    # log-odds of two values are the difference of their logits
    assert found["sigma.red"].tolist() == pytest.approx([np.std(2 * reds, ddof=1)] * 2, rel=1e-5)
    assert found["sigma.same"].isnan().all()
    # pairs: opposite (-1), right angles (0, 0); mirrored: equal, right angles, right angles
    assert found["identity"].tolist() == pytest.approx([-1 / 3, 1 / 3], abs=0.02)


def test_one_image_measures_nothing():
    found = measure([torch.zeros(1, 3, 2, 2)], attributes, identity)
    assert found["sigma.red"].isnan().all() and found["identity"][0].isnan()


def test_images_without_a_face_count_in_neither_floor_nor_ceiling():
    images = torch.zeros(3, 3, 2, 2)
    images[:, :, 0, 0] = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    images[:, :, 0, 1] = images[:, :, 0, 0]

    def half_blind(pictures):
        found = identity(pictures)
        return found.masked_fill(pictures[:, 1, :1, 0] > 0.5, torch.nan)

    found = measure(images.split(2), attributes, half_blind)
    assert found["identity"].tolist() == pytest.approx([-1.0, 1.0], abs=0.02)  # of the first and the last alone
