import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.mapper import DeltaMapper
from eval.weights.checkpoints import (
    CheckpointError,
    read_delta_mapper,
    read_generator,
    read_relevance,
    read_styleclip_mapper,
)
from eval.weights.codes import read_codes


def sentence(function, *arguments):
    with pytest.raises(CheckpointError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_rosinality_files_old_and_new(tmp_path, rosinality_state, right_tensors):
    path = tmp_path / "stylegan2.pt"
    for zipped in (True, False):
        content = {"g_ema": rosinality_state, "latent_avg": torch.arange(6.0), "d_optim": {"state": {}}}
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        state = read_generator(path).state_dict()
        torch.testing.assert_close(state["synthesis.convs.2.bias"], right_tensors["synthesis.convs.2.bias"])
        assert torch.equal(state["w_mean"], torch.arange(6.0))


def test_decoder_of_an_e4e_file(tmp_path, rosinality_state):
    inner = {f"decoder.{name}": t for name, t in rosinality_state.items()} | {"encoder.x": torch.zeros(1)}
    torch.save({"state_dict": inner, "latent_avg": torch.ones(4, 6)}, tmp_path / "e4e.pt")
    assert torch.equal(read_generator(tmp_path / "e4e.pt").w_mean, torch.ones(6))


@pytest.mark.parametrize("protocol", [2, 4])
def test_nvidia_pickles(tmp_path, nvidia_pickle, right_tensors, protocol):
    generator = read_generator(nvidia_pickle(tmp_path / "network.pkl", protocol))
    state = generator.state_dict()
    for name, wanted in right_tensors.items():
        assert torch.equal(state[name], wanted.view(state[name].shape)), name
    assert {layer.clamp for layer in [*generator.synthesis.convs, *generator.synthesis.to_rgbs]} == {256}


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"c_dim": 3}, "class labels"),
        ({"architecture": "resnet"}, "architecture 'resnet'"),
        ({"filter_size": 6}, "StyleGAN3"),
        ({"others": {"G_ema": None, "D": 1}}, "it holds: G, D, G_ema, training_set_kwargs"),
    ],
)
def test_nvidia_networks_of_other_kinds(tmp_path, nvidia_pickle, attributes, what):
    text = sentence(read_generator, nvidia_pickle(tmp_path / "network.pkl", **attributes))
    assert what in text
    assert str(tmp_path) in text


def test_hostile_and_truncated_pickles(tmp_path, nvidia_pickle, capsys):
    path = tmp_path / "network.pkl"
    path.write_bytes(b"\x80\x02cbuiltins\nprint\nX\x05\x00\x00\x00hello\x85R.")
    assert "builtins.print" in sentence(read_generator, path)
    path.write_bytes(b"\x80\x02cdnnlib.tflib.network\nNetwork\n.")
    assert "TensorFlow" in sentence(read_generator, path)
    whole = nvidia_pickle(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "no whole pickle" in sentence(read_generator, path)
    assert capsys.readouterr().out == ""


def test_own_safetensors(tmp_path, nvidia_pickle):
    generator = read_generator(nvidia_pickle(tmp_path / "network.pkl", clamp=None))
    save_file(generator.state_dict(), tmp_path / "network.safetensors")
    z = torch.ones(2, 5)
    assert torch.equal(read_generator(tmp_path / "network.safetensors")(z), generator(z))


def test_files_that_hold_no_generator(tmp_path):
    torch.save({"state_dict": {"mapper.mapping.mapping.1.bias": torch.zeros(2)}}, tmp_path / "a.pt")
    assert "StyleCLIP mapper" in sentence(read_generator, tmp_path / "a.pt")
    torch.save(torch.zeros(2), tmp_path / "a.pt")
    assert "holds a Tensor" in sentence(read_generator, tmp_path / "a.pt")
    assert "no file" in sentence(read_generator, tmp_path / "absent.pt")


def test_delta_mapper_fits_its_network_or_is_refused(tmp_path):
    layout = StyleGAN2(16, (8, 8, 8), 8).layout
    mapper = DeltaMapper(layout, 6)
    torch.save(mapper.state_dict(), tmp_path / "net_face.pth")
    state = read_delta_mapper(tmp_path / "net_face.pth", mapper)
    assert all(torch.equal(state[name], t) for name, t in mapper.state_dict().items())
    other = DeltaMapper(layout, 7)
    assert "cm_coarse.mapping.1.weight' has shape (8, 12), expected (8, 14)" in sentence(
        read_delta_mapper, tmp_path / "net_face.pth", other
    )
    torch.save({"g_ema": {}, "latent_avg": torch.zeros(2)}, tmp_path / "net_face.pth")
    assert "rosinality" in sentence(read_delta_mapper, tmp_path / "net_face.pth", mapper)


def test_arrays_of_texts_or_complex_numbers_are_no_relevance(tmp_path):
    for array in (np.full((4, 3), "1"), np.ones((4, 3), complex), np.ones((4, 3), bool)):
        np.save(tmp_path / "fs3.npy", array)
        assert "is no whole NumPy array of numbers" in sentence(read_relevance, tmp_path / "fs3.npy", 4, 3)


def test_relevance_matrix(tmp_path):
    rows = np.arange(12.0).reshape(4, 3)
    np.save(tmp_path / "fs3.npy", rows)
    read = read_relevance(tmp_path / "fs3.npy", 4, 3)
    assert read.dtype == torch.float32
    np.testing.assert_array_equal(read, rows)
    assert "(4, 3), expected (5, 3)" in sentence(read_relevance, tmp_path / "fs3.npy", 5, 3)


def test_latents_of_every_kind_of_file(tmp_path):
    codes = torch.arange(24.0).view(2, 3, 4)
    np.save(tmp_path / "a.npy", codes.numpy().astype(np.float64))
    torch.save(codes, tmp_path / "a.pt")
    torch.save({"w_plus": codes}, tmp_path / "b.pt")
    save_file({"w_plus": codes}, tmp_path / "a.safetensors")
    for name in ("a.npy", "a.pt", "b.pt", "a.safetensors"):
        assert torch.equal(read_codes(tmp_path / name, (3, 4)).codes, codes)
    torch.save(codes[0], tmp_path / "one.pt")
    assert read_codes(tmp_path / "one.pt", (3, 4)).codes.shape == (1, 3, 4)
    assert "(2, 3, 4), expected [N, 3, 5] (W+)" in sentence(read_codes, tmp_path / "a.npy", (3, 5))
    torch.save({"a": codes, "b": codes}, tmp_path / "two.pt")
    assert "no latents" in sentence(read_codes, tmp_path / "two.pt", (3, 4))


def mapper_state(*mappers, size=4):
    shapes = {"weight": (size, size), "bias": (size,)}
    return {
        f"mapper.{mapper}.mapping.{layer}.{name}": torch.ones(shape)
        for mapper in mappers
        for layer in range(1, 5)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize(
    ("mappers", "kind"),
    [
        (("mapping",), "single"),
        (("course_mapping", "medium_mapping"), "levels"),
        (("mapper_0", "mapper_2", "mapper_3"), "style"),
    ],
)
def test_styleclip_mappers(tmp_path, mappers, kind):
    state = mapper_state(*mappers)
    torch.save({"state_dict": state | {"decoder.x": torch.ones(1)}, "opts": {"description": "d"}}, tmp_path / "m.pt")
    read = read_styleclip_mapper(tmp_path / "m.pt")
    assert (read.kind, read.options) == (kind, {"description": "d"})
    assert set(read.state) == {name.removeprefix("mapper.") for name in state}
    del state[f"mapper.{mappers[0]}.mapping.3.weight"]
    torch.save({"state_dict": state}, tmp_path / "m.pt")
    assert f"'{mappers[0]}.mapping.3.weight' (4, 4) is missing" in sentence(read_styleclip_mapper, tmp_path / "m.pt")


def test_other_mappers_are_refused(tmp_path):
    torch.save({"state_dict": mapper_state("coarse_mapping")}, tmp_path / "m.pt")
    assert "'mapper.coarse_mapping' is unexpected" in sentence(read_styleclip_mapper, tmp_path / "m.pt")
    torch.save({"sm_coarse.x": torch.ones(1), "fm_fine.x": torch.ones(1)}, tmp_path / "m.pt")
    assert "looks like a Delta Mapper" in sentence(read_styleclip_mapper, tmp_path / "m.pt")
