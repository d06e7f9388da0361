import numpy as np
import pytest

from eval.errors import UsageError
from eval.statistics import LIKE_THESE, clusters_needed, holm, sign_flip_p, smallest_p, too_small


@pytest.mark.parametrize("images", [2, 5, 9, 12])
def test_the_smallest_p_is_that_of_images_that_all_agree(images):
    """A difference of 1 on every image: only the observed signs and their mirror image are as extreme."""
    p_values = sign_flip_p(np.ones((1, images, 1)), "these-prompts", np.random.default_rng(0))
    assert smallest_p(images) == pytest.approx(p_values[0]) == pytest.approx(2 / 2**images)


def test_beyond_all_patterns_the_draws_decide():
    assert smallest_p(15, 20_000) == 1 / 2**14
    assert smallest_p(16, 20_000) == smallest_p(500, 20_000) == 1 / 20_001


@pytest.mark.parametrize("tests", [1, 6, 12, 32, 100])
def test_images_that_are_needed_find_the_largest_difference_and_one_less_does_not(tests):
    needed = clusters_needed(tests)
    for images, found in ((needed, True), (needed - 1, False)):
        p_values = sign_flip_p(np.ones((1, images, 1)), "these-prompts", np.random.default_rng(0))
        corrected = holm(np.r_[p_values, np.ones(tests - 1)])[0]
        assert (corrected < 0.05) == found == (too_small(images, 16, tests) is None)


def test_the_sentence():
    """10 images have 2⁹ = 512 patterns, 32/512 = .0625; 25/512 = .0488 and 26/512 = .0508; 32/2¹⁰ = .03125."""
    assert too_small(10, 16, 32) == (
        "10 images cannot show any difference in 32 tests: the smallest p of their sign flips is 1/512, "
        "corrected 0.0625. It takes 11 images, or at most 25 tests."
    )
    assert too_small(1, 16, 1) == (
        "1 image cannot show any difference in 1 test: the smallest p of their sign flips is 1/1, corrected 1. "
        "It takes 6 images."
    )
    assert too_small(50, 16, 2000) == (
        "50 images cannot show any difference in 2,000 tests: the smallest p of their sign flips is 1/20,001, "
        "corrected 0.1. It takes at most 1,000 tests."
    )


def test_prompts_count_only_where_they_could_have_been_others():
    assert too_small(50, 4, 1) is None
    assert too_small(50, 4, 1, LIKE_THESE).startswith("4 prompts cannot show any difference in 1 test:")
    with pytest.raises(UsageError, match="population"):
        too_small(50, 4, 1, "all")
