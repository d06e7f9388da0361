import numpy as np
import pytest
import torch

from deltaedit.backbones.clip import imagenet_templates
from deltaedit.text import condition, direction, text_delta, text_feature
from deltaedit.variants import VARIED_TEXTS, arm_direction, text_centre


def unit(x):
    return x / np.linalg.norm(x)


def test_there_are_79_templates():
    templates = imagenet_templates()
    assert len(templates) == len(set(templates)) == 79
    assert "a photo of many {}." not in templates
    assert all(template.count("{}") == 1 for template in templates)


def test_text_feature_is_the_unit_mean_over_templates(tiny_domain):
    clip = tiny_domain.editing.clip
    patterns = ("a {}.", "the nice {}.", "art of {}")
    each = [clip.encode_texts([pattern.format("face")])[0].numpy() for pattern in patterns]
    np.testing.assert_allclose(text_feature(clip, "face", patterns), unit(np.mean(each, 0)), rtol=1e-5)
    np.testing.assert_allclose(text_feature(clip, "face", ("{}",)), clip.encode_texts(["face"])[0], rtol=1e-5)


def test_text_delta_is_target_minus_source_and_not_normalised(tiny_domain):
    clip = tiny_domain.editing.clip
    delta = text_delta(clip, "face", "face with glasses", ("{}",))
    source, target = clip.encode_texts(["face", "face with glasses"]).numpy()
    np.testing.assert_allclose(delta, target - source, atol=1e-6)
    assert abs(float(delta.norm()) - 1) > 0.01


def test_text_centre_is_the_mean_of_source_and_varied_texts(tiny_domain):
    clip = tiny_domain.editing.clip
    features = [clip.encode_texts([text.format("cat")])[0].numpy() for text in ("{}", *VARIED_TEXTS)]
    np.testing.assert_allclose(text_centre(clip, "cat", ("{}",)), np.mean(features, 0), atol=1e-6)
    assert len(VARIED_TEXTS) == 16


def test_direction_of_each_arm():
    rng = np.random.default_rng(0)
    source, target = (np.stack([unit(row) for row in rng.normal(size=(3, 5))]) for _ in range(2))
    centre = rng.normal(size=5) * 0.1
    wanted = {
        "delta": np.stack([unit(row) for row in target - source]),
        "raw": target,
        "centred": np.stack([unit(row) for row in target - centre]),
    }
    for arm, rows in wanted.items():
        s, t, c = (torch.from_numpy(x) for x in (source, target, centre))
        got = direction(t - s) if arm == "delta" else arm_direction(arm, t, c)
        np.testing.assert_allclose(got, rows, rtol=1e-12)


def test_equal_source_and_target_give_no_direction_and_no_nan():
    feature = torch.tensor([[0.6, 0.8]])
    assert direction(feature - feature).tolist() == [[0.0, 0.0]]


def test_an_unknown_arm_is_refused():
    with pytest.raises(ValueError, match=r"must be one of delta, raw, centred, pseudo-text\. Got 'deltas' instead"):
        arm_direction("deltas", torch.ones(2), torch.zeros(2))


def test_condition_copies_one_direction_to_every_image():
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert condition(features, torch.tensor([5.0, 6.0])).tolist() == [[1, 2, 5, 6], [3, 4, 5, 6]]
    assert condition(features, features + 4).tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]
