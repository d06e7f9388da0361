"""DeltaBench's own packages, whatever is called the same where the user works.

``eval``, ``reports`` and ``baselines`` are names that anybody gives to a file. In a notebook and under ``python -m``
the user's folder stands first on ``sys.path``, so that a name looked up there would find the user's. Each of our
packages is therefore taken from beside this one, once, before anything of it is imported; its modules are found
through it.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

OURS = ("deltaedit", "baselines", "eval", "reports")
BESIDE = Path(__file__).resolve().parents[1]


def take_ours() -> None:
    """Load our packages from beside this one.

    Raises:
        ImportError: something else of such a name was imported before; the sentence names the file.
    """
    for name in OURS:
        folder = BESIDE / name
        loaded = sys.modules.get(name)
        if loaded is not None:
            _check(name, loaded, folder)
            continue
        spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None or not folder.is_dir():
            raise ImportError(f"DeltaBench's package {folder} is missing; install deltabench anew.")
        module = module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def _check(name: str, loaded: object, folder: Path) -> None:
    """Refuse a stranger's module under a name of ours."""
    places = [getattr(loaded, "__file__", None), *getattr(loaded, "__path__", ())]
    there = next((Path(place) for place in places if place), None)
    if there is None or folder not in (there.resolve(), *there.resolve().parents):
        raise ImportError(
            f"DeltaBench has a package '{name}', and {there or f'another module {name}'} was imported under that name "
            "before; import deltabench first, or rename that file."
        )
