import numpy as np
import pytest

from eval.domains.avatars import datasets
from eval.domains.avatars.renderer import render


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A cache of its own, a set of seven portraits, shards of three."""
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path))
    monkeypatch.setitem(datasets.SPLITS, "small", datasets.Split(7, seed=77))
    monkeypatch.setattr(datasets, "SHARD", 3)
    return tmp_path


def test_a_set_is_rendered_once_and_read_back(small, monkeypatch):
    expected = render(datasets.portraits("small"))
    assert np.array_equal(datasets.renders("small", workers=0), expected)
    monkeypatch.setattr(datasets, "render_blocks", None)  # nothing can be rendered any more
    assert np.array_equal(datasets.renders("small", workers=0), expected)


def test_a_broken_off_rendering_goes_on_with_the_missing_shards(small, monkeypatch):
    calls, real = [], datasets.render_blocks

    def broken(people, workers):
        calls.append(len(people))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(people, workers)

    monkeypatch.setattr(datasets, "render_blocks", broken)
    with pytest.raises(KeyboardInterrupt):
        datasets.renders("small", workers=0)
    assert np.array_equal(datasets.renders("small", workers=0), render(datasets.portraits("small")))
    assert calls == [3, 3, 1, 1]


def test_no_two_sets_share_a_seed():
    seeds = [split.seed for split in datasets.SPLITS.values()]
    assert len(set(seeds)) == len(seeds)


def test_pictures_of_a_person_share_her_measures_and_nothing_else():
    people = datasets.portraits("judge", 6)
    assert np.array_equal(people.geometry[:3], np.repeat(people.geometry[:1], 3, 0))
    assert not np.array_equal(people.geometry[3], people.geometry[0])
    assert not np.array_equal(people.values[0], people.values[1])


def test_judges_calibration_and_test_portraits_are_balanced():
    assert {datasets.SPLITS[name].rho for name in ("judge", "judge-check", "calibration", "test")} == {0.0}
