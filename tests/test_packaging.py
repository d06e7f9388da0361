"""A plain install holds every file that the code reads."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_data_file_is_declared() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    declared = {
        path
        for package, patterns in setuptools["package-data"].items()
        for pattern in patterns
        for path in ROOT.glob(f"{package.replace('.', '/').replace('*', '**')}/{pattern}")
    }
    there = {
        path
        for package in setuptools["packages"]["find"]["include"]
        for path in (ROOT / package.rstrip("*")).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert there - declared == set()
    assert len(there) > 40  # weights, prompts, domains, templates, ablations, published numbers


def test_every_folder_of_modules_is_a_package() -> None:
    for package in ("deltabench", "deltaedit", "baselines", "eval", "reports"):
        for module in (ROOT / package).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module.parent
