from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from eval.domains.photos.images import Seeds, checked_sources, image_set, place
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
    greys = test.images[:].mean((1, 2, 3))
    assert greys.tolist() == pytest.approx([250 / 127.5 - 1, 90 / 127.5 - 1, 10 / 127.5 - 1], abs=1e-6)
    assert test.images[:].shape == (3, 3, editing.synthesis.resolution, editing.synthesis.resolution)
    assert torch.allclose(test.latents.w_plus[:, 0, 0], greys, atol=1e-6)
    assert torch.equal(torch.cat([*images.batches("test", 3)]), test.images[:])


def test_another_set_of_photographs_has_another_digest(folder, editing):
    before = image_set(folder, editing, "square").digest
    assert image_set(folder, editing, "square").digest == before
    Image.new("RGB", (20, 20)).save(folder / "f.png")
    assert image_set(folder, editing, "square").digest != before


def test_photographs_are_told_apart_by_content_and_not_by_name_and_size(folder, editing, monkeypatch):
    monkeypatch.setenv("DELTABENCH_CACHE", str(folder.parent / "cache"))
    for name in "abcde":
        Image.new("RGB", (20, 20), (ord(name),) * 3).save(folder / f"{name}.bmp")
    before = image_set(folder, editing, "square").digest
    size = (folder / "b.bmp").stat().st_size
    Image.new("RGB", (20, 20), "red").save(folder / "b.bmp")
    assert (folder / "b.bmp").stat().st_size == size
    assert image_set(folder, editing, "square").digest != before
    Image.new("RGB", (20, 20), (ord("b"),) * 3).save(folder / "b.bmp")
    assert image_set(folder, editing, "square").digest == before


def test_every_fault_of_the_used_photographs_is_told_at_once_before_any_work(folder, editing):
    (folder / "b.png").write_bytes(b"")
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes())
    Image.new("RGB", (20, 10)).save(folder / "e.png")
    (folder / "._a.png").write_bytes(b"hidden")
    images = image_set(folder, editing, "square")
    with pytest.raises(UsageError) as told:
        images.check(3, 2)
    empty, double, oblong = str(told.value).splitlines()
    assert "b.png is an empty file" in empty and "e.png is 20 x 10 px" in oblong
    assert "c.png is the same picture as a.png" in double
    assert images.check(1, 0) == [
        f"{folder}: 1 file of other kinds left out: 1 .txt.",
        NOTE,
    ]  # what a run does not read


NOTE = "a.png (20 x 20 px) is resized to 16 x 16."


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
    with pytest.raises(UsageError, match=r"'people' has 3 test images, .* 4 were asked for: run with --images 3"):
        checked_sources(images, "test", 4, "people")


def test_codes_of_a_file_are_edited_without_photographs(tmp_path, editing):
    size = (editing.synthesis.latents, editing.synthesis.w_dim)
    codes = np.random.default_rng(0).standard_normal((6, *size)).astype(np.float32)
    path = tmp_path / "w_plus.npy"
    np.save(path, codes)
    images = image_set(path, editing, "square")
    sources = images.sources("calibration", 2)
    assert images.kind == "codes" and sources.names == ("w_plus-00001", "w_plus-00003")
    assert np.array_equal(sources.latents.w_plus.numpy(), codes[[1, 3]])
    assert torch.equal(sources.images[:], editing.images(sources.latents).clamp(-1, 1))


def test_vectors_of_w_are_codes_and_as_many_as_rows_are_told(tmp_path, editing):
    rows, size = editing.synthesis.latents, editing.synthesis.w_dim
    vectors = np.random.default_rng(0).standard_normal((rows, size)).astype(np.float32)
    np.save(tmp_path / "w.npy", vectors)
    with pytest.raises(UsageError, match=r"holds 1 code \(an array \[L, D\] is one of W\+; .* 4 or more"):
        image_set(tmp_path / "w.npy", editing, "square")
    np.save(tmp_path / "w.npy", vectors[:, None])
    images = image_set(tmp_path / "w.npy", editing, "square")
    assert images.check(1, 1) == [f"w.npy holds {rows} vectors of W, each used for all {rows} rows of W+."]
    assert torch.equal(images.sources("test", 1).latents.w_plus[0], torch.from_numpy(vectors[:1]).expand(rows, -1))


def test_seeds_are_the_same_persons_however_many_are_asked_for(editing):
    seeds = Seeds(editing)
    few, many = seeds.sources("test", 2), seeds.sources("test", 3)
    assert few.names == many.names[:2] == ("seed-10000000", "seed-10000001")
    assert torch.equal(few.images[:], many.images[:2]) and torch.equal(few.latents.s, many.latents.s[:2])
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
