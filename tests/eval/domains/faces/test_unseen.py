"""The unseen texts: words that the CLIPs know, in texts that none of their captions could be."""

import re

import numpy as np
import pytest

from deltaedit.backbones.clip import imagenet_templates
from eval.domains import load_domain
from eval.domains.faces.captions import (
    ADJECTIVES,
    ADULTS,
    ATTRIBUTES,
    CHILDREN,
    NOUNS,
    PHRASES,
    compose,
    known_words,
)
from eval.prompts import check_prompts, load_prompts, other_sets

BEFORE = {word: name for (name, _), words in ADJECTIVES.items() for word in words}
AFTER = {word: name for name, pair in PHRASES.items() for words in pair for word in words}


def could_be_a_caption(text: str) -> bool:
    """Up to two adjectives, a noun, `with PHRASE, PHRASE and PHRASE`, each of another attribute, in a template."""
    forms = [re.escape(template).replace(r"\{\}", "(.*)") for template in ("{}", *imagenet_templates())]
    return any(_is_plain(found[1]) for form in forms if (found := re.fullmatch(form, text)))


def _is_plain(text: str) -> bool:
    start, _, rest = text.partition(" with ")
    *adjectives, noun = start.split(" ")
    said = [BEFORE.get(word) for word in adjectives] + [AFTER.get(part) for part in re.split(", | and ", rest) if rest]
    known = noun in (*NOUNS, *ADULTS, *CHILDREN) and len(adjectives) <= 2
    return known and None not in said and len(set(said)) == len(said)


def test_what_could_be_a_caption_is_told():
    rng = np.random.default_rng(0)
    for _ in range(200):
        claim = np.where(rng.random(len(ATTRIBUTES)) < 0.2, rng.integers(0, 2, len(ATTRIBUTES)), -1)
        text, _ = compose(claim, rng, imagenet_templates())
        assert could_be_a_caption(text), text
    for text in ("face with beard and facial hair", "happy smiling face", "face in glasses"):
        assert not could_be_a_caption(text)


@pytest.fixture(scope="module")
def prompts():
    return load_prompts(other_sets("faces")["unseen"])


def test_no_unseen_text_could_be_a_caption_and_every_word_is_known(prompts):
    domain = load_domain("faces")
    check_prompts(prompts, domain.factors)
    wanted = [(prompt.attribute, prompt.value) for prompt in domain.prompts]
    assert [(prompt.attribute, prompt.value) for prompt in prompts] == wanted
    assert not {prompt.name for prompt in prompts} & {prompt.name for prompt in domain.prompts}
    for prompt in prompts:
        assert not could_be_a_caption(prompt.target), prompt.target
        assert set(prompt.target.split()) <= known_words(imagenet_templates())
