import numpy as np
import pytest
import torch

from deltaedit.backbones.stylegan2 import StyleGAN2, config_f
from deltaedit.mapper import DeltaMapper
from deltaedit.tools.errors import CheckpointError
from eval.weights.verdict import verdict


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((6048, 512), "R_s of a 1024 px generator"),
        ((7, 5760), "styles of 7 images of a 256 px generator"),
        ((7, 512), "features of 7 images"),
        ((7, 16, 512), "W+ codes of 7 images of a 512 px generator"),
        ((7,), "an array of 7 numbers"),
    ],
)
def test_arrays_are_told_by_their_size(tmp_path, shape, words):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    torch.save(torch.zeros(shape), tmp_path / "x.pt")
    assert words in verdict(tmp_path / "x.npy") and words in verdict(tmp_path / "x.pt")


def test_a_delta_mapper_is_told_with_its_generator(tmp_path):
    with torch.device("meta"):
        state = DeltaMapper(StyleGAN2(256, config_f(256), 512).layout, 512).state_dict()
    # The weights are left out: only the widths are looked at.
    small = {name: torch.zeros(t.shape if name.endswith("bias") else (1,)) for name, t in state.items()}
    torch.save(small, tmp_path / "net.pth")
    assert verdict(tmp_path / "net.pth") == (
        "a Delta Mapper with levels of 512, 512 and 2176 styles, for a 256 px generator"
    )
    del small["fm_fine.mapping.3.bias"]
    torch.save(small, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"'fm_fine\.mapping\.3\.bias' is missing"):
        verdict(tmp_path / "net.pth")


def test_a_clip_is_told_by_its_patches(tmp_path):
    state = {
        "visual.conv1.weight": torch.zeros(1024, 3, 14, 14),
        "visual.class_embedding": torch.zeros(1024),
        "transformer.x": torch.zeros(1),
    }
    torch.save(state, tmp_path / "clip.pt")
    assert verdict(tmp_path / "clip.pt") == "a CLIP model (ViT-L/14)"


def test_what_is_no_weight_file_is_one_sentence(tmp_path):
    (tmp_path / "page.pt").write_text("<!DOCTYPE html><html>too many downloads</html>")
    with pytest.raises(CheckpointError, match="is no weight file; it looks like a web page"):
        verdict(tmp_path / "page.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="holds a list"):
        verdict(tmp_path / "list.pt")
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(CheckpointError, match="damaged or truncated"):
        verdict(tmp_path / "short.npy")
