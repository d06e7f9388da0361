import numpy as np
import torch

from deltaedit.backbones.clip import imagenet_templates
from eval.domains.avatars.captions import caption_batch, compose, phrase, truth
from eval.domains.avatars.factors import FACTOR_NAMES, FACTORS, VALUES, sample_portraits
from eval.domains.avatars.networks import MERGES_FILE
from eval.domains.vocabulary import learn_merges, tokenizer


def claim(**values):
    row = np.full((1, len(FACTOR_NAMES)), -1)
    for factor, value in values.items():
        row[0, FACTOR_NAMES.index(factor)] = VALUES[factor].index(value)
    return row


def verdict(people, **values):
    true, false = truth(people, claim(**values))
    return {(True, False): "true", (False, True): "false", (False, False): "unknown"}[
        bool(true[0, 0]), bool(false[0, 0])
    ]


def test_a_caption_is_true_false_or_unknown():
    plain = {"skin": "pale", "top": "bald", "facial_hair": "none", "hair_color": "red", "accessories": "glasses"}
    bald = sample_portraits(1, 0).changed(plain)
    assert verdict(bald) == "true"  # "face"
    assert verdict(bald, skin="pale", accessories="glasses") == "true"
    assert verdict(bald, skin="dark") == "false"
    assert verdict(bald, hair_color="red") == "unknown"  # nobody sees the hair
    assert verdict(bald, hair_color="black") == "unknown"
    assert verdict(bald, hair_color="red", skin="dark") == "false"


def test_every_portraits_own_caption_is_true_of_it():
    people = sample_portraits(80, 1)
    captions = caption_batch(people, 20, np.random.default_rng(0), imagenet_templates())
    true, false = truth(people, captions.claims)
    assert len(captions.texts) == 100 and true.shape == (80, 100)
    assert true[np.arange(80), np.arange(80)].all()
    assert not (true & false).any()


def test_captions_say_what_they_claim():
    rng = np.random.default_rng(2)
    row = claim(accessories="glasses", hair_color="red")[0]
    for _ in range(20):
        text = compose(row, rng)
        assert any(words in text for words in FACTORS["accessories"]["glasses"])
        assert any(words in text for words in FACTORS["hair_color"]["red"])
    assert compose(claim()[0], rng).isalpha()


def test_the_first_phrase_is_the_canonical_one():
    assert phrase("top", "winter_hat") == "winter hat"


def test_no_two_values_share_a_phrase():
    phrases = [words for values in FACTORS.values() for names in values.values() for words in names]
    assert len(set(phrases)) == len(phrases)


def test_merges_of_a_corpus_that_one_can_do_by_hand():
    # a b </w> three times, b c </w> once: (a, b</w>) is the most frequent pair, then (b, c</w>)
    assert learn_merges(["ab ab ab bc"], 5) == [("a", "b</w>"), ("b", "c</w>")]


def test_the_shipped_vocabulary_spells_all_prompts_within_the_context():
    encode = tokenizer(MERGES_FILE)
    tokens = encode(["face with receding hairline", "a photo of my face with angry eyebrows."])
    assert tokens.shape == (2, 32) and tokens.dtype == torch.int64
    assert (tokens[:, -1] == 0).all()  # nothing was cut off
    assert not torch.equal(tokens[0], tokens[1])
