from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

import pytest

from eval.runs.integrity.forms import form_fault

CHUNK = {"id": "a--b", "editor": "a", "prompt": "b", "strength": 1.0, "kind": "default", "first": 0, "count": 2}
ARGUMENTS = {"methods": ["a"], "images": 4, "strengths": ["default"], "seed": 2**64 - 1}
SWEEP = {"editor": "a", "prompt": "b", "sweep": [{"strength": 1, "effect": None, "success": 0.5}], "chosen": None}


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("manifest.json", {"arguments": ARGUMENTS, "hardware": None, "whatever": 3}, ""),
        ("manifest.json", [], "it must be a table, got []"),
        ("manifest.json", {"schema": 1}, ""),
        (
            "manifest.json",
            {"arguments": {**ARGUMENTS, "images": "4"}},
            "its 'arguments.images' must be a whole number from 0 up, got '4'",
        ),
        (
            "manifest.json",
            {"arguments": {**ARGUMENTS, "methods": "a"}},
            "its 'arguments.methods' must be a list, got 'a'",
        ),
        (
            "manifest.json",
            {"arguments": ARGUMENTS, "editors": {"a": {"sources": {"m": 1}}}},
            "its 'editors.a.sources.m' must be a text, got 1",
        ),
        ("prompts.json", [{"name": "a"}], "its '[0].source' is missing"),
        ("factors.json", {"mouth": ["flat", 1]}, "its 'mouth[1]' must be a text, got 1"),
        ("chunks/a--b.json", CHUNK, ""),
        (
            "chunks/a--b.json",
            {**CHUNK, "kind": "best"},
            "its 'kind' must be one of default, calibrated, matched, given, oracle, got 'best'",
        ),
        (
            "chunks/a--b.json",
            {**CHUNK, "count": True},
            "its 'count' must be a whole number from 0 to 1,000,000,000, got True",
        ),
        ("manifest.json", {"arguments": {"methods": None}}, "its 'arguments.methods' must be a list, got None"),
        ("manifest.json", {"prompts": None, "determinism": None}, "its 'prompts' must be a table, got None"),
        ("chunks/a--b.json", {**CHUNK, "first": None}, "its 'first' is missing"),
        (
            "chunks/a--b.json",
            {**CHUNK, "first": 2**63},
            "its 'first' must be a whole number from 0 to 1,000,000,000, got 9223372036854775808",
        ),
        ("chunks/a--b.json", {**CHUNK, "strength": 10**400}, f"its 'strength' must be a number, got 1{'0' * 38}…"),
        ("chunks/a--b.error.json", {"id": "a--b", "editor": "a", "prompt": "b", "error": "no"}, ""),
        ("strengths/a--b.json", SWEEP, ""),
        ("strengths/a--b.json", {**SWEEP, "sweep": [{"strength": 1}]}, "its 'sweep[0].effect' is missing"),
        ("costs/a.json", {"editor": "a", "fit_s": {"b": "1"}}, "its 'fit_s.b' must be a number, got '1'"),
        ("determinism.json", 3, ""),
    ],
)
def test_what_is_not_as_it_should_be_is_named(name: str, value: Any, fault: str) -> None:
    assert form_fault(PurePath("run") / name, value) == fault


def test_folders_of_schema_1_fit() -> None:
    folder = Path(__file__).parents[2] / "reports" / "data" / "run-schema-1"
    files = sorted(folder.rglob("*.json"))
    assert len(files) > 8
    assert [form_fault(path, json.loads(path.read_text(encoding="utf-8"))) for path in files] == [""] * len(files)
