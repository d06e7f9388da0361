from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eval.errors import UsageError
from eval.prompts import Prompt, load_prompts
from eval.studies.ablation.plan import Arm, check, chosen, find, load, shipped

SMILE = Prompt("smile", "face", "face with smile", "mouth", "smile")
PROMPTS = Path(__file__).parents[3] / "eval" / "domains" / "avatars" / "prompts.toml"
GOOD = """
question = "Which?"
baseline = "a"
[settings]
steps = 7
[arms.a]
[arms."b c"]
levels = false
source = "person"
"""


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_a_file_is_read(write):
    ablation = load(write(GOOD))
    assert (ablation.name, ablation.question, ablation.baseline) == ("mine", "Which?", "a")
    assert (ablation.seeds, ablation.images, ablation.effect, ablation.prompts) == ((0, 1, 2), 50, 1.0, ())
    assert ablation.arms == (Arm("a"), Arm("b c", {"levels": False}, source="person"))
    editor = ablation.editor(ablation.arms[1], 5)
    assert (editor.steps, editor.levels, editor.training_seed, editor.threshold) == (7, False, 5, 0.03)


def test_a_domain_has_fields_of_its_own(write):
    own = "[domains.faces]\nimages = 9\ncalibration = 4\n[domains.faces.settings]\nlevels = false\n"
    path = write(GOOD + own + '[domains.faces.arms.d]\nvariant = "small"\n')
    here, there = load(path), load(path, "faces")
    assert (here.images, here.calibration, len(here.arms), dict(here.settings)) == (50, None, 2, {"steps": 7})
    assert (there.images, there.calibration, there.settings) == (9, 4, {"steps": 7, "levels": False})
    assert there.arms == (*here.arms, Arm("d", variant="small"))


def test_what_came_later_does_not_change_the_folder_of_an_ablation_without_it(write):
    plain = load(write(GOOD)).as_json()
    assert not {"calibration", "variant"} & {*plain, *plain["arms"][0]}
    assert {"calibration", "variant"} <= {*replace(load(write(GOOD)), calibration=4, variant="small").as_json()}


@pytest.mark.parametrize("value", ["1", "true", "2.5"])
def test_calibration_images_are_counted(write, value):
    with pytest.raises(UsageError, match="'calibration' in mine must be a whole number, 2 or more"):
        check(load(write(f"calibration = {value}\n" + GOOD)), "mine")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_ablation_can_run_on_avatars(name):
    ablation = find(name)
    check(ablation, name)
    assert len(ablation.seeds) >= 3 and ablation.question.endswith("?")
    assert chosen(load_prompts(PROMPTS), ablation) == load_prompts(PROMPTS)  # and on any other domain
    editors = [vars(ablation.editor(arm, 0)) | {"texts": arm.prompt(SMILE)} for arm in ablation.arms]
    assert all(one != other for i, one in enumerate(editors) for other in editors[:i])  # no arm is there twice


def test_the_arms_that_were_asked_for_are_there():
    assert {arm.settings.get("arm", "delta") for arm in find("conditioning").arms} == {
        *("delta", "raw", "centred", "pseudo-text")
    }
    assert set(shipped()) == {
        *("conditioning", "mask", "losses", "levels", "space", "latents", "pairs", "templates", "source")
    }


@pytest.mark.parametrize(
    ("arm", "texts"),
    [
        (Arm("a"), ("face", "face with smile")),
        (Arm("a", source="person"), ("person", "face with smile")),
        (Arm("a", subject="person"), ("person", "person with smile")),
        (Arm("a", subject="person", source="cat"), ("cat", "person with smile")),
    ],
)
def test_an_arm_changes_what_is_read_and_not_what_is_judged(arm, texts):
    asked = arm.prompt(SMILE)
    assert (asked.source, asked.target) == texts
    assert replace(asked, source=SMILE.source, target=SMILE.target) == SMILE


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[arms.a]", "[arms.a]\nlevles = 1", "did you mean 'levels'"),
        ("[arms.a]", "[arms.a]\nthreshold = -1", "arm 'a' .* 'threshold' .* 0 or more. Got -1"),
        ("[arms.a]", "[arms.a]\ntraining_seed = 3", "There is no setting"),
        ("[arms.a]", "[arms.a]\nsource = 3", "'source' of the arm 'a' .* must be a text"),
        ('[arms."b c"]\nlevels = false\nsource = "person"', "", "two arms or more; it has 1"),
        ('baseline = "a"', 'baseline = "b-c"', "did you mean 'b c'"),
        ('baseline = "a"', "", "has no 'baseline'"),
        ('question = "Which?"', 'question = "Which?"\nimages = 1', "'images' .* 2 or more. Got 1"),
        ('question = "Which?"', 'question = "Which?"\neffect = 0', "'effect' .* above 0. Got 0"),
        ('question = "Which?"', 'question = "Which?"\nseeds = [1, 1]', "'seeds' .* different"),
        ('question = "Which?"', 'question = "Which?"\nseeds = 3', "'seeds' .* must be a list"),
        ('question = "Which?"', 'question = "Which?"\nimage = 9', "did you mean 'images'"),
        ('question = "Which?"', "question =", "is not valid TOML"),
    ],
)
def test_mistakes_are_one_sentence(write, old, new, words):
    assert old in GOOD
    with pytest.raises(UsageError, match=words) as error:
        check(load(write(GOOD.replace(old, new))), "mine.toml")
    assert "\n" not in str(error.value)


def test_the_example_of_the_documentation_can_run(write):
    text = (Path(__file__).parents[3] / "docs" / "ablations.md").read_text(encoding="utf-8")
    ablation = load(write(text.split("```toml\n")[1].split("```")[0]))
    check(ablation, "mine.toml")
    assert ablation.arms == (Arm("falling"), Arm("constant rate", {"schedule": "constant"}))


def test_unknown_names(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'conditioning'"):
        find("conditionin")
    with pytest.raises(UsageError, match="There is no ablation"):
        find(str(tmp_path / "none.toml"))


def test_the_folder_is_that_of_the_same_ablation_only():
    ablation = find("losses")
    names = {
        ablation.folder_name("avatars"),
        find("losses").folder_name("avatars"),
        ablation.folder_name("ffhq"),
        replace(ablation, settings={"steps": 5}).folder_name("avatars"),
    }
    assert len(names) == 3
