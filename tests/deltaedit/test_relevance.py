import types

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.latents import Latents
from deltaedit.relevance import channel_statistics, domain_relevance, relevance_matrix


def one_by_one(domain, latents, mean, std, sigmas):
    """R_s by the released procedure: every channel, image and sign from the 4 px constant, numpy for the rest."""
    rows = []
    for channel in range(latents.s.shape[1]):
        differences = []
        for k in range(len(latents)):
            features = []
            for sign in (1, -1):
                s = latents.s[k : k + 1].clone()
                s[0, channel] = mean[channel] + sign * sigmas * std[channel]
                image = domain.synthesis.synthesize(s, latents.s_rgb[k : k + 1])
                features.append(domain.clip.encode_images(image)[0].double().numpy())
            difference = features[0] - features[1]
            differences.append(difference / np.linalg.norm(difference))
        row = np.mean(differences, 0)
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_rows_are_those_of_the_channel_by_channel_procedure(tiny_domain, batch):
    domain = tiny_domain.editing
    mean, std = channel_statistics(domain.sample, 50, 0)
    latents = domain.sample(5, 0)
    with torch.no_grad():
        wanted = one_by_one(domain, latents, mean, std, 2.0)
    got = relevance_matrix(domain.synthesis, domain.clip, latents, mean, std, 2.0, batch)
    assert got.shape == (40, 8)
    cosines = (got.double().numpy() * wanted).sum(1)
    assert cosines.min() > 1 - 1e-4  # differences of nearly equal float32 features


class PixelClip:
    """Unit features that are a fixed random projection of the pixels."""

    def __init__(self, side_px):
        self.projection = torch.randn(3 * side_px**2, 7, generator=torch.Generator().manual_seed(1))

    def encode_images(self, images):
        return F.normalize(images.flatten(1) @ self.projection, dim=1)


@pytest.mark.parametrize("batch", [1, 6])
def test_large_maps_one_by_one_and_chosen_channels(batch):
    """128 px: above 32 px images are made one by one on the state below the changed channel."""
    torch.manual_seed(0)
    synthesis = FastStyleGAN2(128, (4, 4, 3, 3, 2, 2), 5).eval()
    for layer in synthesis.convs:
        torch.nn.init.normal_(layer.bias)
    clip = PixelClip(128)
    domain = types.SimpleNamespace(synthesis=synthesis, clip=clip)
    latents = Latents.from_w_plus(synthesis, torch.randn(3, synthesis.latents, 5))
    mean, std = torch.zeros(synthesis.s_size), torch.ones(synthesis.s_size)
    channels = torch.cat([torch.arange(at.start, at.stop, 2) for at in synthesis.layout])
    with torch.no_grad():
        wanted = one_by_one(domain, latents, mean, std, 2.0)
    got = relevance_matrix(synthesis, clip, latents, mean, std, 2.0, batch, channels=channels)
    assert len(got) == len(channels) < synthesis.s_size
    np.testing.assert_allclose(got.numpy(), wanted[channels], atol=2e-4)


def test_statistics_are_those_of_numpy(tiny_domain):
    sample = tiny_domain.editing.sample
    mean, std = channel_statistics(sample, 1100, 3)
    s = torch.cat([sample(1000, 3).s, sample(100, 4).s]).double().numpy()
    np.testing.assert_allclose(mean, s.mean(0), rtol=1e-5)
    np.testing.assert_allclose(std, s.std(0), rtol=1e-4)


def test_a_channel_without_effect_has_a_row_of_zeros(tiny_domain):
    domain = tiny_domain.editing
    mean, std = channel_statistics(domain.sample, 20, 0)
    std[3] = 0.0
    rows = relevance_matrix(domain.synthesis, domain.clip, domain.sample(2, 0), mean, std)
    assert rows[3].tolist() == [0.0] * 8
    assert torch.allclose(rows[4].norm(), torch.tensor(1.0))


def test_progress_ends_at_all(tiny_domain):
    domain, seen = tiny_domain.editing, []
    mean, std = channel_statistics(domain.sample, 20, 0)
    latents = domain.sample(4, 0)
    before = latents.s.clone()
    relevance_matrix(
        domain.synthesis, domain.clip, latents, mean, std, batch=4, report=lambda done, end: seen.append((done, end))
    )
    assert seen[-1] == (80, 80)  # 40 channels, twice: two blocks of two images
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert torch.equal(latents.s, before)


def test_the_artefact_is_computed_once_and_depends_on_its_parameters(tiny_domain):
    domain = tiny_domain.editing
    first = domain_relevance(domain, images=3, statistics=20)
    again = domain_relevance(domain, images=3, statistics=20)
    other = domain_relevance(domain, images=4, statistics=20)
    assert first.built_here
    assert other.built_here
    assert not again.built_here
    assert set(first.tensors) == {"relevance", "mean", "std"}
    assert all(torch.equal(first.tensors[name], again.tensors[name]) for name in first.tensors)
    assert first.cost_s > 0


@pytest.mark.parametrize("images", [0, -1])
def test_no_images_are_refused(tiny_domain, images):
    domain = tiny_domain.editing
    none = Latents(torch.zeros(0, 6, 8), torch.zeros(0, 40), torch.zeros(0, 24))
    with pytest.raises(ValueError, match=r"'latents' parameter .* Got 0 instead"):
        relevance_matrix(domain.synthesis, domain.clip, none, torch.zeros(40), torch.ones(40))
    with pytest.raises(ValueError, match="'count' parameter"):
        channel_statistics(domain.sample, images, 0)
