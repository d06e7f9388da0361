from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deltaedit.backbones.derivatives import feature_derivatives
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.relevance import domain_relevance


class PixelClip:
    """Unit features that are a fixed random projection of the pixels."""

    def encode_images(self, images):
        projection = torch.randn(3 * 16**2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        return F.normalize(images.flatten(1) @ projection, dim=1)


def test_derivatives_are_the_central_differences():
    torch.manual_seed(0)
    synthesis = StyleGAN2(16, (4, 4, 3), 6).double().eval()
    latents = Latents.from_w_plus(synthesis, torch.randn(2, synthesis.latents, 6, dtype=torch.float64))
    latents = Latents(latents.w_plus, latents.s.detach(), latents.s_rgb.detach())
    seen, errors, h = [], [], 1e-3  # kernels are normalised in single precision, so not smaller
    found = list(feature_derivatives(synthesis, PixelClip(), latents, lambda done, end: seen.append((done, end))))
    for row, derivative in enumerate(found):
        assert derivative.shape == (synthesis.s_size, 5)
        for channel in range(synthesis.s_size):
            features = []
            for sign in (1, -1):
                s = latents.s[row : row + 1].clone()
                s[0, channel] += sign * h
                with torch.no_grad():
                    image = synthesis.synthesize(s, latents.s_rgb[row : row + 1])
                    features.append(PixelClip().encode_images(image)[0].numpy())
            wanted = (features[0] - features[1]) / (2 * h)
            errors.append(np.linalg.norm(derivative[channel].numpy() - wanted) / np.linalg.norm(wanted))
    assert np.median(errors) < 0.005
    assert max(errors) < 0.1  # where a leaky ReLU has its kink within the step
    assert (len(found), seen[-1]) == (2, (10, 10))
    assert not latents.s.requires_grad


@pytest.mark.parametrize("images", [1, 3])
def test_relevance_by_derivative_is_the_unit_mean_of_unit_rows(tiny_domain, images):
    domain = replace(tiny_domain.editing, relevance_by_derivative=images)
    found = feature_derivatives(domain.synthesis, domain.clip, domain.sample(images, 0))
    rows = np.stack([each.numpy() for each in found])
    mean = (rows / np.linalg.norm(rows, axis=2, keepdims=True)).mean(0)
    got = domain_relevance(domain, statistics=20).tensors["relevance"]
    np.testing.assert_allclose(got, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)
