"""The unseen texts: words that the CLIPs know, in texts that none of their captions could be."""

import re

from deltaedit.backbones.clip import imagenet_templates
from eval.domains import load_domain
from eval.domains.avatars.captions import NOUNS, corpus
from eval.domains.avatars.factors import FACTORS
from eval.prompts import check_prompts, load_prompts, other_sets
from eval.runs.request import RunRequest, plan_run

PHRASES = {words: factor for factor, values in FACTORS.items() for names in values.values() for words in names}


def could_be_a_caption(text: str) -> bool:
    """`NOUN with PHRASE, PHRASE and PHRASE`, each of another factor, as ``captions.compose`` spells them."""
    if text in NOUNS:
        return True
    noun, _, rest = text.partition(" with ")
    parts = re.split(", | and ", rest)
    factors = [PHRASES.get(part) for part in parts]
    return noun in NOUNS and None not in factors and len(set(factors)) == len(factors)


def test_what_could_be_a_caption_is_told():
    assert could_be_a_caption("face with glasses") and could_be_a_caption("person with beard, pale skin and shades")
    assert not could_be_a_caption("face with beard and no beard") and not could_be_a_caption("bearded face")


def test_no_unseen_text_could_be_a_caption_and_every_word_is_known():
    domain = load_domain("avatars")
    prompts = load_prompts(other_sets("avatars")["unseen"])
    check_prompts(prompts, domain.factors)
    wanted = [(prompt.attribute, prompt.value) for prompt in domain.prompts]
    assert [(prompt.attribute, prompt.value) for prompt in prompts] == wanted
    assert not {prompt.name for prompt in prompts} & {prompt.name for prompt in domain.prompts}
    known = set(re.findall("[a-z]+", " ".join(corpus(imagenet_templates())).lower()))
    for prompt in prompts:
        assert not could_be_a_caption(prompt.target)
        assert set(prompt.target.split()) <= known
    assert "monocle" not in known


def test_a_run_takes_the_set_by_its_name(tmp_path):
    planned = plan_run(RunRequest(["deltaedit"], "avatars", "unseen", 2, strengths="default", out=tmp_path / "run"))
    assert [prompt.target for prompt in planned.arguments.prompts][:2] == ["face in spectacles", "face in dark shades"]
