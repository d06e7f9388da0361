from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines.controls import Identity
from deltaedit.editor import DeltaEdit
from eval.editors.identity import is_same_source, source_key, sources_of

FILES = {
    "mine.py": "import json\nimport torch\nimport mine_helpers\n\nclass Mine:\n    def fit(self): import mine_late\n",
    "mine_helpers.py": "import mine_deep\n",
    "mine_deep.py": "X = 1\n",
    "mine_late.py": "",
    "mine_stranger.py": "",
    "minepackage/__init__.py": "from .core import Other\n",
    "minepackage/core.py": "from .parts import wheels\nfrom minepackage import road\nclass Other: ...\n",
    "minepackage/parts/__init__.py": "",
    "minepackage/parts/wheels.py": "",
    "minepackage/road.py": "",
    "minepackage/unused.py": "",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("mine")]:
        del sys.modules[name]
    sources_of.cache_clear()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_an_editor_is_its_module_and_what_it_imports_beside_it(folder: Path) -> None:
    found = sources_of(importlib.import_module("mine").Mine)
    assert list(found) == ["mine", "mine_deep", "mine_helpers", "mine_late"]
    assert found["mine_deep"] == f"code:{digest('X = 1')}"


def test_of_a_package_the_modules_that_it_imports(folder: Path) -> None:
    found = sources_of(importlib.import_module("minepackage").Other)
    assert list(found) == [
        "minepackage",
        "minepackage.core",
        "minepackage.parts",
        "minepackage.parts.wheels",
        "minepackage.road",
    ]


@pytest.mark.parametrize(
    ("source", "is_same"),
    [
        ("X = 1\r\n", True),
        ('"""One."""\n\nX = (1)  # the first\n"""of all"""', True),
        ("X = 2\n", False),
        ("X = 1\nY = 1\n", False),
        ('X = "1"\n', False),
        ("X = = 1\n", False),
    ],
)
def test_another_code_beside_it_is_another_key_and_another_text_is_none(
    folder: Path, source: str, is_same: bool
) -> None:
    editor = importlib.import_module("mine").Mine
    before = source_key(editor)
    (folder / "mine_deep.py").write_bytes(source.encode())
    sources_of.cache_clear()
    assert (source_key(editor) == before) == is_same


def test_docstrings_of_classes_and_functions_are_no_code(folder: Path) -> None:
    editor = importlib.import_module("mine").Mine
    before = sources_of(editor)
    (folder / "mine.py").write_text(
        FILES["mine.py"]
        .replace("Mine:\n", "Mine:\n    'Edits.'\n")
        .replace(": import", ":\n        'Fits.'\n        import")
    )
    sources_of.cache_clear()
    assert sources_of(editor) == before


def test_a_folder_of_earlier_versions_has_the_sums_of_whole_files(folder: Path) -> None:
    now = sources_of(importlib.import_module("mine").Mine)["mine_deep"]
    assert is_same_source("mine_deep", digest("X = 1\n"), now)
    assert not is_same_source("mine_deep", digest("X = 1"), now)
    assert not is_same_source("mine_gone", digest("X = 1\n"), None)
    assert not is_same_source("mine_deep", None, now)
    assert not is_same_source("mine_deep", f"code:{digest('X = 2')}", now)


def test_our_own_editors_name_their_files_and_keep_their_keys() -> None:
    assert {"deltaedit.editor", "deltaedit.mapper"} <= set(sources_of(DeltaEdit))
    assert not any(name.startswith(("eval", "torch")) for name in sources_of(DeltaEdit))
    assert "baselines.controls" in sources_of(Identity)
    assert source_key(DeltaEdit) == {}


def test_a_class_of_no_file_has_no_source() -> None:
    namespace: dict[str, type] = {"__name__": "nowhere"}
    exec("class Typed: ...", namespace)
    assert sources_of(namespace["Typed"]) == {}
