from dataclasses import replace

import numpy as np
import pytest
import torch

from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.mapper import DeltaMapper
from deltaedit.pairs import draw_pairs
from deltaedit.settings import Settings
from deltaedit.tools.domain import TrainingSet
from deltaedit.tools.state_file import best_file, forget_training
from deltaedit.train import learning_rate, mapper_losses, split_images, train_mapper

LAYOUT = StyleGAN2(16, (6, 6, 4), 8).layout  # C = 28
TINY = Settings(
    steps=12, batch=8, evaluate_every=4, validation_pairs=16, validation_share=0.2, schedule="constant", bfloat16=False
)


@pytest.fixture(scope="module")
def images():
    """Styles that are a linear function of the features: something to learn."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    s = features @ rng.normal(size=(5, LAYOUT[-1].stop)).astype(np.float32)
    return TrainingSet(torch.from_numpy(s), torch.from_numpy(features), ("inverted",) * 40 + ("sampled",) * 20)


def test_losses_are_the_formula():
    rng = np.random.default_rng(1)
    predicted, wanted = rng.normal(size=(2, 7, 11))
    mse, cosine = mapper_losses(torch.from_numpy(predicted), torch.from_numpy(wanted))
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(predicted, wanted, strict=True)]
    assert float(mse) == pytest.approx(((predicted - wanted) ** 2).mean())
    assert float(cosine) == pytest.approx(1 - np.mean(cosines))


def test_learning_rate_of_both_schedules():
    constant, cosine = Settings(steps=10, schedule="constant"), Settings(steps=10, schedule="cosine")
    assert {learning_rate(constant, step) for step in range(10)} == {0.5}
    assert [learning_rate(cosine, step) for step in (0, 5, 10)] == pytest.approx([0.5, 0.25, 0.0])


@pytest.mark.parametrize("arm", ["delta", "centred"])
def test_the_first_steps_are_plain_adam(images, arm):
    """Against an own loop: other Adam implementation (not fused), the loss written out."""
    settings = replace(TINY, steps=4, mse_weight=0.5, cosine_weight=2.0, arm=arm)
    result = train_mapper(images, LAYOUT, settings)
    torch.manual_seed(settings.training_seed)
    mapper = DeltaMapper(LAYOUT, 5)
    optimizer = torch.optim.Adam(mapper.parameters(), lr=0.5, foreach=False, fused=False)
    rows, _ = split_images(images.origin, 60, settings)
    losses = []
    for step in range(4):
        draws = np.random.default_rng((settings.training_seed, 2, step))
        pairs = draw_pairs(images, rows, 8, draws, arm, images.features[rows].mean(0))
        out = mapper(pairs.s, pairs.condition)
        cosines = (out * pairs.delta_s).sum(1) / out.norm(dim=1) / pairs.delta_s.norm(dim=1)
        loss = 0.5 * ((out - pairs.delta_s) ** 2).mean() + 2 * (1 - cosines.mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert result.curve[0][1] == pytest.approx(np.mean(losses), rel=1e-5)
    for name, value in mapper.state_dict().items():
        torch.testing.assert_close(result.state[name], value, rtol=1e-3, atol=1e-2)


def test_training_learns(images):
    curve = train_mapper(images, LAYOUT, replace(TINY, steps=200, evaluate_every=50)).curve
    assert [row[0] for row in curve] == [50, 100, 150, 200]
    assert curve[-1][2] < 0.85 * curve[0][2]


def test_the_best_state_is_the_one_with_the_lowest_validation_loss(images):
    # A learning rate that soon spoils what was learnt: the last step is not the best one.
    long = train_mapper(images, LAYOUT, replace(TINY, steps=40, evaluate_every=4, learning_rate=50.0))
    best = min(long.curve, key=lambda row: row[2])
    assert long.best_step == best[0] < 40
    short = train_mapper(images, LAYOUT, replace(TINY, steps=best[0], evaluate_every=4, learning_rate=50.0))
    assert all(torch.equal(long.state[name], short.state[name]) for name in long.state)


class _Killed(Exception):
    pass


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_resumed_training_equals_an_unbroken_one_bit_for_bit(images, tmp_path, schedule):
    settings, state_file = replace(TINY, schedule=schedule), tmp_path / "below" / "state.pt"

    def kill(step, steps, losses):
        if step == 8:
            raise _Killed

    with pytest.raises(_Killed):
        train_mapper(images, LAYOUT, settings, state_file, kill)
    seen = []
    resumed = train_mapper(images, LAYOUT, settings, state_file, lambda step, steps, losses: seen.append(step))
    unbroken = train_mapper(images, LAYOUT, settings)
    assert seen == [12]
    assert resumed.curve == unbroken.curve
    assert all(torch.equal(resumed.state[name], unbroken.state[name]) for name in unbroken.state)


def test_best_weights_lie_beside_the_state_and_both_go(images, tmp_path):
    state_file = tmp_path / "state.pt"
    long = replace(TINY, steps=40, learning_rate=50.0)  # soon spoils what was learnt
    result = train_mapper(images, LAYOUT, long, state_file)
    in_memory = train_mapper(images, LAYOUT, long)
    assert result.best_step == in_memory.best_step < 40
    assert all(torch.equal(result.state[name], in_memory.state[name]) for name in in_memory.state)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.pt", "state.pt.best"]
    again = train_mapper(images, LAYOUT, long, state_file)  # nothing left to do
    assert all(torch.equal(again.state[name], in_memory.state[name]) for name in in_memory.state)
    forget_training(state_file)
    assert not list(tmp_path.iterdir())


def test_a_state_of_an_earlier_version_is_refused(images, tmp_path):
    state_file = tmp_path / "state.pt"
    train_mapper(images, LAYOUT, TINY, state_file)
    state = torch.load(state_file, weights_only=True)
    del state["format"]
    torch.save(state, state_file)
    with pytest.raises(ValueError, match=r"state\.pt cannot be resumed by this version; delete it"):
        train_mapper(images, LAYOUT, TINY, state_file)


def test_a_state_without_its_best_weights_is_trained_anew(images, tmp_path):
    state_file = tmp_path / "state.pt"
    first = train_mapper(images, LAYOUT, TINY, state_file)
    best_file(state_file).unlink()
    again = train_mapper(images, LAYOUT, TINY, state_file)
    assert all(torch.equal(again.state[name], first.state[name]) for name in first.state)


def test_a_state_of_other_settings_is_refused(images, tmp_path):
    train_mapper(images, LAYOUT, TINY, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="belongs to a training with other settings"):
        train_mapper(images, LAYOUT, replace(TINY, batch=9), tmp_path / "state.pt")


def test_seeds_matter_and_the_global_generator_does_not(images):
    torch.manual_seed(1)
    one = train_mapper(images, LAYOUT, TINY)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    two = train_mapper(images, LAYOUT, TINY)
    assert torch.equal(before, torch.random.get_rng_state())
    other = train_mapper(images, LAYOUT, replace(TINY, training_seed=1))
    assert one.curve == two.curve != other.curve


def test_no_image_is_on_both_sides_and_choices_are_kept(images):
    training, held_out = split_images(images.origin, 60, TINY)
    assert sorted([*training, *held_out]) == list(range(60))
    assert len(held_out) == 12
    training, held_out = split_images(images.origin, 60, replace(TINY, origin="sampled", training_images=10))
    assert len(training) + len(held_out) == 10
    assert min(*training, *held_out) >= 40


def test_too_few_images_are_refused(images):
    with pytest.raises(ValueError, match=r"needs 4 images or more of origin 'inverted'\. Got 0 instead"):
        split_images((), 60, replace(TINY, origin="inverted"))
    with pytest.raises(ValueError, match="Got 3 instead"):
        train_mapper(images, LAYOUT, replace(TINY, training_images=3))


def test_divergence_is_said_with_the_step(images):
    broken = TrainingSet(images.s * float("inf"), images.features)
    with pytest.raises(ValueError, match=r"diverged at step 4 .*'learning_rate' below 0.5"):
        train_mapper(broken, LAYOUT, TINY)


def test_bfloat16_stays_near_float32(images, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    one, two = (train_mapper(images, LAYOUT, replace(TINY, bfloat16=flag)).curve[-1][2] for flag in (False, True))
    assert one != two
    assert two == pytest.approx(one, rel=0.1)
