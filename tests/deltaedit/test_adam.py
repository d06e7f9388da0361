import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deltaedit.adam import BackwardAdam


def small_network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))


def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(7, 3, generator=generator), torch.randn(7, 2, generator=generator)


def trained(large, steps, rates):
    network, (x, wanted) = small_network(), data()
    optimiser = BackwardAdam(network.parameters(), 0.1, (0.8, 0.95), large)
    for step in range(steps):
        optimiser.set_learning_rate(rates[step])
        F.mse_loss(network(x), wanted).backward()
        optimiser.step()
    return network, optimiser


def numpy_adam(steps, rates):
    """Adam by the formula, on gradients that PyTorch takes."""
    network, (x, wanted) = small_network().double(), data()
    parameters = list(network.parameters())
    means, squares = [0.0] * 4, [0.0] * 4
    for step in range(steps):
        gradients = torch.autograd.grad(F.mse_loss(network(x.double()), wanted.double()), parameters)
        for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            gradient = gradient.numpy()
            means[i] = 0.8 * means[i] + 0.2 * gradient
            squares[i] = 0.95 * squares[i] + 0.05 * gradient**2
            mean, square = means[i] / (1 - 0.8 ** (step + 1)), squares[i] / (1 - 0.95 ** (step + 1))
            parameter.data -= torch.from_numpy(rates[step] * mean / (np.sqrt(square) + 1e-8))
    return parameters


@pytest.mark.parametrize("large", [1, 10, 1000])
def test_updates_are_the_formula_whenever_they_happen(large):
    rates = [0.1, 0.05, 0.2, 0.1]
    network, _ = trained(large, 4, rates)
    for got, wanted in zip(network.parameters(), numpy_adam(4, rates), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), atol=1e-5)


def test_when_a_parameter_is_updated_changes_no_bit():
    rates = [0.1] * 5
    one, two = trained(10, 5, rates)[0], trained(1000, 5, rates)[0]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_large_parameters_are_updated_by_backward_and_keep_no_gradient():
    network, (x, wanted) = small_network(), data()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimiser = BackwardAdam(network.parameters(), 0.1, (0.9, 0.999), large=10)  # the two weights, not the biases
    F.mse_loss(network(x), wanted).backward()
    moved = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
    assert moved == [True, False, True, False]
    assert [parameter.grad is None for parameter in network.parameters()] == [True, False, True, False]
    optimiser.step()
    assert not any(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_stored_state_goes_on_bit_for_bit():
    whole, _ = trained(10, 4, [0.1] * 4)
    first, optimiser = trained(10, 2, [0.1] * 2)
    network, (x, wanted) = small_network(), data()
    network.load_state_dict(first.state_dict())
    resumed = BackwardAdam(network.parameters(), 0.1, (0.8, 0.95), 10)
    resumed.load_state_dict(optimiser.state_dict())
    for _ in range(2):
        F.mse_loss(network(x), wanted).backward()
        resumed.step()
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), network.parameters(), strict=True))
