"""Codes in the forms that other tools write, against the array that was saved."""

import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eval.weights.codes import read_codes
from eval.weights.formats.files import CheckpointError

ROWS, SIZE, STYLES = 6, 5, 26
CODES = np.random.default_rng(0).standard_normal((3, ROWS, SIZE)).astype(np.float32)
VECTORS = CODES[:, 0]


def read(path, **options):
    found = read_codes(path, (ROWS, SIZE), STYLES, **options)
    assert found.codes.dtype == torch.float32
    return found.codes.numpy(), found.notes


def saved(tmp_path, value, name):
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, value)
    elif name.endswith(".npz"):
        np.savez(path, **value)
    elif name.endswith(".safetensors"):
        save_file({key: torch.from_numpy(array) for key, array in value.items()}, path)
    else:
        torch.save(value, path)
    return path


FORMS = {
    "plain": (CODES, "a.npy"),
    "float64": (CODES.astype(np.float64), "a.npy"),
    "N1LD": (CODES[:, None], "a.npy"),
    "1NLD": (CODES[None], "a.npy"),
    "npz of a projector": ({"w": CODES}, "a.npz"),
    "npz with more": ({"w": CODES, "seed": np.arange(3)}, "a.npz"),
    "tensor": (torch.from_numpy(CODES), "a.pt"),
    "numpy in a torch file": ({"latents": CODES}, "a.pt"),
    "dict with names": ({"latents": torch.from_numpy(CODES), "names": ["a", "b", "c"]}, "a.pt"),
    "dict of names": ({f"{i}.jpg": torch.from_numpy(CODES[i]) for i in range(3)}, "a.pt"),
    "dict of names, 1LD": ({f"{i}.jpg": torch.from_numpy(CODES[i : i + 1]) for i in range(3)}, "a.pt"),
    "safetensors": ({"w_plus": CODES}, "a.safetensors"),
}


@pytest.mark.parametrize(("value", "name"), FORMS.values(), ids=FORMS.keys())
def test_forms_of_w_plus(tmp_path, value, name):
    codes, notes = read(saved(tmp_path, value, name))
    np.testing.assert_array_equal(codes, CODES)
    assert not notes


def test_half_precision_is_read(tmp_path):
    codes, _ = read(saved(tmp_path, CODES.astype(np.float16), "a.npy"))
    np.testing.assert_array_equal(codes, CODES.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("value", [VECTORS, VECTORS[:, None]], ids=["ND", "N1D"])
def test_vectors_of_w_stand_for_every_row(tmp_path, value):
    codes, notes = read(saved(tmp_path, value, "a.npy"))
    np.testing.assert_array_equal(codes, np.repeat(VECTORS[:, None], ROWS, 1))
    assert notes == ("a.npy holds 3 vectors of W, each used for all 6 rows of W+.",)


def test_as_many_vectors_as_rows_are_told_how_they_are_taken(tmp_path):
    path = saved(tmp_path, CODES[0], "a.npy")
    codes, notes = read(path)
    np.testing.assert_array_equal(codes, CODES[:1])
    assert "taken as one code of W+; --codes w takes it as 6 vectors of W" in notes[0]
    codes, notes = read(path, taken="w")
    np.testing.assert_array_equal(codes, np.repeat(CODES[0][:, None], ROWS, 1))
    assert not notes and not read(path, taken="w+")[1]


def test_styles_and_single_codes(tmp_path):
    styles = np.ones((2, STYLES), np.float32)
    np.testing.assert_array_equal(read(saved(tmp_path, styles, "s.npy"))[0], styles)
    np.testing.assert_array_equal(read(saved(tmp_path, styles[0], "s.npy"))[0], styles[:1])
    assert read(saved(tmp_path, VECTORS[0], "w.npy"))[0].shape == (1, ROWS, SIZE)


def test_rows_that_are_no_numbers_are_named_and_only_the_used_ones_are_looked_at(tmp_path):
    bad = CODES.copy()
    bad[1, 2, 3] = np.nan
    bad[2, 0, 0] = np.inf
    path = saved(tmp_path, bad, "bad.npy")
    with pytest.raises(CheckpointError, match=r"bad.npy holds NaN or infinite numbers in 2 of 3 codes: rows 1, 2"):
        read(path)
    assert len(read(path, limit=1)[0]) == 1


def test_other_arrays_are_one_sentence(tmp_path):
    for value in (np.zeros((2, 7), np.float32), np.zeros((0, ROWS, SIZE), np.float32), np.array(["a"]), np.float32(3)):
        with pytest.raises(CheckpointError, match=r"x.npy holds no codes"):
            read(saved(tmp_path, value, "x.npy"))
    with pytest.raises(CheckpointError, match=r"np.save\('codes.npy', codes\)"):
        read(saved(tmp_path, {"a": CODES, "b": CODES}, "x.npz"))


@pytest.mark.parametrize("content", [b"", b"1,2\n", b"[[1, 2]]", b"\x89HDF\r\n\x1a\n", b"<html>"])
def test_other_files_are_answered_with_the_kinds_that_are_read(tmp_path, content):
    (tmp_path / "codes.csv").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"codes.csv is no file of codes: .* read are .npy, .npz, .pt and .saf"):
        read(tmp_path / "codes.csv")


def test_tensors_of_other_kinds_are_the_same_numbers_or_refused(tmp_path):
    tensor = torch.from_numpy(CODES)
    for kind in (tensor.to_sparse(), tensor.double(), torch.nn.Parameter(tensor), tensor[:, None]):
        torch.save({"w": kind, "epoch": 3}, tmp_path / "codes.pt")
        np.testing.assert_array_equal(read(tmp_path / "codes.pt")[0], CODES)
    for kind in (tensor.to(torch.complex64), tensor.to("meta"), "w", [tensor]):
        torch.save(kind, tmp_path / "codes.pt")
        with pytest.raises(CheckpointError, match=r"codes.pt holds no latents: expected is one tensor of real numbers"):
            read(tmp_path / "codes.pt")


def test_an_archive_that_unpacks_to_far_more_than_it_weighs_is_not_read(tmp_path):
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w", force_zip64=True) as file,
    ):
        block = bytes(1 << 20)
        for _ in range(1100):
            file.write(block)
    with pytest.raises(CheckpointError, match=r"unpacks to 1100 MiB, far more than it weighs"):
        read(path)
