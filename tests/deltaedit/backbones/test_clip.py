import pytest
import torch
from torch import nn

from deltaedit.backbones.clip import Clip


class Mean(nn.Module):
    """The mean colour, and a one that keeps black from having no direction."""

    def encode_image(self, images):
        return torch.cat([images.mean((2, 3)), torch.ones(len(images), 1)], 1)


CLIP = Clip(Mean(), tokenizer=lambda texts: torch.zeros(len(texts), 1), resolution=4, mean=(0, 0, 0), std=(1, 1, 1))


def test_pictures_go_from_minus_one_to_one():
    """Black is 0 and white 1 to the model: (0, 0, 0, 1) and (1, 1, 1, 1) / 2 as unit vectors."""
    pictures = torch.stack([torch.full((3, 4, 4), -1.0), torch.full((3, 4, 4), 1.0)])
    assert CLIP.encode_images(pictures).tolist() == [[0, 0, 0, 1], [0.5, 0.5, 0.5, 0.5]]


def test_integers_are_refused_instead_of_seen_as_white():
    with pytest.raises(ValueError, match=r"must be floats in \[-1, 1\]. Got uint8 instead; divide levels"):
        CLIP.encode_images(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
