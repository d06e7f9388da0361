import numpy as np
import pytest

from eval.domains.faces.networks import FACTORS
from eval.domains.faces.regions import BOXES, FIXED, find_landmarks, region_of

LOWER = 3 * 130 / 16  # the fourth of 17 points of the jaw lies so far inside


def face() -> np.ndarray:
    """Landmarks of an upright face, eyes 50 px apart; a quarter of a pixel off, so that no edge lies on a pixel."""
    points = np.full((68, 2), 128.0)
    points[0:17, 0], points[0:17, 1] = np.linspace(60, 190, 17), 120 + 90 * np.sin(np.linspace(0, np.pi, 17))
    points[17:27] = np.stack([np.linspace(80, 170, 10), np.full(10, 100.0)], 1)
    points[31:36] = np.stack([np.linspace(118, 134, 5), np.full(5, 150.0)], 1)
    points[36:42], points[42:48] = (100.0, 120.0), (150.0, 120.0)
    points[48:68] = np.stack([np.linspace(105, 145, 20), np.full(20, 175.0)], 1)
    return points + 0.25


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Its pixels, a quarter of a pixel off."""
    y, x = np.mgrid[:256, :256] - 0.25
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [  # margins are shares of the 50 px between the eyes
        ("glasses", box(60 - 5, 100 - 12.5, 190 + 5, 150)),
        ("lipstick", box(105 - 10, 175 - 10, 145 + 10, 175 + 10)),
        ("beard", box(60 - 7.5, 150 - 2.5, 190 + 7.5, 256)),
        ("hat", box(-1, -1, 256, 100 + 5)),
        ("hair", box(-1, -1, 256, 105) | box(-1, -1, 60 + LOWER + 5, 256) | box(190 - LOWER - 5, -1, 256, 256)),
        ("sex", box(-1, -1, 256, 256)),
    ],
)
def test_regions_of_an_upright_face_by_hand(factor, expected):
    np.testing.assert_array_equal(region_of(factor, face()), expected)


def test_the_region_turns_with_the_face():
    """A quarter turn to the left about the middle of the picture: x' = y, y' = 255 - x."""
    turned = face()[:, ::-1] * (1, -1) + (0, 255)
    for factor in BOXES:
        np.testing.assert_array_equal(region_of(factor, turned), np.rot90(region_of(factor, face())), err_msg=factor)


def test_fixed_boxes_stand_in_where_no_face_is_found():
    nowhere = np.full((68, 2), np.nan)
    assert set(BOXES) == set(FIXED) < set(FACTORS)
    region = region_of("glasses", nowhere)  # .1 to .9 of the width, .3 to .62 of the height
    assert (
        region[77:158, 26:230].all() and not region[:76].any() and not region[160:].any() and not region[:, :25].any()
    )
    assert region_of("age", nowhere).all()


def test_a_picture_without_a_face_has_no_landmarks():
    pytest.importorskip("dlib")
    grey = np.full((2, 256, 256, 3), 128, dtype=np.uint8)
    assert np.isnan(find_landmarks(grey, None)).all()
