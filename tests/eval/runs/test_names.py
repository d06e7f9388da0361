"""File names from any text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.runs.names import LONGEST, earlier_file_name, file_name, stored

FORBIDDEN = set('<>:"/\\|?*[] ') | {chr(code) for code in range(32)}  # of Windows, and ours


def test_file_names_hold_no_separator_and_stay_apart() -> None:
    names = [file_name(text) for text in ("a[x=1]", "a[x=2]", "a/x", "a_x_1_", "a x", "../a")]
    assert len(set(names)) == len(names)
    assert not any(set(name) & set('/\\[]: "') for name in names)


@pytest.mark.parametrize("text", ["deltaedit", "styleclip-global", "red-hair", "smile_2", "a.b", "笑顔", "é"])
def test_plain_names_stay_as_they_are(text: str) -> None:
    assert file_name(text) == text


@pytest.mark.parametrize(
    "text", ["con", "NUL", "aux.txt", "com1", "a.", ".a", "", "Smile", "x" * 300, "笑" * 90, "a b"]
)
def test_others_get_a_name_that_every_system_takes(text: str) -> None:
    name = file_name(text)
    assert name != text
    assert len(name.encode()) <= LONGEST
    assert not FORBIDDEN & set(name)
    assert name == name.casefold()
    assert name.strip(". ") == name
    assert name.split(".")[0] not in {"con", "nul", "aux", "prn", "com1"}


@given(st.text(max_size=200))
def test_any_text_gives_a_file_that_can_be_written(text: str) -> None:
    name = file_name(text)
    assert 0 < len(name.encode()) <= LONGEST
    assert not FORBIDDEN & set(name)
    assert file_name(name) == name


@given(st.lists(st.text("aAbB .[/x", max_size=6), unique=True, max_size=8))
def test_different_texts_stay_different_without_regard_to_case(texts: list[str]) -> None:
    assert len({file_name(text).casefold() for text in texts}) == len(texts)


def test_names_of_earlier_versions_are_found(tmp_path: Path) -> None:
    (tmp_path / "counterfactuals").mkdir()
    pattern = "counterfactuals/{}.npz"
    assert stored(tmp_path, pattern, "round glasses") == tmp_path / "counterfactuals" / "round_glasses-e9c9.npz"
    (tmp_path / "counterfactuals" / "Round.npz").touch()
    assert stored(tmp_path, pattern, "Round") == tmp_path / "counterfactuals" / "Round.npz"
    (tmp_path / "counterfactuals" / "round glasses.npz").touch()
    assert stored(tmp_path, pattern, "round glasses") == tmp_path / "counterfactuals" / "round glasses.npz"
    assert stored(tmp_path, pattern, "../secret").parent == tmp_path / "counterfactuals"
    assert earlier_file_name("deltaedit[threshold=0.05]") == "deltaedit_threshold=0.05_-20ed"
