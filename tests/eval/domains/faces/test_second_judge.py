import math

import numpy as np
import pytest
import torch

from eval.domains.faces.networks import FACTORS
from eval.domains.faces.second_judge import CELL_PX, DIRECTIONS, EDGES_PX, SIZE, SecondJudge, edges, features, in_frame

CELLS = EDGES_PX // CELL_PX


def directions(picture: torch.Tensor) -> np.ndarray:
    """Mean of each direction over the cells away from the border: float [9]."""
    cells = edges(picture[None]).reshape(DIRECTIONS, CELLS, CELLS)
    return cells[:, 2:-2, 2:-2].mean((1, 2)).numpy()


@pytest.mark.parametrize("turn", range(DIRECTIONS))
def test_a_wave_has_the_direction_of_its_slope(turn):
    """Brightness that rises along an angle of 20 degrees times k is in bin k alone, whatever the contrast."""
    angle = math.pi * turn / DIRECTIONS
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    slope = (x * math.cos(angle) + y * math.sin(angle)) / 800
    for contrast in (1.0, 0.5):
        found = directions((contrast * slope).expand(3, -1, -1))
        assert found.argmax() == turn and found[turn] > 5 * np.delete(found, turn).max()


def test_a_flat_picture_has_no_edges():
    assert edges(torch.full((1, 3, 256, 256), 0.3)).abs().max() == 0


def test_the_frame_forgets_place_size_and_turn():
    points = torch.from_numpy(np.random.default_rng(0).uniform(60, 200, (2, 68, 2))).float()
    turn = torch.tensor([[math.cos(0.4), math.sin(0.4)], [-math.sin(0.4), math.cos(0.4)]])
    torch.testing.assert_close(in_frame(1.3 * points @ turn + 7), in_frame(points), atol=1e-4, rtol=1e-4)
    eyes = in_frame(points).reshape(2, 68, 2)
    distance = eyes[:, 42:48].mean(1) - eyes[:, 36:42].mean(1)
    torch.testing.assert_close(distance, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), atol=1e-5, rtol=0)


def test_one_value_a_factor_is_accepted():
    """The bias alone decides here: glasses, blond and old are read, everything else is the value without a label."""
    bias = -torch.ones(15)
    bias[[0, 4, 14]] = 2.0
    judge = SecondJudge(lambda images: torch.rand(len(images), 68, 2) * 200, torch.zeros(15, SIZE), bias)
    with torch.inference_mode():
        read = judge(torch.zeros(2, 3, 256, 256))
    assert {factor: FACTORS[factor][int(row[0].int().argmax())] for factor, row in read.items()} == {
        **{factor: values[0] for factor, values in FACTORS.items()},
        **{"glasses": "glasses", "hair": "blond", "age": "old"},
    }
    assert all((row.sum(1) == 1).all() for row in read.values())


def test_landmarks_come_first():
    points = torch.rand(1, 68, 2) * 200
    found = features(torch.zeros(1, 3, 256, 256), lambda images: points)
    assert found.shape == (1, SIZE)
    torch.testing.assert_close(found[:, :136], in_frame(points))
