import io

import numpy as np
import pytest
import torch
from PIL import Image

from eval.cli import main
from eval.commands.lists.domain_label import png


@pytest.mark.parametrize(
    ("name", "answer"),
    [("avatars", "its attributes are known exactly"), ("ffhq", "has no samples of seeds"), ("fhq", "did you mean")],
)
def test_only_faces_are_labelled(tmp_path, capsys, name, answer):
    assert main(["domain", "label", name, "--out", str(tmp_path / "labels.csv")]) == 2
    told = capsys.readouterr().err
    assert answer in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_order_that_is_none(tmp_path, capsys):
    assert main(["domain", "label", "faces", "--out", str(tmp_path / "x.csv"), "--propose", "best"]) == 2
    assert "'boundary', 'yes', 'no'" in capsys.readouterr().err


def test_pictures_go_through_png_unchanged():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(torch.from_numpy(pixels)))))
    np.testing.assert_array_equal(read, pixels.transpose(1, 2, 0))
