import numpy as np
import pytest
import torch

from deltaedit.pairs import draw_pairs, draw_rows, make_pairs
from deltaedit.tools.domain import TrainingSet
from deltaedit.variants import pseudo_text


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9, 4)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return TrainingSet(torch.from_numpy(rng.normal(size=(9, 6)).astype(np.float32)), torch.from_numpy(features))


@pytest.mark.parametrize("arm", ["delta", "raw", "centred"])
def test_pairs_are_the_formula(images, arm):
    s, i = images.s.numpy(), images.features.numpy()
    centre = i.mean(0)
    first, second, noise = torch.tensor([0, 3]), torch.tensor([5, 2]), np.random.default_rng(0)
    pairs = make_pairs(images, first, second, arm, torch.from_numpy(centre), noise)
    for row, (first, second) in enumerate(((0, 5), (3, 2))):
        towards = {"delta": i[second] - i[first], "raw": i[second], "centred": i[second] - centre}[arm]
        wanted = np.concatenate([i[first], towards / np.linalg.norm(towards)])
        np.testing.assert_allclose(pairs.condition[row], wanted, rtol=1e-5)
        np.testing.assert_allclose(pairs.s[row], s[first])
        np.testing.assert_allclose(pairs.delta_s[row], s[second] - s[first])


def test_rows_differ_within_a_pair_and_every_ordered_pair_is_equally_likely():
    first, second = draw_rows(60_000, 4, np.random.default_rng(1))
    counts = np.zeros((4, 4))
    np.add.at(counts, (first, second), 1)
    assert np.all(np.diag(counts) == 0)
    off_diagonal = counts[~np.eye(4, dtype=bool)]
    assert np.all(np.abs(off_diagonal - 5000) < 5 * np.sqrt(5000))


def test_drawn_pairs_stay_among_the_given_rows(images):
    rows = np.array([1, 4, 7])
    pairs = draw_pairs(images, rows, 200, np.random.default_rng(2), "delta", torch.zeros(4))
    seen = {int(torch.where((images.s == row).all(1))[0]) for row in pairs.s}
    ends = {int(torch.where(((images.s - row).abs() < 1e-5).all(1))[0]) for row in pairs.s + pairs.delta_s}
    assert seen == ends == {1, 4, 7}


def test_the_same_generator_gives_the_same_pairs(images):
    rows = np.arange(9)
    one, two, other = (
        draw_pairs(images, rows, 32, np.random.default_rng(seed), "delta", torch.zeros(4)) for seed in (3, 3, 4)
    )
    assert torch.equal(one.condition, two.condition)
    assert not torch.equal(one.condition, other.condition)


def test_a_single_image_makes_no_pair():
    with pytest.raises(ValueError, match=r"must be 2 or more\. Got 1 instead"):
        draw_rows(5, 1, np.random.default_rng(0))


def test_pseudo_text_is_the_feature_and_noise_of_length_three_quarters():
    features = torch.nn.functional.normalize(torch.from_numpy(np.random.default_rng(2).normal(size=(4000, 64))), dim=1)
    noisy = pseudo_text(features, np.random.default_rng(3))
    assert torch.allclose(noisy.norm(dim=1), torch.ones(4000, dtype=noisy.dtype))
    cosine = (noisy * features).sum(1).numpy()
    along = np.random.default_rng(4).normal(size=(4000, 64))  # noise of unit length in any direction
    along = along[:, 0] / np.linalg.norm(along, axis=1)
    wanted = (1 + 0.75 * along) / np.sqrt(1 + 2 * 0.75 * along + 0.75**2)
    assert cosine.mean() == pytest.approx(wanted.mean(), abs=0.005)
    assert cosine.std() == pytest.approx(wanted.std(), rel=0.1)


def test_only_the_wanted_image_of_a_pair_gets_noise(images):
    drawn = [
        draw_pairs(images, np.arange(9), 50, np.random.default_rng(5), arm, torch.zeros(4))
        for arm in ("raw", "pseudo-text")
    ]
    assert torch.equal(drawn[0].condition[:, :4], drawn[1].condition[:, :4])
    assert not torch.allclose(drawn[0].condition[:, 4:], drawn[1].condition[:, 4:], atol=0.1)
