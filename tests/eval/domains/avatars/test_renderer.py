import numpy as np
import pytest

from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, Portraits, sample_portraits
from eval.domains.avatars.renderer import render


@pytest.fixture(scope="module")
def people():
    return sample_portraits(12, 99, rho=0.0)


def test_the_same_portraits_give_the_same_bytes_with_and_without_workers(people):
    once = render(people)
    assert once.shape == (12, 64, 64, 3) and once.dtype == np.uint8
    assert np.array_equal(once, render(people))
    assert np.array_equal(once, render(people, workers=2))


def test_no_portraits_give_no_pictures():
    assert render(sample_portraits(0, 0)).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("factor", FACTOR_NAMES)
def test_every_value_of_a_factor_looks_different(factor):
    plain = Portraits(np.zeros((1, 10), np.int64), np.zeros((1, 10), np.float32)).changed({"top": "afro"})
    pictures = np.concatenate([render(plain.changed({factor: value})) for value in VALUES[factor]]).astype(int)
    for i in range(len(pictures)):
        for j in range(i):
            assert (np.abs(pictures[i] - pictures[j]).max(-1) > 30).sum() >= 8, (VALUES[factor][i], VALUES[factor][j])


def test_a_hidden_factor_changes_nothing():
    bald = sample_portraits(6, 7).changed({"top": "bald", "facial_hair": "none"})
    assert np.array_equal(
        render(bald.changed({"hair_color": "red", "eyebrows": "flat"})),
        render(bald.changed({"hair_color": "gray", "eyebrows": "flat"})),
    )


def test_the_background_fills_the_corner_and_glasses_leave_it_alone(people):
    blue = people.changed({"background": "blue", "top": "bald", "accessories": "none"})
    pink = blue.changed({"background": "pink"})
    corner = np.s_[:, :4, :4]
    assert not np.array_equal(render(blue)[corner], render(pink)[corner])
    assert np.array_equal(render(blue)[corner], render(blue.changed({"accessories": "glasses"}))[corner])


def test_geometry_moves_the_face():
    base = Portraits(np.zeros((1, 10), np.int64), np.zeros((1, 10), np.float32))
    for number in range(10):
        moved = base.geometry.copy()
        moved[0, number] = 1.0
        assert (render(Portraits(base.values, moved)) != render(base)).any()
