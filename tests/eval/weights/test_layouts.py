from pathlib import Path

import pytest
import torch

from eval.weights.formats.files import CheckpointError
from eval.weights.layouts import build_ours, build_rosinality

PATH = Path("weights.pt")


def test_rosinality_tensors_find_their_places(rosinality_state, right_tensors):
    mean = torch.arange(6.0)
    generator = build_rosinality(PATH, rosinality_state, mean)
    state = generator.state_dict()
    for name, wanted in right_tensors.items():
        torch.testing.assert_close(state[name], wanted.view(state[name].shape))
    assert len(state) == len(right_tensors) + 1
    assert torch.equal(generator.w_mean, mean)
    assert generator.synthesis.resolution == 8
    assert not any(p.requires_grad or p.is_meta for p in generator.parameters())
    assert generator(torch.ones(2, 5)).isfinite().all()


def test_mean_in_all_its_shapes(rosinality_state):
    mean = torch.arange(6.0)
    for given in (mean[None], mean.repeat(4, 1)):
        assert torch.equal(build_rosinality(PATH, rosinality_state, given).w_mean, mean)
    measured = build_rosinality(PATH, rosinality_state, None)
    torch.testing.assert_close(measured.w_mean, measured.measure_w_mean())
    with pytest.raises(CheckpointError, match="latent_avg"):
        build_rosinality(PATH, rosinality_state, torch.zeros(7))


def test_noise_that_a_file_lacks_is_none_at_all(rosinality_state):
    for i in range(3):
        del rosinality_state[f"noises.noise_{i}"]
    generator = build_rosinality(PATH, rosinality_state, torch.zeros(6))
    z = torch.ones(1, 5)
    torch.testing.assert_close(generator(z, noise="fixed"), generator(z, noise="none"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"convs.1.conv.weight": None}, "layer 'convs.1.conv.weight' .3, 3, 3, 3. is missing"),
        ({"style.1.weight": None}, "layer 'style.1.weight' is missing"),
        ({"conv9.weight": torch.zeros(2)}, "layer 'conv9.weight' .2,. is unexpected"),
        ({"to_rgbs.0.bias": torch.zeros(4)}, "layer 'to_rgbs.0.bias' has shape .4,., expected .3,."),
        ({"convs.0.conv.blur.kernel": torch.ones(4, 4) / 4}, "another filter"),
    ],
)
def test_wrong_tensors_are_named(rosinality_state, change, what):
    state = {name: t for name, t in {**rosinality_state, **change}.items() if t is not None}
    with pytest.raises(CheckpointError, match=what) as error:
        build_rosinality(PATH, state, None)
    assert "\n" not in str(error.value)


def test_our_own_layout_comes_back(rosinality_state):
    generator = build_rosinality(PATH, rosinality_state, torch.arange(6.0))
    again = build_ours(PATH, generator.state_dict())
    z = torch.ones(2, 5)
    assert torch.equal(again(z, 0.5), generator(z, 0.5))
    broken = {name: t for name, t in generator.state_dict().items() if name != "w_mean"}
    with pytest.raises(CheckpointError, match="layer 'w_mean'"):
        build_ours(PATH, broken)
