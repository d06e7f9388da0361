"""docs/quickstart.ipynb was executed as it stands, and its cells still work."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"


def code_cells() -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_every_cell_was_executed_in_order_and_shows_something() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    shown = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in shown} <= {"stream", "execute_result", "display_data"}  # no error
    assert all(any(output["output_type"] == "execute_result" for output in cell["outputs"]) for cell in cells)
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert not any(output.get("name") == "stderr" for output in shown)


def test_the_cells_still_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "notebook"}
    for cell in code_cells():
        *lines, last = ast.parse("".join(cell["source"]).replace("images=12", "images=4, quiet=True")).body
        exec(compile(ast.Module(lines, []), str(NOTEBOOK), "exec"), names)
        assert isinstance(last, ast.Expr)
        assert eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names) is not None
