"""Weights as training scripts leave them: wrapped, with foreign values beside them, of another formula."""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from deltaedit.backbones.encoder import Encoder4Editing
from eval.weights.checkpoints import CheckpointError, read_e4e, read_generator
from eval.weights.clip_files import preprocessing, read_clip
from eval.weights.verdict import verdict

pytestmark = pytest.mark.slow


def same(found, right):
    assert found.state_dict().keys() == right.state_dict().keys()
    assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in right.state_dict().items())


@pytest.fixture
def plain(tmp_path, rosinality_state):
    torch.save({"g_ema": rosinality_state, "latent_avg": torch.ones(6)}, tmp_path / "plain.pt")
    return read_generator(tmp_path / "plain.pt")


@pytest.mark.parametrize("key", ["g_ema", "generator", "params_ema", "state_dict", "g"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_generators_in_usual_wrappings(tmp_path, rosinality_state, plain, key, prefix, recwarn):
    wrapped = {f"{prefix}{name}": tensor for name, tensor in rosinality_state.items()}
    path = tmp_path / "wrapped.pt"
    torch.save({key: wrapped, "latent_avg": torch.ones(6), "iter": np.int64(3)}, path)
    same(read_generator(path), plain)
    assert verdict(path).startswith("a StyleGAN2 generator of 8 px")
    told = [str(warning.message) for warning in recwarn if "averaged generator" in str(warning.message)]
    assert bool(told) == (key == "g")


def test_foreign_values_beside_the_weights_are_left(tmp_path, rosinality_state, plain):
    path = tmp_path / "foreign.pt"
    foreign = {
        "loss": np.float64(0.5),
        "folder": Path("/data/ffhq"),
        "args": argparse.Namespace(size=8),
        "a": np.ones(2),
    }
    torch.save({"g_ema": rosinality_state, "latent_avg": torch.ones(6), **foreign}, path)
    same(read_generator(path), plain)


@pytest.mark.parametrize("kind", ["sparse", "double", "parameter"])
def test_tensors_of_other_kinds_are_the_same_network(tmp_path, rosinality_state, plain, kind):
    one = rosinality_state["conv1.conv.weight"]
    kinds = {"sparse": one.to_sparse(), "double": one.double(), "parameter": torch.nn.Parameter(one)}
    rosinality_state["conv1.conv.weight"] = kinds[kind]
    torch.save({"g_ema": rosinality_state, "latent_avg": torch.ones(6).to_sparse()}, tmp_path / "kind.pt")
    same(read_generator(tmp_path / "kind.pt"), plain)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda one: (one * 9).long(),
            r"'conv1\.conv\.weight' has numbers of the type torch\.int64, expected are floats",
        ),
        (lambda one: one > 0, "type torch.bool, expected are floats"),
        (lambda one: one + 1j, r"'conv1\.conv\.weight' is missing"),
        (lambda one: one.to("meta"), r"'conv1\.conv\.weight' is missing"),
    ],
    ids=["integers", "truth", "complex", "meta"],
)
def test_numbers_that_are_no_weights_are_refused(tmp_path, rosinality_state, change, sentence):
    rosinality_state["conv1.conv.weight"] = change(rosinality_state["conv1.conv.weight"])
    torch.save({"g_ema": rosinality_state}, tmp_path / "kind.pt")
    with pytest.raises(CheckpointError, match=sentence):
        read_generator(tmp_path / "kind.pt")


def test_a_generator_with_labels_in_rosinalitys_layout_is_refused(tmp_path, rosinality_state):
    rosinality_state["style.1.weight"] = torch.ones(6, 12)
    torch.save({"g_ema": rosinality_state}, tmp_path / "labels.pt")
    with pytest.raises(CheckpointError, match=r"labels.pt is a generator with class labels"):
        read_generator(tmp_path / "labels.pt")


def test_one_number_that_is_none_is_refused_with_its_tensor(tmp_path, rosinality_state):
    rosinality_state["convs.0.conv.weight"][0, 0, 0, 0, 0] = torch.nan
    torch.save({"g_ema": rosinality_state}, tmp_path / "nan.pt")
    for read in (read_generator, verdict):
        with pytest.raises(CheckpointError, match=r"numbers of 'convs.0.conv.weight' are NaN or infinite"):
            read(tmp_path / "nan.pt")


@pytest.fixture(scope="module")
def encoder_state():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = Encoder4Editing(4).state_dict()
    state.pop("w_mean")
    return {f"encoder.{name}": tensor for name, tensor in state.items()}


def test_the_formula_of_an_encoder_is_that_of_its_options(tmp_path, encoder_state):
    mean, path = torch.randn(4, 512, generator=torch.Generator().manual_seed(1)), tmp_path / "e.pt"
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(2)) * 2 - 1

    def codes(**options):
        torch.save({"state_dict": encoder_state, "latent_avg": mean, "opts": options}, path)
        with torch.inference_mode():
            return read_e4e(path)(image)

    e4e, psp = codes(encoder_type="Encoder4Editing"), codes(encoder_type="GradualStyleEncoder")
    own = psp - mean  # what each head says
    torch.testing.assert_close(psp[:, 0], e4e[:, 0])
    torch.testing.assert_close(e4e - mean, own + torch.cat([torch.zeros(1, 1, 512), own[:, :1].expand(-1, 3, -1)], 1))
    assert "a pSp encoder" in verdict(path)
    torch.testing.assert_close(codes(encoder_type="GradualStyleEncoder", start_from_latent_avg=False), own)
    with pytest.raises(CheckpointError, match=r"of the type 'ProgressiveBackboneEncoder'; read are Encoder4Editing"):
        codes(encoder_type="ProgressiveBackboneEncoder")


@pytest.mark.parametrize(
    ("architecture", "mean", "std", "interpolation"),
    [
        ("ViT-B-16-SigLIP", 0.5, 0.5, "bicubic"),
        ("PE-Core-B-16", 0.5, 0.5, "bilinear"),
        ("MobileCLIP-S1", 0.0, 1.0, "bilinear"),
        ("ViT-B-32-quickgelu", 0.48145466, 0.26862954, "bicubic"),
        ("tiny-quickgelu", 0.48145466, 0.26862954, "bicubic"),
    ],
)
def test_pictures_are_prepared_as_the_architecture_was_trained(weights, architecture, mean, std, interpolation):
    found = preprocessing(architecture)
    assert (found.mean[0], found.std[0], found.interpolation) == (mean, std, interpolation)


def test_a_tokenizer_on_a_hub_is_one_sentence_before_weights_are_read(tmp_path, monkeypatch):
    path = tmp_path / "clip.pt"
    path.write_bytes(b"never read")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("fetched"))
    for architecture, tokenizer in (("xlm-roberta-base-ViT-B-32", "xlm-roberta-base"), ("ViT-B-16-SigLIP", "timm/ViT")):
        with pytest.raises(CheckpointError, match=rf"{architecture} needs a file from a hub, .*'{tokenizer}") as told:
            read_clip(path, architecture)
        assert "nothing is fetched" in str(told.value)


def test_an_archive_under_a_name_of_another_activation_is_refused(weights, tmp_path):
    import open_clip

    tiny = json.loads((weights.folder / "tiny-quickgelu.json").read_text())
    (tmp_path / "tiny.json").write_text(json.dumps({**tiny, "quick_gelu": False}))
    open_clip.add_model_config(tmp_path / "tiny.json")
    with pytest.raises(
        CheckpointError, match=r"QuickGELU.* but tiny is not; the architecture that fits is tiny-quickgelu"
    ):
        read_clip(weights.clip_torchscript, "tiny")
    example = (torch.zeros(1, 3, 16, 16), torch.zeros(1, 77, dtype=torch.long))
    exact = open_clip.create_model("tiny").eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; files of it stay as they are
        torch.jit.save(torch.jit.trace(exact, example, check_trace=False), tmp_path / "exact.pt")
    with pytest.raises(
        CheckpointError, match=r"exact GELU but tiny-quickgelu is not; the architecture that fits is tiny\."
    ):
        read_clip(tmp_path / "exact.pt", "tiny-quickgelu")
    assert read_clip(tmp_path / "exact.pt", "tiny").resolution == 16
