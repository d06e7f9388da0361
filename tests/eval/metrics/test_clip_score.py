import numpy as np
import pytest
import torch
from torch.nn import functional as F

from eval.metrics.clip_score import PromptFeatures, clip_score, directional_similarity
from eval.prompts import Prompt


def test_score_is_100_times_the_cosine_and_never_negative():
    images = torch.tensor([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    assert clip_score(images, torch.tensor([1.0, 0.0])).tolist() == pytest.approx([100, 60, 0])


def test_directional_equals_numpy():
    rng = np.random.default_rng(0)
    before, after, text = rng.standard_normal((4, 6)), rng.standard_normal((4, 6)), rng.standard_normal(6)
    delta = after - before
    expected = delta @ text / np.linalg.norm(delta, axis=1) / np.linalg.norm(text)
    assert directional_similarity(*map(torch.from_numpy, (before, after, text))).numpy() == pytest.approx(expected)


def test_no_change_goes_in_no_direction():
    before = F.normalize(torch.ones(2, 3), dim=1)
    after = before.clone()
    after[1] += torch.tensor([1e-7, 0, 0])  # rounding of float32
    assert directional_similarity(before, after, torch.tensor([1.0, 0, 0])).tolist() == [0, 0]
    assert directional_similarity(before, -before, torch.zeros(3)).tolist() == [0, 0]


class _Clip:
    """Encodes a text as its length and its number of words."""

    def encode_texts(self, texts):
        return F.normalize(torch.tensor([[len(text), len(text.split())] for text in texts]).float(), dim=1)


def test_prompt_features_use_the_plain_text_and_the_averaged_delta():
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    prompt = Prompt("hat", "face", "face with hat", "top", "hat")
    features = PromptFeatures.of(_Clip(), prompt)
    assert features.target.numpy() == pytest.approx(np.array([13, 3]) / np.hypot(13, 3))
    means = []
    for text in ("face", "face with hat"):
        lines = [template(text) for template in OPENAI_IMAGENET_TEMPLATES]
        lines.remove(f"a photo of many {text}.")
        vectors = np.array([[len(line), len(line.split())] for line in lines], dtype=float)
        mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
        means.append(mean / np.linalg.norm(mean))
    assert features.delta.numpy() == pytest.approx(means[1] - means[0], abs=1e-6)
