"""Every reader on files that are damaged at random: it reads, or says one sentence; nothing in a file is ever run.

``pytest tests/eval/weights/test_fuzz.py --hypothesis-profile=long`` tries 10,000 inputs a reader.
"""

import io
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save as safetensors_bytes
from torch import nn

from eval.domains.photos.description import read_description
from eval.errors import UsageError
from eval.pictures import read_picture
from eval.prompts import load_prompts
from eval.weights.checkpoints import read_delta_mapper, read_e4e, read_generator, read_relevance, read_styleclip_mapper
from eval.weights.clip_files import read_clip
from eval.weights.codes import read_codes
from eval.weights.formats.files import CheckpointError
from eval.weights.verdict import verdict

NORMAL = 100  # what Hypothesis tries by default
QUICK = 12  # inputs a reader in the fast suite
EXAMPLES = QUICK if settings().max_examples == NORMAL else settings().max_examples
LONGEST = 300  # letters of a sentence, without the file's folder
PROMPTS = b'source = "face"\n[[prompt]]\nname = "a"\ntarget = "face with a"\nattribute = "b"\nvalue = "c"\n'

READERS = {
    "generator": read_generator,
    "encoder": read_e4e,
    "delta mapper": lambda path: read_delta_mapper(path, nn.Linear(2, 2)),
    "styleclip mapper": read_styleclip_mapper,
    "relevance": lambda path: read_relevance(path, 4, 5),
    "codes": lambda path: read_codes(path, (4, 5), 26),
    "clip": lambda path: read_clip(path, "tiny-quickgelu"),
    "verdict": verdict,
    "picture": lambda path: read_picture(path, 8),
    "prompts": load_prompts,
    "domain": read_description,
}


class Hostile:
    """Its pickle calls a function when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("/tmp/deltabench-fuzz-was-run",)


def saved(payload):
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def files(weights):
    """Whole files of every kind: bytes."""
    whole = [path.read_bytes() for path in sorted(weights.folder.iterdir()) if path.stat().st_size < 1 << 20]
    state = torch.load(weights.generator, weights_only=True)["g_ema"]
    own = {name: tensor.clone() for name, tensor in state.items()}
    whole += [PROMPTS, PROMPTS.decode().encode("utf-16"), safetensors_bytes(own)]
    for array in (np.zeros((3, 4, 5), np.float32), np.zeros((4, 5)), np.array([{}], dtype=object)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        whole.append(buffer.getvalue())
    buffer = io.BytesIO()
    np.savez(buffer, w=np.ones((1, 4, 5), np.float32))
    whole.append(buffer.getvalue())
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8))
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"):
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        whole.append(buffer.getvalue())
    whole += [pickle.dumps({"G_ema": Hostile()}), pickle.dumps(Hostile(), 2), saved({"g_ema": {"input.input": 3}})]
    whole += [saved(value) for value in (torch.ones(2, 4, 5), {}, [1], {"state_dict": {"encoder.a": torch.ones(1)}})]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../outside.npy", b"x")
        archive.writestr("a/data.pkl", pickle.dumps(Hostile()))
        archive.writestr("a/constants.pkl", b"")
    return [*whole, buffer.getvalue(), b"", b"<html>no file</html>"]


@st.composite
def damage(draw):
    """What is done to a file: a function of its bytes."""
    kind = draw(st.sampled_from(["none", "cut", "bytes", "zeros", "more", "twice", "head"]))
    place, size = draw(st.floats(0, 1)), draw(st.integers(1, 64))
    noise = draw(st.binary(min_size=1, max_size=16))

    def apply(data):
        at = int(place * len(data))
        if kind == "cut":
            return data[:at]
        if kind == "bytes":
            return data[:at] + noise + data[at + len(noise) :]
        if kind == "zeros":
            return data[:at] + bytes(size) + data[at + size :]
        if kind == "more":
            return data[:at] + noise + data[at:]
        if kind == "twice":
            return data + data
        return noise + data[len(noise) :] if kind == "head" else data

    return apply


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_read_or_told_in_one_sentence(reader, files, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("fuzz")
    endings = [".pt", ".pkl", ".npy", ".npz", ".safetensors", ".png", ".toml", ""]

    @settings(
        max_examples=EXAMPLES,
        derandomize=EXAMPLES == QUICK,  # the suite tries the same inputs every time; the long run others
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(number=st.integers(0, len(files) - 1), harm=damage(), ending=st.sampled_from(endings))
    def tried(number, harm, ending):
        path = folder / f"file{ending}"
        path.write_bytes(harm(files[number]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = READERS[reader](path)
        except (UsageError, CheckpointError) as error:
            for sentence in str(error).splitlines():
                assert 0 < len(sentence.replace(str(folder), "")) <= LONGEST, sentence
            return
        tensors = found.state_dict().values() if isinstance(found, nn.Module) else ()
        tensors = [found.codes] if reader == "codes" else [found] if isinstance(found, torch.Tensor) else tensors
        assert all(torch.isfinite(tensor).all() for tensor in tensors if tensor.is_floating_point())

    tried()
    assert not Path("/tmp/deltabench-fuzz-was-run").exists()
    assert not (folder.parent.parent / "outside.npy").exists()
