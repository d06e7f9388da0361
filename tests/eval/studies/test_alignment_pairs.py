import numpy as np
import pytest

from eval.errors import UsageError
from eval.studies.alignment.pairs import load_features, pairs_of_domain

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("i", "t", "deltai", "deltat"):
        np.save(tmp_path / f"cspace_toy_{kind}.npy", rng.normal(size=(25, 4)).astype(np.float32))
    return tmp_path


def _save(folder, kind, array):
    np.save(folder / f"cspace_toy_{kind}.npy", array)


def test_reads_the_four_arrays(folder):
    pairs = load_features(folder)
    assert len(pairs) == 25
    assert (pairs.texts == np.load(folder / "cspace_toy_t.npy")).all()
    assert (pairs.released[0] == np.load(folder / "cspace_toy_deltai.npy")).all()
    assert (pairs.released[1] == np.load(folder / "cspace_toy_deltat.npy")).all()


def test_takes_the_first_pairs(folder):
    pairs = load_features(folder, 20)
    assert pairs.images.shape == pairs.texts.shape == pairs.released[1].shape == (20, 4)
    assert (pairs.images == np.load(folder / "cspace_toy_i.npy")[:20]).all()


def test_both_deltas_may_be_absent(folder):
    for kind in ("deltai", "deltat"):
        (folder / f"cspace_toy_{kind}.npy").unlink()
    assert load_features(folder).released is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("i", "no image features"),
        ("t", "no text features"),
        ("deltai", "no image deltas"),
        ("deltat", "no text deltas"),
    ],
)
def test_a_missing_array_is_named(folder, kind, words):
    (folder / f"cspace_toy_{kind}.npy").unlink()
    with pytest.raises(UsageError, match=words):
        load_features(folder)


def _with(row, value):
    array = np.ones((25, 4), dtype=np.float32)
    array[row] = value
    return array


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((24, 4), dtype=np.float32), r"shape \[24, 4\].*\[25, 4\]"),
        (np.ones((25, 5), dtype=np.float32), r"shape \[25, 5\].*\[25, 4\]"),
        (np.ones(25, dtype=np.float32), r"floats of shape \[pairs, features\]"),
        (np.ones((25, 4), dtype=np.int64), "int64"),
        (np.array([["a"] * 4] * 25), "<U1"),
        (_with(3, np.nan), "NaN or infinite numbers, first in row 3"),
        (_with(7, np.inf), "first in row 7"),
        (_with(5, 0), "only zeros, first row 5"),
        (np.ones((25, 1), dtype=np.float32), "at least 2 features"),
        (np.float32(1), "floats of shape"),
    ],
)
def test_a_wrong_array_is_told(folder, array, words):
    _save(folder, "t", array)
    with pytest.raises(UsageError, match=words) as error:
        load_features(folder)
    assert "cspace_toy_t.npy" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_told(folder, content):
    (folder / "cspace_toy_deltat.npy").write_bytes(content)
    with pytest.raises(UsageError, match=r"deltat\.npy cannot be read"):
        load_features(folder)


def test_two_data_sets_in_one_folder(folder):
    _save(folder.parent / folder.name, "i", np.ones((25, 4)))
    np.save(folder / "other_i.npy", np.ones((25, 4)))
    with pytest.raises(UsageError, match="several arrays of image features"):
        load_features(folder)


def test_not_a_folder(folder):
    for path in (folder / "absent", folder / "cspace_toy_i.npy"):
        with pytest.raises(UsageError, match="--features must be a folder"):
            load_features(path)


@pytest.mark.parametrize("count", [0, -1, 19, 26])
def test_a_count_out_of_range(folder, count):
    with pytest.raises(UsageError, match="--pairs must be from 20 to 25"):
        load_features(folder, count)


def test_too_few_pairs(folder):
    for kind in ("i", "t", "deltai", "deltat"):
        _save(folder, kind, np.ones((19, 4)))
    with pytest.raises(UsageError, match="at least 20 pairs, got 19"):
        load_features(folder)


def test_a_domain_without_captions(tiny_domain):
    with pytest.raises(UsageError, match="'tiny' has no captions"):
        pairs_of_domain(tiny_domain)


def test_renders_and_captions_as_each_clip_sees_them(tiny_domain):
    tiny_domain.name = "avatars"  # its CLIPs read any picture and any text
    judged, again, edited, other = (
        pairs_of_domain(tiny_domain, 20, seed, clip)
        for seed, clip in ((0, "judge"), (0, "judge"), (0, "editing"), (1, "judge"))
    )
    assert judged.images.shape == judged.texts.shape == (20, 8) and judged.released is None
    assert np.linalg.norm(judged.images, axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    assert (judged.texts == again.texts).all()
    assert np.abs(judged.images - edited.images).max() > 0.01
    assert (judged.images == other.images).all() and np.abs(judged.texts - other.texts).max() > 0.01
    with pytest.raises(UsageError, match="--pairs must be from 20 to 1000"):
        pairs_of_domain(tiny_domain, 1001)
