from pathlib import Path

import pytest

from eval.domains.photos import NAMES, described, description_file
from eval.domains.photos.description import TRAINING_SAMPLES, TRUNCATION, read_description
from eval.errors import UsageError
from eval.weights.checkpoint_files import CheckpointFiles

TARGETS = """
chubby face
face with eyeglasses
face with smile
face with pale skin
face with tanned skin
face with big eyes
face with black clothes
face with blue suit
happy face
face with bangs
face with red hair
face with black hair
face with blond hair
face with curly hair
face with receding hairline
face with bowlcut hairstyle
"""
SMALL = """
name = "own"
source = "face"
[editing]
generator = "generator.pt"
clip = "clip.pt"
clip_architecture = "ViT-B-32-quickgelu"
[judges]
clip = "judge.pt"
clip_architecture = "ViT-L-14-quickgelu"
frechet = "inception.pth"
[factors.hair]
black = "black hair"
red = "red hair"
[[prompt]]
name = "red"
target = "face with red hair"
attribute = "hair"
value = "red"
"""


def read(tmp_path: Path, text: str = SMALL):
    path = tmp_path / "domain.toml"
    path.write_text(text)
    return read_description(path)


def test_ffhq_has_deltaedits_sixteen_prompts():
    prompts = described("ffhq").prompts
    assert [prompt.target for prompt in prompts] == TARGETS.strip().splitlines()
    assert {prompt.source for prompt in prompts} == {"face"}


@pytest.mark.parametrize("name", NAMES)
def test_the_domains_of_the_package_are_in_order(name):
    description = described(name)
    assert description.name == description.label == name
    assert {file.name for file in description.files() if file.part == "editing"}.isdisjoint(
        {file.name for file in description.files() if file.part == "judges"}
    )


def test_defaults_are_those_of_the_readers(tmp_path):
    assert CheckpointFiles.truncation == TRUNCATION and CheckpointFiles.training_samples == TRAINING_SAMPLES
    description = read(tmp_path)
    assert (description.truncation, description.training_samples, description.measured_images) == (0.7, 10_000, 200)
    assert (description.fit, description.crop, description.regions) == ("square", "face", {})


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("[[prompt]]", "[prompt.red]", r"has a table \[prompt.red\]"),
        ("target =", "targets =", "did you mean 'target'?"),
        ("[editing]\n", "[editing]\noptional = 3\n", "'optional' of"),
        ("[editing]\n", "regions = 3\n[editing]\n", r"\[regions\] of"),
        ('name = "own"', "", "no text 'name'"),
        ("[factors.hair]", "[factor.hair]", "did you mean 'factors'"),
        ('clip = "judge.pt"', "", "no text 'clip'"),
        ('frechet = "inception.pth"', 'frechet = "i.pth"\nfid = "x"', r"no key of \[judges\]"),
        ('red = "red hair"', "", "two values or more"),
        ('value = "red"', 'value = "rad"', "did you mean 'red'"),
        ('attribute = "hair"', 'attribute = "hare"', "did you mean 'hair'"),
        ('source = "face"', 'source = "face"\nfit = "round"', "no fit"),
        ("[factors.hair]", "[regions]\nhair = [[0, 0, 2, 1]]\n[factors.hair]", "list of boxes"),
        ("[factors.hair]", "[regions]\neyes = [[0, 0, 1, 1]]\n[factors.hair]", "no factor"),
        ("[factors.hair]", "measured_images = 1\n[factors.hair]", "'measured_images' .* 2 or more"),
        ('generator = "generator.pt"', 'generator = "g.pt"\ntruncation = 7', "'truncation' .* from 0 to 1"),
        ('generator = "generator.pt"', 'generator = "g.pt"\noptional = ["fid"]', "no optional file"),
        ("[judges]", 'training_styles = "s.npy"\n[judges]', "both 'training_styles' and"),
        ("[judges]", "[judge]", "no key"),
        ("source", "= source", "not valid TOML"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, before, after, sentence):
    assert before in SMALL
    with pytest.raises(UsageError, match=sentence) as caught:
        read(tmp_path, SMALL.replace(before, after))
    assert "domain.toml" in str(caught.value) and "\n" not in str(caught.value).strip()


def test_a_missing_domain_file(tmp_path):
    with pytest.raises(UsageError, match="There is no domain"):
        read_description(tmp_path / "none.toml")


def test_files_are_found_beside_the_description_and_where_weights_are(tmp_path, monkeypatch):
    monkeypatch.setenv("DELTABENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    text = SMALL.replace('generator = "generator.pt"', 'generator = "generator.pt"\nencoder = "e.pt"')
    text = text.replace("[judges]", 'optional = ["encoder"]\n[judges]')
    with pytest.raises(UsageError, match=r"'generator.pt', 'clip.pt', 'judge.pt', 'inception.pth', not found"):
        read(tmp_path, text).located()
    for name in ("generator.pt", "clip.pt"):
        (tmp_path / name).touch()
    for name in ("judge.pt", "inception.pth"):
        (tmp_path / "weights" / name).touch()
    editing, judging = read(tmp_path, text).located()
    assert editing == {"generator": tmp_path / "generator.pt", "clip": tmp_path / "clip.pt"}
    assert judging == {
        name: tmp_path / "weights" / f for name, f in (("clip", "judge.pt"), ("frechet", "inception.pth"))
    }
    (tmp_path / "e.pt").touch()
    assert read(tmp_path, text).located()[0]["encoder"] == tmp_path / "e.pt"


def test_the_names_of_the_package_have_files():
    assert all(description_file(name).is_file() for name in NAMES)
