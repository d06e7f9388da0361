from __future__ import annotations

import pytest

from eval.errors import UsageError
from eval.prompts import Prompt, check_prompts
from eval.runs.plan import (
    Arguments,
    Chunk,
    Strength,
    cell_count,
    chunks,
    estimated_s,
    parse_strengths,
    sweep_count,
)

PROMPTS = (Prompt("smile", "face", "face with smile", "mouth", "smile"), Prompt("hat", "face", "hat", "top", "hat"))


def arguments(**changes: object) -> Arguments:
    given: dict[str, object] = {"domain": "tiny", "methods": ("a", "b"), "prompts": PROMPTS, "images": 120}
    return Arguments(**{**given, **changes})  # type: ignore[arg-type]


def test_strengths() -> None:
    assert parse_strengths("default, 0.5,calibrated,0.50,1") == (
        Strength("default", 1.0),
        Strength("given", 0.5),
        Strength("calibrated", None),
        Strength("given", 1.0),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("calibratd", "There is no strength 'calibratd'; did you mean 'calibrated'?"),
        ("-1", "A strength must be a number from 0 up; --strengths has -1."),
        ("nan", "A strength must be a number from 0 up; --strengths has nan."),
        ("inf", "A strength must be a number from 0 up; --strengths has inf."),
        ("", "There is no strength ''."),
    ],
)
def test_wrong_strengths(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_strengths(text)
    assert sentence in str(caught.value)


def test_chunks_cover_every_image_once() -> None:
    parts = list(chunks(arguments(batch=50), "a", "smile", "default", 1.0))
    assert [(part.first, part.count) for part in parts] == [(0, 50), (50, 50), (100, 20)]
    assert list(range(120)) == [row for part in parts for row in range(120)[part.rows]]


def test_ids_tell_chunks_apart() -> None:
    parts = [
        Chunk("a", "smile", kind, strength, first, 50)
        for kind, strength in (("default", 1.0), ("calibrated", 1.0), ("given", 1.0), ("given", 0.5))
        for first in (0, 50)
    ]
    assert len({part.id for part in parts}) == len(parts)
    assert parts[0].id == "a--smile--default-1--00000"
    assert parts[6].id == "a--smile--0.5--00000"


def test_counts_by_hand() -> None:
    assert cell_count(arguments()) == 2 * 2 * 2 * 120
    assert sweep_count(arguments()) == 2 * 2 * 130
    assert sweep_count(arguments(images=20)) == 2 * 2 * 26
    assert sweep_count(arguments(strengths=parse_strengths("default,2"))) == 0


def test_the_folder_depends_on_everything_that_decides_the_cells() -> None:
    other_text = (Prompt("smile", "face", "smiling face", "mouth", "smile"), PROMPTS[1])
    names = {
        arguments(**change).folder_name()
        for change in (
            {}, {"methods": ("a",)}, {"prompts": PROMPTS[:1]}, {"prompts": other_text}, {"images": 119},
            {"strengths": parse_strengths("1")}, {"seed": 1}, {"batch": 10}, {"domain": "other"},
        )
    }  # fmt: skip
    assert len(names) == 9
    assert arguments().folder_name() == arguments().folder_name()
    assert all(name.startswith(("tiny-", "other-")) for name in names)


def test_estimated_time_by_hand() -> None:
    costs = {
        "source_s": 1.0, "counterfactual_s": 0.1, "judge_s": 0.01, "synthesis_s": 0.02, "sweep_judge_s": 0.005,
        "a": {"prepare_s": 100.0, "fit_s": 3.0, "edit_s": 0.03},
    }  # fmt: skip
    # 120 sources, 240 counterfactuals; prepare; 2 fits; 480 cells of .06 s; 260 edits of calibration of .055 s
    wanted = 120 * 1.0 + 240 * 0.1 + 100 + 2 * 3 + 480 * 0.06 + 260 * 0.055
    assert estimated_s(arguments(methods=("a[x=1]",)), costs) == pytest.approx(wanted)


def test_offsets_that_all_strengths_share_are_counted_once() -> None:
    costs = {
        "source_s": 0.0, "counterfactual_s": 0.0, "judge_s": 0.0, "synthesis_s": 0.0, "sweep_judge_s": 0.0,
        "a": {"edit_s": 0.0, "offset_s": 2.0},
    }  # fmt: skip
    assert estimated_s(arguments(methods=("a",)), costs) == 2 * (120 + 50) * 2.0
    assert estimated_s(arguments(methods=("a",), strengths=parse_strengths("1")), costs) == 2 * 120 * 2.0


def test_unknown_costs_give_no_estimate() -> None:
    assert estimated_s(arguments(), {}) is None
    assert estimated_s(arguments(methods=("a",)), {"source_s": 1, "counterfactual_s": 1, "a": {"edit_s": None}}) is None


def test_prompts_ask_for_what_the_judge_knows() -> None:
    factors = {"mouth": ("flat", "smile"), "top": ("hat",)}
    check_prompts(PROMPTS, factors)
    with pytest.raises(UsageError, match=r"There is no attribute \(of the prompt 'x'\) 'muth'; did you mean 'mouth'"):
        check_prompts([Prompt("x", "face", "smile", "muth", "smile")], factors)
    with pytest.raises(UsageError, match=r"There is no mouth \(of the prompt 'x'\) 'smil'; did you mean 'smile'"):
        check_prompts([Prompt("x", "face", "smile", "mouth", "smil")], factors)
    with pytest.raises(UsageError, match=r"There is no mouth \(of the prompt 'x' in my.toml\) 'smil'; did you mean"):
        check_prompts([Prompt("x", "face", "smile", "mouth", "smil")], factors, "my.toml")


def test_matched_stands_for_every_goal_and_brings_the_default() -> None:
    asked = parse_strengths("matched")
    assert asked == (Strength("default", 1.0), *(Strength("matched", None, goal) for goal in (0.25, 0.5, 0.75, 1.0)))
    texts = ["default", "matched 0.25", "matched 0.5", "matched 0.75", "matched 1"]
    assert [str(strength) for strength in asked] == texts
    assert arguments(strengths=asked).goals == (0.25, 0.5, 0.75, 1.0)
    assert arguments().goals == ()
    assert parse_strengths("default,matched") == asked


def test_ids_tell_goals_of_one_strength_apart() -> None:
    parts = [Chunk("a", "smile", "matched", 3.0, 0, 50, goal) for goal in (0.5, 1.0)]
    assert [part.id for part in parts] == ["a--smile--matched-0.5-3--00000", "a--smile--matched-1-3--00000"]
    found = [part.effect_goal for part in chunks(arguments(batch=60), "a", "smile", "matched", 3.0, 0.5)]
    assert found == [0.5, 0.5]


def test_counts_and_time_at_matched_strength_by_hand() -> None:
    asked = parse_strengths("matched")
    assert cell_count(arguments(strengths=asked)) == 2 * 2 * 5 * 120
    # 7 strengths of the sweep and on average 1.2 more for each of 4 goals, 50 images each
    assert sweep_count(arguments(strengths=asked)) == 2 * 2 * 590
    costs = {
        "source_s": 1.0, "counterfactual_s": 0.1, "judge_s": 0.01, "synthesis_s": 0.02, "sweep_judge_s": 0.005,
        "a": {"edit_s": 0.03},
    }  # fmt: skip
    # 120 sources, 240 counterfactuals and oracle cells; 1,200 cells of .06 s; 2 x 590 edits of calibration of .055 s
    wanted = 120 * 1.0 + 240 * (0.1 + 0.03) + 1200 * 0.06 + 1180 * 0.055
    assert estimated_s(arguments(methods=("a",), strengths=asked), costs) == pytest.approx(wanted)
