import argparse
import io
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eval.weights.formats.files import (
    CheckpointError,
    describe_file,
    describe_names,
    load_array,
    load_safetensors,
    load_torch,
)
from eval.weights.formats.states import check_names


class Hostile:
    def __reduce__(self):
        return print, ("this must never run",)


def sentence(function, *arguments):
    with pytest.raises(CheckpointError) as error:
        function(*arguments)
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x89PNG\r\n", "a PNG image"),
        (b"\x80\x04.", "a pickle"),
        (b"hello", "unknown kind"),
    ],
)
def test_first_bytes_tell_what_a_file_is(tmp_path, content, what):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    assert what in describe_file(path)
    assert what in sentence(load_torch, path) or what == "a pickle"
    assert str(path) in sentence(load_array, path)
    assert str(path) in sentence(load_safetensors, path)


def test_truncated_files(tmp_path):
    tensor = torch.zeros(100)
    whole = io.BytesIO()
    torch.save({"a": tensor}, whole)
    (tmp_path / "a.pt").write_bytes(whole.getvalue()[:-300])
    assert "truncated" in sentence(load_torch, tmp_path / "a.pt")
    torch.save({"a": tensor}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pt").read_bytes()
    (tmp_path / "old.pt").write_bytes(old[:-300])
    assert "no whole torch file" in sentence(load_torch, tmp_path / "old.pt")
    np.save(tmp_path / "a.npy", np.zeros(100))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-300])
    assert "truncated NumPy array" in sentence(load_array, tmp_path / "a.npy")
    save_file({"a": tensor}, tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-300])
    assert "truncated safetensors" in sentence(load_safetensors, tmp_path / "a.safetensors")


def test_objects_are_refused_by_name_and_never_run(tmp_path, capsys):
    torch.save({"g_ema": Hostile()}, tmp_path / "hostile.pt")
    assert "print" in sentence(load_torch, tmp_path / "hostile.pt")
    np.save(tmp_path / "hostile.npy", np.array([Hostile()], dtype=object), allow_pickle=True)
    assert "Python objects" in sentence(load_array, tmp_path / "hostile.npy")
    assert capsys.readouterr().out == ""


def test_arguments_of_training_checkpoints_are_read(tmp_path):
    torch.save({"args": argparse.Namespace(size=8), "a": torch.ones(2)}, tmp_path / "train.pt")
    assert torch.equal(load_torch(tmp_path / "train.pt")["a"], torch.ones(2))


def test_missing_file_is_named(tmp_path):
    for function in (load_torch, load_array, load_safetensors):
        assert sentence(function, tmp_path / "absent") == f"There is no file {tmp_path / 'absent'}."


def test_other_zip_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "zip archive" in sentence(load_torch, tmp_path / "a.pt")


def test_names_tell_what_a_checkpoint_is():
    assert describe_names(["latent_avg", "g_ema"]) == "a StyleGAN2 checkpoint of rosinality's code"
    assert describe_names(["encoder.body.0.x", "decoder.y"]) == "an e4e or pSp checkpoint"
    assert describe_names(["a", "b"]) == "a checkpoint of unknown kind that begins with 'a', 'b'"
    assert describe_names([]) == "an empty checkpoint"


def test_comparison_of_names_and_shapes(tmp_path):
    wanted = {"a": (2,), "b": (3, 1)}
    got = {"a": torch.zeros(2), "b": torch.zeros(3, 1)}
    check_names(tmp_path, got, wanted, "right")
    assert "layer 'b' (3, 1) is missing" in sentence(check_names, tmp_path, {"a": got["a"]}, wanted, "x")
    assert "layer 'c' (1,) is unexpected" in sentence(check_names, tmp_path, {**got, "c": torch.zeros(1)}, wanted, "x")
    wrong = {**got, "b": torch.zeros(1, 3)}
    assert "layer 'b' has shape (1, 3), expected (3, 1)" in sentence(check_names, tmp_path, wrong, wanted, "x")
