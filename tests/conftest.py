"""A whole domain in miniature: random networks of exact seeds, 16 px, three factors, three prompts."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain, LabelledCodes, TrainingSet
from eval.domains.base import Judges, Sources
from eval.prompts import Prompt

os.environ.setdefault("DELTABENCH_DEVICE", "cpu")  # expected values are the CPU's, also where there is a GPU

# A loaded machine is slow, not wrong: no test by examples fails for the time that it takes.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

FACTORS = {"glasses": ("none", "some"), "hair": ("black", "blond", "red"), "mouth": ("flat", "smile")}
PROMPTS = (
    Prompt("glasses", "face", "face with glasses", "glasses", "some"),
    Prompt("red-hair", "face", "face with red hair", "hair", "red"),
    Prompt("smile", "face", "face with smile", "mouth", "smile"),
)
SIDE_PX, W_DIM = 16, 8
CODE_SIZE = sum(map(len, FACTORS.values())) + 2  # one-hot factors and two numbers of geometry


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _randomise(network: nn.Module, seed: int) -> nn.Module:
    """Fill every parameter from its own seed, whatever the global generator holds; freeze."""
    generator = _generator(seed)
    for parameter in network.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        scale = 1 / fan_in**0.5 if parameter.dim() > 1 else 0.1
        parameter.data = torch.randn(parameter.shape, generator=generator) * scale
    return network.eval().requires_grad_(False)


class _TinyClipModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, 4)
        self.head = nn.Linear(8 * 4, 8)
        self.words = nn.Embedding(64, 8)

    def encode_image(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(F.adaptive_avg_pool2d(self.conv(images), 2)).flatten(1) * 3)

    def encode_text(self, tokens: Tensor) -> Tensor:
        return self.words(tokens).mean(1)


def _tokenize(texts: list[str]) -> Tensor:
    """Each word to one of 64 numbers, twelve a text."""
    rows = [[int(hashlib.md5(word.encode()).hexdigest(), 16) % 64 for word in text.split()][:12] for text in texts]
    return torch.tensor([row + [0] * (12 - len(row)) for row in rows])


class _TinyEncoder(nn.Module):
    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = latents
        self.head = nn.Linear(3 * 8 * 8, latents * W_DIM)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(F.adaptive_avg_pool2d(images, 8).flatten(1) * 4).view(-1, self.latents, W_DIM)


class _Features(nn.Module):
    """Image -> [N, size] through one hidden layer, centred on a reference image so that the signs are mixed."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * 8 * 8, 32)
        self.head = nn.Linear(32, size)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(self.hidden(F.adaptive_avg_pool2d(images, 8).flatten(1) * 8)) * 3)


def _feature_network(size: int, seed: int, centre: Tensor) -> Callable[[Tensor], Tensor]:
    network = _randomise(_Features(size), seed).to(centre.device)
    offset = network(centre).mean(0)
    return lambda images: network(images) - offset


class TinyDomain:
    """See ``eval.domains.base.Domain``. ``counterfactuals`` are what the generator makes of the changed factors."""

    name = "tiny"
    factors = FACTORS
    prompts = PROMPTS
    editing: EditingDomain
    judges: Judges

    def __init__(self, cache: Path, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.fingerprints = {"generator": "1" * 64, "encoder": "2" * 64, "judge": "3" * 64}
        self.synthesis = FastStyleGAN2(SIDE_PX, (8, 8, 8), W_DIM)
        _randomise(self.synthesis, 1)
        for layer in [*self.synthesis.convs, *self.synthesis.to_rgbs]:
            layer.affine.bias.data += 1  # styles around 1, as StyleGAN2 starts
        for layer in self.synthesis.to_rgbs:
            layer.conv.weight.data *= 8  # pictures of some contrast
        self.synthesis.to(self.device)
        self.mapping = torch.randn(CODE_SIZE, W_DIM, generator=_generator(2)).to(self.device)
        encoder = _randomise(_TinyEncoder(self.synthesis.latents), 3).to(self.device)
        centre = self._images(*self._portraits(32, 4))
        identity = _feature_network(6, 5, centre)
        perceptual = nn.Conv2d(3, 4, 3)
        _randomise(perceptual, 6).to(self.device)
        self.editing = EditingDomain(
            name=self.name,
            synthesis=self.synthesis,
            encoder=encoder,
            clip=Clip(_randomise(_TinyClipModel(), 7), _tokenize, SIDE_PX).to(self.device),
            sample=self._sample,
            training_set=self._training_set,
            artefacts=Artefacts(cache, device=self.device),
            fingerprint="4" * 64,
            device=self.device,
            identity=lambda images: F.normalize(identity(images), dim=1),
            perceptual=lambda images: [perceptual(images)],
            labelled=self._labelled,
        )
        self.judges = self._judges(centre)

    def _judges(self, centre: Tensor) -> Judges:
        logits = _feature_network(CODE_SIZE - 2, 8, centre)
        sizes = [len(values) for values in FACTORS.values()]
        identity = _feature_network(5, 9, centre)

        def attributes(images: Tensor) -> dict[str, Tensor]:
            return dict(zip(FACTORS, logits(images).split(sizes, 1), strict=True))

        sigma = {factor: attributes(centre)[factor].std(0) + 0.1 for factor in FACTORS}
        return Judges(
            attributes=attributes,
            sigma=sigma,
            clip=Clip(_randomise(_TinyClipModel(), 10), _tokenize, SIDE_PX).to(self.device),
            identity=lambda images: F.normalize(identity(images), dim=1),
            identity_floor=0.1,
            identity_ceiling=0.9,
            frechet=_feature_network(6, 11, centre),
            frechet_name="fd_tiny",
            fingerprints={"judge": "3" * 64},
        )

    def _portraits(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Factor values int64 [count, 3] and geometry [count, 2]; a smaller count gives the first of the same."""
        rows = [_generator(seed * 1000 + i) for i in range(count)]
        values = [[int(torch.randint(len(v), (), generator=g)) for v in FACTORS.values()] for g in rows]
        return torch.tensor(values), torch.stack([torch.randn(2, generator=g) for g in rows])

    def _latents(self, values: Tensor, geometry: Tensor, noise: float = 0.0) -> Latents:
        blocks = [F.one_hot(values[:, i], len(v)).float() for i, v in enumerate(FACTORS.values())]
        w = torch.cat([*blocks, geometry * 0.5], 1).to(self.device) @ self.mapping
        w = w + noise * torch.randn(w.shape[1], generator=_generator(12)).to(self.device)
        return Latents.from_w_plus(self.synthesis, w[:, None].repeat(1, self.synthesis.latents, 1))

    def _images(self, values: Tensor, geometry: Tensor) -> Tensor:
        latents = self._latents(values, geometry)
        return self.synthesis.synthesize(latents.s, latents.s_rgb).clamp(-1, 1)

    def _sample(self, count: int, seed: int) -> Latents:
        return self._latents(*self._portraits(count, 100 + seed))

    def _training_set(self) -> TrainingSet:
        latents = self._sample(64, 0)
        return TrainingSet(latents.s, self.editing.image_features(latents), ("sampled",) * 64, latents.w_plus)

    def _labelled(self) -> LabelledCodes:
        values, geometry = self._portraits(200, 23)
        labels = dict(zip(FACTORS, values.unbind(1), strict=True))
        return LabelledCodes(self._latents(values, geometry).w_plus[:, 0].clone(), labels, FACTORS)

    def _people(self, which: str, count: int) -> tuple[Tensor, Tensor]:
        return self._portraits(count, {"test": 21, "calibration": 22}[which])

    def _sources(self, which: str, count: int) -> Sources:
        values, geometry = self._people(which, count)
        names = tuple(f"{which}-{i:04d}" for i in range(count))
        return Sources(names, self._images(values, geometry), self._latents(values, geometry, 0.05), values.numpy())

    def test_sources(self, count: int) -> Sources:
        return self._sources("test", count)

    def calibration_sources(self, count: int) -> Sources:
        return self._sources("calibration", count)

    def counterfactuals(self, sources: str, count: int, prompt: Prompt) -> Tensor | None:
        values, geometry = self._people(sources, count)
        values[:, list(FACTORS).index(prompt.attribute)] = FACTORS[prompt.attribute].index(prompt.value)
        return self._images(values, geometry)

    def visible(self, sources: str, count: int, prompt: Prompt) -> np.ndarray | None:
        """The mouth of red-haired persons is hidden, unless the prompt is about it."""
        values, _ = self._people(sources, count)
        seen = np.ones((count, len(FACTORS)), dtype=bool)
        if prompt.attribute != "mouth":
            seen[:, 2] = values[:, 1].numpy() != FACTORS["hair"].index("red")
        return seen

    def region(self, sources: str, count: int, prompt: Prompt) -> np.ndarray:
        """The upper half for hair and glasses, the lower half for the mouth."""
        inside = np.zeros((SIDE_PX, SIDE_PX), dtype=bool)
        half = slice(SIDE_PX // 2, None) if prompt.attribute == "mouth" else slice(None, SIDE_PX // 2)
        inside[half] = True
        return inside


def build_tiny_domain(cache: Path, device: torch.device | str = "cpu") -> TinyDomain:
    """The domain, its artefacts in ``cache``; the same numbers in every process."""
    return TinyDomain(cache, device)


@pytest.fixture(scope="session", autouse=True)
def _no_power_cut() -> Iterator[None]:
    """Files need not survive one here: a run syncs hundreds of them, which takes seconds on a slow disk.

    Nor does a slow machine say what it is at, which would be one more line beside those that a test counts.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        patch.setattr("eval.progress.PATIENCE_S", 3600.0)
        yield


@pytest.fixture
def tiny_domain(tmp_path: Path) -> TinyDomain:
    """A full Domain of tiny random networks that always have the same weights."""
    return build_tiny_domain(tmp_path / "artefacts")


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium, driven by playwright; without one the tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no Chromium on the PATH ({', '.join(BROWSERS)}) or in $CHROMIUM")
    with playwright.sync_playwright() as driver:
        profile = tmp_path_factory.mktemp("profile")
        context = driver.chromium.launch_persistent_context(
            str(profile), executable_path=path, args=list(BROWSER_FLAGS)
        )
        yield context
        context.close()
