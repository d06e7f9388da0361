"""Sentences about made-up runs whose right answers are known by construction."""

import re

import numpy as np
import pandas as pd
import pytest

from reports.conclusions import Evidence, sentences, with_person

PROMPTS = ("beard", "glasses", "hat", "smile")
SAME_PERSON = 0.5


def cells(images, **editors):
    """Editor -> (share of successes, share of them that show another person), met exactly in every prompt.

    Successes are the first images of a shuffled order of the editor's own.
    """
    rows = []
    for number, (editor, (success, another)) in enumerate(editors.items()):
        rng = np.random.default_rng(number)
        for prompt in PROMPTS:
            order = rng.permutation(images)
            hits, others = round(success * images), round(success * images * another)
            for place, image in enumerate(order):
                hit, same = place < hits, place >= others
                rows.append(
                    {
                        "editor": editor.replace("_", "-"),
                        "kind": "calibrated",
                        "strength": 1.0,
                        "prompt": prompt,
                        "image": f"test-{image:04d}",
                        "eligible": True,
                        "success": hit,
                        "identity": 0.9 if same else 0.1,
                        "clean_success": float(hit and same),
                    }
                )
    return with_person(pd.DataFrame(rows), SAME_PERSON)


def said(table, missing=0, counterfactuals=True):
    found = sentences(Evidence(table, "calibrated strength", missing, counterfactuals))
    assert 1 < len(found) <= 4
    assert all(text[0].isupper() or text[0].isdigit() or text[0] in "<>" for text in found)
    assert all(text.endswith(".") for text in found)
    return found


def test_equal_success_and_another_person():
    """Of 50 images 46 succeed with both; 60 % of A's are another person, 10 % of B's (28 and 5 of 46)."""
    clean, success, person = said(cells(50, delta_edit=(0.92, 0.6), mapper=(0.92, 0.1)))
    assert clean.startswith("At calibrated strength, 82 % of mapper's eligible edits are a clean success")
    assert clean.endswith(
        "and 36 % of delta-edit's: mapper is ahead of delta-edit."
    )  # (46 - 28) / 50 and (46 - 5) / 50
    assert "no difference was found between delta-edit and mapper (a true one of" in success
    assert success.startswith("92 % of delta-edit's eligible edits show what the text asks for and 92 % of mapper's: ")
    assert person == (
        "11 % of mapper's successful edits show another person and 61 % of delta-edit's: "
        "mapper changes the person less often than delta-edit."
    )


def test_equal_editors_are_never_ranked():
    text = " ".join(said(cells(50, a=(0.8, 0.2), b=(0.8, 0.2), c=(0.8, 0.2))))
    assert "ahead" not in text and "less often" not in text and text.count("no difference was found") == 3
    for points in re.findall(r"a true one of (\d+) points", text):
        assert 3 <= int(points) <= 40  # a standard error of 2.8 to 4 points, times 3.9 to 4.4, and Holm's correction


def test_the_same_edits_under_two_names():
    table = cells(30, a=(0.8, 0.2))
    text = " ".join(said(pd.concat([table, table.assign(editor="b")], ignore_index=True)))
    assert text.count("no difference was found between a and b") == 3 and "a true one" not in text


def test_clearly_different_editors():
    clean, success, _ = said(cells(50, good=(0.9, 0.0), fair=(0.5, 0.0), poor=(0.1, 0.0)))
    assert clean.startswith(
        "At calibrated strength, 90 % of good's eligible edits are a clean success, 50 % of fair's and"
    )
    assert clean.endswith("10 % of poor's: good is ahead of every other editor.")
    assert success.endswith("good is ahead of every other editor.")


def test_too_few_images_find_nothing_and_say_so():
    """Three tests of 6 images: the smallest p is 1/32, corrected .09, however far apart the editors are."""
    *found, limit = said(cells(6, good=(1.0, 0.0), poor=(0.0, 0.0)))
    assert "ahead" not in " ".join(found) and "no difference" not in " ".join(found)
    assert limit.startswith(
        "6 images cannot show any difference in 3 tests: the smallest p of their sign flips is 1/32"
    )


def test_one_editor_alone_has_intervals_and_nobody_beside_it():
    found = said(cells(50, alone=(0.9, 0.2)))
    assert found[0].startswith(
        "At calibrated strength, 72 % of alone's eligible edits are a clean success (95 % interval "
    )
    assert found[-1] == "There is no other editor to compare it with."


def test_what_an_unfinished_run_and_a_domain_without_counterfactuals_lack():
    *_, limit = said(cells(50, a=(0.9, 0.0), b=(0.2, 0.0)), missing=100, counterfactuals=False)
    assert limit == (
        "The run is unfinished: 100 of 500 edits at this strength are missing; its domain knows no counterfactuals, so "
        "that success is what networks say."
    )


def test_without_a_threshold_of_one_person_success_is_the_headline():
    table = cells(50, a=(0.9, 0.5), b=(0.2, 0.5)).drop(columns="another_person").assign(clean_success=np.nan)
    (only,) = sentences(Evidence(with_person(table, None), "default strength", 0, True))
    assert only.startswith(
        "At default strength, 90 % of a's eligible edits show what the text asks for and 20 % of b's"
    )


@pytest.mark.parametrize("success", [1.0, 0.0])
def test_shares_at_the_ends(success):
    found = said(cells(20, a=(success, 0.0), b=(success, 0.0)))
    assert f"{success:.0%}".replace("%", " %") in found[0] and "no difference was found" in found[0]


def test_judges_that_differ_are_told():
    """The second judge calls all of A's first 10 of 50 images in every prompt wrong: 40 of 400 edits, 10 %."""
    table = cells(50, a=(1.0, 0.0), b=(0.9, 0.0)).assign(success_by_attributes=lambda t: t["success"].astype(float))
    table["source"] = table["image"].str[-4:].astype(int)
    wrong = (table["editor"] == "a") & (table["source"] < 10)
    table["success_by_second"] = table["success_by_attributes"].mask(wrong, 0.0)
    assert said(table)[-1] == (
        "The two verdicts on what an edit shows differ on 10 % of the edits and order the editors' means differently."
    )
    assert len(said(table.assign(success_by_second=table["success_by_attributes"]))) == 3
