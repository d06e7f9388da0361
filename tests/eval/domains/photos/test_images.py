from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from eval.domains.photos.images import Seeds, checked_sources, image_set, place, read_photograph
from eval.errors import UsageError


class Halves(nn.Module):
    """Encoder: the mean colour of the picture in the first numbers of every row."""

    def __init__(self, rows, size):
        super().__init__()
        self.rows, self.size = rows, size

    def forward(self, images):
        codes = torch.zeros(len(images), self.rows, self.size)
        codes[:, :, :3] = images.mean((2, 3))[:, None]
        return codes


@pytest.fixture
def editing(tiny_domain):
    synthesis = tiny_domain.editing.synthesis
    return replace(tiny_domain.editing, encoder=Halves(synthesis.latents, synthesis.w_dim))


@pytest.fixture
def folder(tmp_path):
    """Five grey squares, darker and darker, their names not in the order of their making."""
    path = tmp_path / "photographs"
    path.mkdir()
    for name, grey in (("c", 90), ("a", 250), ("e", 10), ("b", 170), ("d", 50)):
        Image.new("RGB", (20, 20), (grey,) * 3).save(path / f"{name}.png")
    (path / "notes.txt").write_text("no photograph")
    return path


def test_halves_are_disjoint_and_in_the_order_of_names(folder, editing):
    images = image_set(folder, editing, "square")
    assert (images.kind, images.count("test"), images.count("calibration")) == ("photographs", 3, 2)
    test, calibration = images.sources("test", 3), images.sources("calibration", 9)
    assert test.names == ("a.png", "c.png", "e.png") and calibration.names == ("b.png", "d.png")
    greys = test.images.mean((1, 2, 3))
    assert greys.tolist() == pytest.approx([250 / 127.5 - 1, 90 / 127.5 - 1, 10 / 127.5 - 1], abs=1e-6)
    assert test.images.shape == (3, 3, editing.synthesis.resolution, editing.synthesis.resolution)
    assert torch.allclose(test.latents.w_plus[:, 0, 0], greys, atol=1e-6)
    assert torch.equal(torch.cat([*images.batches("test", 3)]), test.images)


def test_another_set_of_photographs_has_another_digest(folder, editing):
    before = image_set(folder, editing, "square").digest
    assert image_set(folder, editing, "square").digest == before
    Image.new("RGB", (20, 20)).save(folder / "f.png")
    assert image_set(folder, editing, "square").digest != before


def test_too_few_photographs_and_no_encoder(folder, editing):
    with pytest.raises(UsageError, match="has no encoder"):
        image_set(folder, replace(editing, encoder=None), "square")
    (folder / "a.png").unlink()
    (folder / "b.png").unlink()
    with pytest.raises(UsageError, match=r"holds 3 photographs; 4 or more"):
        image_set(folder, editing, "square")


def test_more_test_images_than_there_are(folder, editing):
    images = image_set(folder, editing, "square")
    assert len(checked_sources(images, "calibration", 50, "people")) == 2
    with pytest.raises(UsageError, match=r"'people' has 3 test images, 4 were asked for .* --images 3"):
        checked_sources(images, "test", 4, "people")


def test_photographs_must_be_square_or_are_cut(tmp_path):
    path = tmp_path / "wide.png"
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 255
    Image.fromarray(picture).save(path)
    with pytest.raises(UsageError, match=r"wide.png is 30 x 10 px; photographs must be square"):
        read_photograph(path, 10)
    assert torch.equal(read_photograph(path, 10, "centre"), torch.ones(3, 10, 10))


def test_what_is_no_image_is_named(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"broken.png is no image"):
        read_photograph(path, 10)


def test_codes_of_a_file_are_edited_without_photographs(tmp_path, editing):
    size = (editing.synthesis.latents, editing.synthesis.w_dim)
    codes = np.random.default_rng(0).standard_normal((6, *size)).astype(np.float32)
    path = tmp_path / "w_plus.npy"
    np.save(path, codes)
    images = image_set(path, editing, "square")
    sources = images.sources("calibration", 2)
    assert images.kind == "codes" and sources.names == ("w_plus-00001", "w_plus-00003")
    assert np.array_equal(sources.latents.w_plus.numpy(), codes[[1, 3]])
    assert torch.equal(sources.images, editing.images(sources.latents).clamp(-1, 1))


def test_seeds_are_the_same_persons_however_many_are_asked_for(editing):
    seeds = Seeds(editing)
    few, many = seeds.sources("test", 2), seeds.sources("test", 3)
    assert few.names == many.names[:2] == ("seed-10000000", "seed-10000001")
    assert torch.equal(few.images, many.images[:2]) and torch.equal(few.latents.s, many.latents.s[:2])
    assert set(many.names).isdisjoint(seeds.sources("calibration", 3).names)
    assert seeds.count("test") is None


def test_where_images_are(tmp_path, monkeypatch):
    monkeypatch.delenv("DELTABENCH_IMAGES", raising=False)
    assert place("people", None) is None
    monkeypatch.setenv("DELTABENCH_IMAGES", str(tmp_path))
    assert place("people", None) is None
    (tmp_path / "people").mkdir()
    assert place("people", None) == tmp_path / "people"
    assert place("people", tmp_path) == tmp_path
    with pytest.raises(UsageError, match="There is no folder"):
        place("people", tmp_path / "none")
