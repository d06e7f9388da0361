"""Prompt files as people write them: read, or told what their form is."""

import codecs

import pytest
import torch

from deltaedit.backbones.clip import Clip
from eval.errors import UsageError
from eval.prompts import Prompt, check_prompts, idle_notes, length_notes, load_prompts

TABLE = """
name = "glasses"
target = "face with glasses"
attribute = "eyeglasses"
value = "round"
"""
RIGHT = f'source = "face"\n[[prompt]]{TABLE}'
GLASSES = Prompt("glasses", "face", "face with glasses", "eyeglasses", "round")


def written(tmp_path, content, name="prompts.toml"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        RIGHT,
        RIGHT.encode("utf-8-sig"),
        RIGHT.encode("utf-16"),
        codecs.BOM_UTF16_BE + RIGHT.encode("utf-16-be"),
        RIGHT.encode("utf-16-le"),
        RIGHT.encode("utf-16-be"),
        RIGHT.replace("\n", "\r\n"),
        RIGHT.replace("[[prompt]]", "[prompt]"),
    ],
    ids=["plain", "mark", "utf-16", "utf-16 be", "utf-16 le, no mark", "utf-16 be, no mark", "crlf", "one table"],
)
@pytest.mark.parametrize("name", ["prompts.toml", "prompts.txt"])
def test_every_encoding_and_one_plain_table_are_read(tmp_path, content, name):
    assert load_prompts(written(tmp_path, content, name)) == (GLASSES,)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_also_where_other_letters_come_first(tmp_path, encoding):
    text = f"# {'眼镜' * 50}\n{RIGHT}"
    assert load_prompts(written(tmp_path, text.encode(encoding))) == (GLASSES,)


WRONG = {
    "texts": ('prompt = ["face with glasses", "face with a hat"]', "'prompt' of"),
    "one text": ('prompt = "face with glasses"', "'prompt' of"),
    "a number": ("prompt = 3", "'prompt' of"),
    "tables by name": (RIGHT.replace("[[prompt]]", "[prompt.glasses]"), "[prompt.glasses]"),
    "lines of text": ("face with glasses\nface with a hat\n", "is not valid TOML"),
    "json": ('{"prompt": "face"}', "is not valid TOML"),
    "nothing": ("", "holds no [[prompt]]"),
    "a field is missing": (RIGHT.replace('value = "round"', ""), "has no value"),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_other_forms_are_answered_with_the_right_one(tmp_path, content, sentence):
    with pytest.raises(UsageError) as told:
        load_prompts(written(tmp_path, content))
    text = str(told.value)
    assert sentence in text and '[[prompt]] with name = "glasses"' in text and "\n" not in text
    assert len(text.replace(str(tmp_path), "")) <= 300


def test_unknown_fields_are_refused_with_the_nearest_and_all_faults_at_once(tmp_path):
    second = TABLE.replace("target", "targets").replace('"round"', "3")
    with pytest.raises(UsageError) as told:
        load_prompts(written(tmp_path, f"sources = 'face'\n{RIGHT}\n[[prompt]]{second}"))
    lines = str(told.value).splitlines()
    assert "'sources'; did you mean 'source'?" in lines[0]
    assert "field (of prompt 2" in lines[1] and "'targets'; did you mean 'target'?" in lines[1]
    assert "The value of prompt 2" in lines[2] and "must be a text in quotes. Got 3 instead." in lines[2]
    assert "two prompts named 'glasses'" in lines[3] and len(lines) == 4


def test_what_is_no_file_of_text(tmp_path):
    for path in (tmp_path, written(tmp_path, b"\xff\x00\xfe", "bytes.toml")):
        with pytest.raises(UsageError, match=r"cannot be read|no text in UTF-8"):
            load_prompts(path)


def test_attributes_that_nobody_judges_are_all_named():
    prompts = [GLASSES, Prompt("hat", "face", "face with hat", "headwear", "cap")]
    with pytest.raises(UsageError) as told:
        check_prompts(prompts, {"eyeglass": ("round",), "headwear": ("none", "hat")})
    first, second = str(told.value).splitlines()
    assert "did you mean 'eyeglass'?" in first and "'cap'" in second


def test_a_prompt_for_what_is_there_already_is_told():
    (note,) = idle_notes([GLASSES, Prompt("none", "face", "face", "eyeglasses", "none")])
    assert "'none' has the same source and target, 'face'" in note


def test_a_text_that_is_cut_is_told_with_its_tokens_and_the_place():
    from open_clip.tokenizer import SimpleTokenizer

    class Model(torch.nn.Module):
        pass

    clip = Clip(Model(), SimpleTokenizer(context_length=8), 16)
    six = "a face with a red hat"  # six words of one token each: with start and end eight
    assert clip.cut(six) is None
    cut = clip.cut(f"{six} and blue eyes")
    assert cut is not None and (cut.tokens, cut.limit, cut.read) == (11, 8, six)
    prompts = [Prompt("long", "face", f"{six} and blue eyes", "hair", "red")]
    (note,) = length_notes(prompts, {"judge CLIP": clip})
    assert "has 11 tokens, but the judge CLIP reads 8: it is cut after '…a face with a red hat'." in note
    assert Clip(Model(), lambda texts: torch.zeros(len(texts), 4), 16).cut(six * 9) is None  # nobody knows


def test_words_that_a_clip_never_saw_are_told():
    prompts = [Prompt("p", "face", "face with purple glasses", "a", "b")]
    clip = Clip(torch.nn.Identity(), list, 8, words={"face", "with", "glasses"})
    (note,) = length_notes(prompts, {"judge CLIP": clip})
    assert note == (
        "The judge CLIP never saw the word 'purple' of 'face with purple glasses': what it makes of that is a guess."
    )
