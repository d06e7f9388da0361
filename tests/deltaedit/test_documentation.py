"""docs/deltaedit.md quotes the lines that compute each equation; they must be there."""

import importlib
import inspect
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "deltaedit.md"


def quoted():
    """(module, name of a function or method, lines) of every quotation of the page."""
    found = []
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for where, lines in re.findall(r"# ([\w.]+:[\w.]+)\n(.*?)(?=# deltaedit|\Z)", block, re.DOTALL):
            found.append((*where.split(":"), lines.strip().splitlines()))
    return found


def test_the_page_quotes_the_lines_of_every_equation():
    places = quoted()
    assert len(places) == 11
    for module, name, lines in places:
        function = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
        source = inspect.getsource(function)
        for line in lines:
            assert line in source, f"{module}:{name} has no line '{line}'"


def test_the_files_that_the_page_names_exist():
    text = PAGE.read_text(encoding="utf-8")
    root = PAGE.parents[1] / "deltaedit"
    order = re.search(r"in this order: (.*?)\.\n", text)[1]
    names = [*re.findall(r"`(\w+\.py)`", order), "settings.py", "variants.py", "backbones/synthesis.py"]
    assert len(names) == 9
    assert all((root / name).exists() for name in names)
