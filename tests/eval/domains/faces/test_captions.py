import numpy as np
import pytest
from torch import nn

from deltaedit.backbones.clip import Clip, imagenet_templates
from eval.domains.faces.captions import (
    ADJECTIVES,
    ATTRIBUTES,
    PHRASES,
    caption_batch,
    compose,
    corpus,
    known_words,
    truth,
)

WORDS = {  # what a caption says, read by hand-written rules: word -> (attribute, value)
    **{word: (name, value) for name, pair in PHRASES.items() for value, words in enumerate(pair) for word in words},
    **{word: key for key, words in ADJECTIVES.items() for word in words},
}


def row(**values):
    return np.array([values.get(name, -1) for name in ATTRIBUTES])


def test_a_caption_claims_what_its_words_say():
    rng = np.random.default_rng(0)
    for _ in range(200):
        claim = np.where(rng.random(len(ATTRIBUTES)) < 0.3, rng.integers(0, 2, len(ATTRIBUTES)), -1)
        text, said = compose(claim, rng)
        before, _, after = text.partition(" with ")
        told = [*before.split()[:-1], *after.replace(" and ", ", ").split(", ")]
        for words in filter(None, told):
            name, value = WORDS[words]
            assert said[ATTRIBUTES.index(name)] == value
        named = (said >= 0) & (claim >= 0)
        assert (said[named] == claim[named]).all()


def test_men_women_and_children():
    rng = np.random.default_rng(1)
    texts = {compose(row(male=1, child=0), rng)[0].split()[-1] for _ in range(50)}
    assert "man" in texts and not {"woman", "boy", "girl"} & texts
    said = [said for text, said in (compose(row(male=0, child=1), rng) for _ in range(50)) if text.endswith("girl")]
    assert said and all(s[ATTRIBUTES.index("child")] == 1 and s[ATTRIBUTES.index("male")] == 0 for s in said)


def test_truth_by_hand():
    values = np.stack([row(glasses=1, beard=0), row(glasses=0), row()])
    claims = np.stack([row(), row(glasses=1), row(glasses=1, beard=0)])
    true, false = truth(values, claims)
    np.testing.assert_array_equal(true, [[1, 1, 1], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(false, [[0, 0, 0], [0, 1, 1], [0, 0, 0]])


def test_captions_of_a_batch_are_true_of_their_faces():
    rng = np.random.default_rng(2)
    values = rng.integers(-1, 2, (40, len(ATTRIBUTES)))
    captions = caption_batch(values, 10, rng, imagenet_templates())
    true, false = truth(values, captions.claims)
    assert len(captions.texts) == 50
    assert not false[range(40), range(40)].any() and true[range(40), range(40)].all()


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("face with glasses", []),
        ("Face, with GLASSES and a beard!", []),
        ("face with purple sunglasses and purple hair", ["purple", "sunglasses"]),
        ("戴眼镜的脸", ["戴眼镜的脸"]),
    ],
)
def test_words_that_no_caption_had(text, unknown):
    clip = Clip(nn.Identity(), list, 8, words=known_words(imagenet_templates()))
    assert clip.unknown_words(text) == unknown and Clip(nn.Identity(), list, 8).unknown_words(text) == []


def test_every_word_of_the_prompts_is_known():
    from pathlib import Path

    import eval.domains.faces.domain as domain
    from eval.prompts import load_prompts

    clip = Clip(nn.Identity(), list, 8, words=known_words(imagenet_templates()))
    for prompt in load_prompts(Path(domain.__file__).with_name("prompts.toml")):
        assert clip.unknown_words(f"{prompt.source} {prompt.target}") == []
        assert prompt.value in domain.FACTORS[prompt.attribute]
    assert len(corpus(())) > 1000
