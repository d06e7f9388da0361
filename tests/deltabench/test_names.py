"""Files and folders of the user's that are called like our packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHADOWS = {
    "folders": ("eval/metrics/__init__.py", "eval/__init__.py", "reports/figures/__init__.py", "reports/__init__.py"),
    "folders of data": ("eval/metrics/a.csv", "reports/figures/a.png", "deltaedit/net.pt", "baselines/a.csv"),
    "files": ("eval.py", "reports.py", "baselines.py", "deltaedit.py"),
}
LOADS = """
import deltabench, eval.metrics.frechet, reports.figures, baselines.controls
print(deltabench.load_domain.__module__, eval.__path__[0], reports.__path__[0])
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def python(here: Path, installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=here, env=environment, capture_output=True, text=True, check=False
    )


def shadow(here: Path, kind: str) -> None:
    for name in SHADOWS[kind]:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("raise RuntimeError('the wrong module')\n")


@pytest.mark.parametrize("kind", SHADOWS)
def test_our_packages_are_found_beside_the_users(here: Path, kind: str) -> None:
    shadow(here, kind)
    done = python(here, ROOT, "-c", LOADS)  # like a notebook: the current folder stands first on the path
    assert done.stderr == ""
    assert done.stdout.split() == ["eval.domains", str(ROOT / "eval"), str(ROOT / "reports")]
    done = python(here, ROOT, "-m", "deltabench", "methods", "show", "identity")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plain_install_is_found_as_well(here: Path, tmp_path: Path) -> None:
    for package in ("deltabench", "deltaedit", "baselines", "eval", "reports"):
        leave = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(ROOT / package, tmp_path / "site" / package, ignore=leave)
    shadow(here, "files")
    done = python(here, tmp_path / "site", "-c", LOADS)
    assert done.stdout.split() == ["eval.domains", *(str(tmp_path / "site" / name) for name in ("eval", "reports"))]


def test_a_module_that_was_imported_before_is_named(here: Path) -> None:
    (here / "eval.py").write_text("mine = 1\n")
    done = python(here, ROOT, "-c", "import eval, deltabench")
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: DeltaBench has a package 'eval', and {here / 'eval.py'} was imported under that name before; "
        "import deltabench first, or rename that file."
    )


def test_an_editor_in_a_file_of_our_name_is_told(here: Path) -> None:
    (here / "baselines.py").write_text("class Mine: ...\n")
    done = python(here, ROOT, "-m", "deltabench", "run", "--methods", "baselines:Mine")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"The editor 'baselines:Mine' cannot be loaded from {here / 'baselines.py'}: "
        f"{ROOT / 'baselines' / '__init__.py'} has the same name; rename it."
    )


def test_a_users_folder_joins_the_path_at_its_end(here: Path) -> None:
    (here / "mine.py").write_text("import json\nclass Mine: ...\n")
    (here / "rich.py").write_text("raise RuntimeError('the wrong module')\n")
    code = (
        "import sys; sys.path.remove('')\nimport deltabench\nfrom eval.editors.registry import load_class\n"
        "try: load_class('mine:Mine')\nexcept Exception as error: print(error)\nimport rich; print(sys.path[-1])"
    )
    done = python(here, ROOT, "-c", code)
    assert done.stdout.splitlines() == [
        "mine:Mine is not an editor: it has no name, no space, no paper, no prepare, no fit, no edit; "
        "see docs/adding_an_editor.md.",
        str(here),
    ]


def test_importing_deltabench_imports_nothing_heavy(here: Path) -> None:
    heavy = ("torch", "numpy", "pandas", "matplotlib", "rich", "click", "PIL")
    code = f"import sys, deltabench; dir(deltabench); print([name for name in {heavy} if name in sys.modules])"
    assert python(here, ROOT, "-c", code).stdout == "[]\n"
