import numpy as np
import pytest
import torch
from torch import nn

from baselines.ranger import Ranger


def ranger_by_formula(weights, gradients, rate):
    """Ranger 20.4.11 after the three papers, in float64: the weights after every step."""
    beta1, beta2, eps = 0.95, 0.999, 1e-5
    fast, slow = weights.astype(float), weights.astype(float)
    m, v = np.zeros_like(fast), np.zeros_like(fast)
    largest = 2 / (1 - beta2) - 1
    history = []
    for t, gradient in enumerate(gradients, 1):
        g = gradient.astype(float)
        if g.ndim > 1:
            g = g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        length = largest - 2 * t * beta2**t / (1 - beta2**t)
        step = m / (1 - beta1**t)
        if length > 5:
            rectified = (length - 4) * (length - 2) * largest / ((largest - 4) * (largest - 2) * length)
            step = step * np.sqrt(rectified * (1 - beta2**t)) / (np.sqrt(v) + eps)
        fast = fast - rate * step
        if t % 6 == 0:
            slow = slow + 0.5 * (fast - slow)
            fast = slow
        history.append(fast)
    return history


@pytest.mark.parametrize("shape", [(3, 5), (4,), (2, 3, 2, 2)])
def test_every_step_is_that_of_the_formula(shape):
    random = np.random.default_rng(0)
    start = random.normal(size=shape)
    gradients = [random.normal(size=shape) for _ in range(20)]  # rectified from the 6th step, looking ahead three times
    parameter = nn.Parameter(torch.tensor(start))
    optimizer = Ranger([parameter], lr=0.3)
    for gradient, expected in zip(gradients, ranger_by_formula(start, gradients, 0.3), strict=True):
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(parameter.detach(), expected, rtol=1e-9, atol=1e-12)


def test_weights_move_apart_and_look_ahead_apart():
    one, two = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    optimizer = Ranger([one, two], lr=0.1)
    for _ in range(6):
        one.grad, two.grad = torch.ones(2), torch.zeros(2)
        optimizer.step()
    assert float(one[0].detach()) < 0
    assert not two.any()
