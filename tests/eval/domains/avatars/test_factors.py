import numpy as np
import pytest

from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, Portraits, column, sample_portraits, value_index


def index(factor, value):
    return VALUES[factor].index(value)


def person(**values):
    row = np.zeros((1, len(FACTOR_NAMES)), dtype=np.int64)
    for factor, value in values.items():
        row[0, FACTOR_NAMES.index(factor)] = index(factor, value)
    return Portraits(row, np.zeros((1, 10), np.float32))


def seen(people, factor):
    return bool(people.visible()[0, FACTOR_NAMES.index(factor)])


def test_same_seed_gives_the_same_portraits_and_another_seed_others():
    a, b, c = sample_portraits(50, 3), sample_portraits(50, 3), sample_portraits(50, 4)
    assert np.array_equal(a.values, b.values) and np.array_equal(a.geometry, b.geometry)
    assert not np.array_equal(a.values, c.values)


def test_without_correlation_every_value_is_equally_frequent():
    people = sample_portraits(20_000, 0, rho=0.0)
    for i, factor in enumerate(FACTOR_NAMES):
        share = np.bincount(people.values[:, i], minlength=len(VALUES[factor])) / 20_000
        expected = 1 / len(VALUES[factor])
        assert np.abs(share - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 20_000)


def test_the_rules_of_the_prior_set_the_shares_that_arithmetic_gives():
    people = sample_portraits(40_000, 1, rho=0.5)
    sad = people.values[:, column("mouth")] == index("mouth", "sad")
    worried = people.values[:, column("eyebrows")] == index("eyebrows", "worried")
    # half of the sad ones are overridden to worried, of the rest a quarter are worried anyway
    assert worried[sad].mean() == pytest.approx(0.5 + 0.5 * 0.25, abs=0.02)
    assert worried[~sad & (people.values[:, column("mouth")] != index("mouth", "smile"))].mean() == pytest.approx(
        0.25, abs=0.02
    )


def test_what_hides_what():
    assert not seen(person(top="bald", facial_hair="none"), "hair_color")
    assert seen(person(top="bald", facial_hair="beard"), "hair_color")
    assert seen(person(top="afro", facial_hair="none"), "hair_color")
    assert not seen(person(accessories="sunglasses"), "eyes")
    assert seen(person(accessories="glasses"), "eyes")
    assert not seen(person(top="hijab"), "clothes_color")


def test_changed_sets_one_factor_and_keeps_the_person():
    people = sample_portraits(30, 5)
    after = people.changed({"mouth": "open"})
    assert (after.values[:, column("mouth")] == value_index("mouth", "open")).all()
    others = [i for i in range(len(FACTOR_NAMES)) if i != column("mouth")]
    assert np.array_equal(after.values[:, others], people.values[:, others])
    assert after.geometry is people.geometry


@pytest.mark.parametrize("change", [{"mouth": "grin"}, {"nose": "long"}])
def test_a_change_that_does_not_exist_is_refused(change):
    with pytest.raises(ValueError, match="there are"):
        sample_portraits(1, 0).changed(change)


def test_codes_are_one_hot_blocks_and_geometry():
    people = sample_portraits(20, 6)
    codes, start = people.codes(), 0
    for i, factor in enumerate(FACTOR_NAMES):
        block = codes[:, start : start + len(VALUES[factor])]
        assert (block.sum(1) == 1).all() and (block.argmax(1) == people.values[:, i]).all()
        start += len(VALUES[factor])
    assert np.array_equal(codes[:, start:], people.geometry)
