from __future__ import annotations

import numpy as np
import pytest
import torch

from eval.judging import picture_file
from eval.judging.picture_file import PictureFile
from eval.pixels import ReadPictures, round_to_8_bit, to_uint8


@pytest.mark.parametrize("in_memory", [2**20, 100])  # bytes; 5 pictures take 960
def test_pictures_come_back_as_they_were_judged(in_memory, monkeypatch, tmp_path):
    monkeypatch.setattr(picture_file, "IN_MEMORY", in_memory)
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path))
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    kept = PictureFile(8)
    kept.append(images[:2])
    kept.append(images[2:])
    assert len(kept) == 5 and kept[:].is_contiguous()
    assert torch.equal(kept[1:4], round_to_8_bit(images)[1:4]) and torch.equal(kept[:], round_to_8_bit(images))
    assert isinstance(kept.levels(), np.memmap) == (in_memory == 100)  # then it needs no memory of its own
    assert np.array_equal(kept.levels(), to_uint8(images))
    assert len(kept[5:]) == 0 and list(tmp_path.iterdir()) == []  # the file has no name


def test_pictures_that_are_read_when_asked_for():
    asked: list[slice] = []

    def read(rows: slice) -> torch.Tensor:
        asked.append(rows)
        return torch.zeros(rows.stop - rows.start, 3, 2, 2)

    pictures = ReadPictures(7, read)
    assert len(pictures) == 7 and asked == []
    assert len(pictures[5:]) == 2 and len(pictures[:3]) == 3
    assert asked == [slice(5, 7, 1), slice(0, 3, 1)]
