import numpy as np
import pytest
import torch

from deltaedit.backbones.mobilestylegan import MobileSynthesis
from eval.cli import main
from eval.domains.faces import photograph
from eval.domains.faces.alignment import Alignment, find_face, refuse_profile
from eval.domains.faces.photograph import Photograph
from eval.errors import UsageError
from eval.weights.packages import find

pytestmark = pytest.mark.slow

FILES = ("SynthesisNetwork.bin", "shape_predictor_68_face_landmarks.dat")


def landmarks(left_eye=(40, 60), right_eye=(80, 60), mouth=(60, 110), nose=(60, 85), jaw=((20, 70), (100, 70))):
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[48], points[54] = left_eye, right_eye, mouth, mouth
    points[30], points[0], points[16] = nose, *jaw
    return points


def test_an_upright_face_is_cut_by_the_larger_of_both_distances():
    # across (40, 0), down (0, 50): half a side is max(2 * 40, 1.8 * 50) = 90; the centre is the eyes' (60, 60) and a
    # tenth of (0, 50), and pixel k has its centre at k + .5
    found = Alignment.of(landmarks())
    np.testing.assert_allclose(found.centre, (60.5, 65.5))
    np.testing.assert_allclose(found.right, (90, 0), atol=1e-9)
    np.testing.assert_allclose(found.down, (0, 90), atol=1e-9)
    assert found.side_px == pytest.approx(180)


def test_a_face_that_lies_on_its_side_is_cut_upright():
    # turned by a quarter to the right: x' = -y, y' = x
    found = Alignment.of(landmarks() @ np.array([[0.0, 1.0], [-1.0, 0.0]]))
    np.testing.assert_allclose(found.right, (0, 90), atol=1e-9)
    np.testing.assert_allclose(found.down, (-90, 0), atol=1e-9)
    np.testing.assert_allclose(found.centre, (-65 + 0.5, 60 + 0.5))


def ramp(height, width):
    """Red tells x and green tells y of a pixel's centre."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)


def test_the_cut_takes_the_pixels_that_the_square_covers():
    alignment = Alignment(np.array([120.0, 110.0]), np.array([64.0, 0.0]))  # x from 56 to 184, y from 46 to 174
    face = (alignment.cut(ramp(240, 250))[0] + 1) * 127.5
    right = (torch.arange(256) + 0.5) / 2  # two pixels of the cut lie on one of the photograph
    np.testing.assert_allclose(face[0, 128], 56 + right - 0.5, atol=0.02)
    np.testing.assert_allclose(face[1, :, 128], 46 + right - 0.5, atol=0.02)


def test_a_large_face_is_averaged_down():
    photograph = np.zeros((1200, 1200, 3), dtype=np.uint8)
    photograph[::2] = 255  # stripes of one pixel become grey
    face = Alignment(np.array([600.0, 600.0]), np.array([512.0, 0.0])).cut(photograph)
    assert face.abs().max() < 0.02


def test_what_lies_outside_the_photograph_is_mirrored():
    alignment = Alignment(np.array([64.0, 100.0]), np.array([128.0, 0.0]))  # x from -64 to 192, one pixel each
    face = (alignment.cut(ramp(240, 250))[0] + 1) * 127.5
    np.testing.assert_allclose(face[0, 100, :64], face[0, 100, 64:128].flip(0), atol=0.02)


@pytest.mark.parametrize("half", [20.0, 64.0, 150.0])
def test_pasting_changes_the_middle_and_nothing_outside(half):
    rng = np.random.default_rng(0)
    given = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    before = given.copy()
    turn = np.deg2rad(20)
    alignment = Alignment(np.array([140.0, 90.0]), half * np.array([np.cos(turn), np.sin(turn)]))
    pasted = alignment.paste(given, np.full((256, 256, 3), 77, dtype=np.uint8))
    y, x = np.mgrid[:200, :300] + 0.5
    u = (np.cos(turn) * (x - 140) + np.sin(turn) * (y - 90)) / half
    v = (-np.sin(turn) * (x - 140) + np.cos(turn) * (y - 90)) / half
    outside = np.maximum(abs(u), abs(v)) >= 1
    middle = np.maximum(abs(u), abs(v)) <= 0.75  # beyond the feather
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(pasted[outside], given[outside])
    assert (pasted[middle] == 77).all() and middle.any()


def test_what_is_cut_and_pasted_back_is_the_photograph():
    smooth = (ramp(200, 250) // 2 + 60).astype(np.uint8)
    alignment = Alignment(np.array([120.0, 95.0]), np.array([50.0, 12.0]))
    face = ((alignment.cut(smooth)[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(alignment.paste(smooth, face).astype(int) - smooth).max() <= 1


def test_a_face_from_the_side_is_refused():
    refuse_profile(landmarks(), "me.jpg")  # from the front
    with pytest.raises(UsageError, match=r"face in me\.jpg is seen from the side"):
        refuse_profile(landmarks(nose=(95, 85)), "me.jpg")


def test_the_window_is_a_square_around_the_face_within_the_photograph():
    def window(centre, half):
        alignment = Alignment(np.array(centre), np.array([half, 0.0]))
        pixels = np.zeros((200, 300, 3), dtype=np.uint8)
        return Photograph(pixels, alignment, pixels, None, None, ()).window

    assert window((150.0, 100.0), 30.0) == (slice(40, 160), slice(90, 210))  # twice 60 px
    assert window((10.0, 100.0), 30.0) == (slice(40, 160), slice(0, 120))
    assert window((290.0, 100.0), 90.0) == (slice(0, 200), slice(100, 300))


def test_the_guard_of_the_generator_holds_in_a_copy():
    import copy

    torch.manual_seed(0)
    synthesis = MobileSynthesis((16, 16, 16), 8)
    synthesis.stay_near(torch.ones(sum(at.channels for at in synthesis.layout)))
    copied = copy.deepcopy(synthesis)
    s, s_rgb = synthesis.styles(torch.randn(1, synthesis.latents, 8))
    with torch.no_grad():
        assert torch.equal(copied.synthesize(s, s_rgb), synthesis.synthesize(s, s_rgb))
    assert torch.equal(copied.nearest_w, synthesis.nearest_w)


@pytest.fixture
def predictor():
    dlib = pytest.importorskip("dlib")
    if find(FILES[1]) is None:
        pytest.skip("the packages of faces are not here")
    return dlib.shape_predictor(str(find(FILES[1])))


@pytest.fixture
def astronaut():
    return pytest.importorskip("skimage.data").astronaut()


def test_the_face_of_a_photograph_is_found(predictor, astronaut):
    points = find_face(astronaut, "a.png", predictor)
    np.testing.assert_allclose(points[36:48].mean(0), (221, 110), atol=8)  # her eyes, read off the picture


def shrunk(photograph, side):
    from PIL import Image

    return np.array(Image.fromarray(photograph).resize((side, side)))


def test_photographs_that_cannot_be_used_are_told_in_one_sentence(predictor, astronaut):
    with pytest.raises(UsageError, match=r"No face was found in a\.png"):
        find_face(np.full((300, 300, 3), 128, dtype=np.uint8), "a.png", predictor)
    with pytest.raises(UsageError, match=r"a\.png shows 2 faces"):
        find_face(np.concatenate([astronaut, astronaut], 1), "a.png", predictor)
    with pytest.raises(UsageError, match=r"The face in a\.png is only \d+ px wide, and 60 are needed"):
        find_face(shrunk(astronaut, 280), "a.png", predictor)


def test_a_photograph_is_edited_and_pasted_back(astronaut, tmp_path, monkeypatch, capsys):
    pytest.importorskip("dlib")
    from PIL import Image

    if any(find(name) is None for name in FILES):
        pytest.skip("the packages of faces are not here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(photograph, "CODE_STEPS", 2)  # more of both take a minute
    monkeypatch.setattr(photograph, "TUNING_STEPS", 2)
    Image.fromarray(astronaut).save("me.png")
    command = ["edit", "--domain", "faces", "--image", "me.png", "--strength", "0,1", "--out", "strip.png"]
    assert main([*command, "--prompt", "face with glasses"]) == 0
    said = capsys.readouterr().err
    assert "PSNR" in said and "identity" in said
    edited = np.array(Image.open("strip-1.png"))
    assert edited.shape == astronaut.shape
    np.testing.assert_array_equal(edited[420:], astronaut[420:])  # far below her face
    assert np.abs(edited[60:200, 160:280].astype(int) - astronaut[60:200, 160:280]).mean() > 2
    assert Image.open("strip.png").width > 3 * 256
