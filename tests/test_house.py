"""Rooms, files and functions of the product stay small, as CONTRIBUTING.md says."""

import ast
from pathlib import Path

import deltabench

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for room in ("deltabench", "deltaedit", "baselines", "eval", "reports")
    for path in ROOT.glob(f"{room}/**/*.py")
]
THE_VERB = "deltabench/front.py:run"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_has_more_than_300_lines():
    assert len(FILES) > 200
    assert {str(path): lines(path) for path in FILES if lines(path) > 300} == {}


def test_no_function_has_more_than_60_lines():
    lengths = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, FUNCTIONS):
                lengths[f"{path.relative_to(ROOT).as_posix()}:{node.name}"] = node.end_lineno - node.lineno + 1
    assert max(lengths.values()) > 50
    lengths[THE_VERB] -= len(deltabench.run.__doc__.splitlines())  # it tells every option of a run, one by one
    assert {name: length for name, length in lengths.items() if length > 60} == {}


def test_no_room_has_more_than_15_files():
    rooms = {path.parent for path in FILES}
    assert {str(room): count for room in rooms if (count := len(list(room.glob("*.py")))) > 15} == {}


def test_the_reference_method_has_at_most_800_lines():
    assert sum(lines(path) for path in (ROOT / "deltaedit").glob("*.py")) <= 800
