"""Where editors are found: built in, from plug-ins' entry points, or named as ``module:Class``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eval.editors.isolation import at_work
from eval.editors.spec import EditorSpec, parse_parameters, split_methods
from eval.errors import UsageError, collected, refuse, unknown

ENTRY_POINTS = "deltabench.editors"
BUILT_IN = {
    "deltaedit": "deltaedit.editor:DeltaEdit",
    "styleclip-global": "baselines.styleclip_global:StyleClipGlobal",
    "styleclip-mapper": "baselines.styleclip_mapper:StyleClipMapper",
    "styleclip-optimization": "baselines.styleclip_optimization:StyleClipOptimization",
    "tedigan": "baselines.tedigan:TediGan",
    "stylemc": "baselines.stylemc:StyleMC",
    "interfacegan": "baselines.interfacegan:InterFaceGAN",
    "identity": "baselines.controls:Identity",
    "random-direction": "baselines.controls:RandomDirection",
}
# of StyleCLIP's three, those whose edits take no optimization per image
ALIASES: dict[str, tuple[str, ...]] = {"styleclip": ("styleclip-global", "styleclip-mapper")}
GUIDE = "see docs/adding_an_editor.md"


def names() -> list[str]:
    """Every editor that ``--methods`` takes by name: the built-in ones that are installed, then the plug-ins."""
    built_in = [name for name, where in BUILT_IN.items() if find_spec(where.partition(":")[0]) is not None]
    return built_in + sorted(name for name in _plug_ins() if name not in BUILT_IN)


def load_class(name: str) -> type:
    """The class of an editor.

    Args:
        name: as on the command line, or ``module:Class`` (also of a file in the current folder).

    Raises:
        UsageError: there is no such editor, it cannot be imported, or it is not an editor.
    """
    if ":" in name:
        return _import(name, name)
    if name not in names():
        raise unknown("editor", name, [*names(), *ALIASES, "all"], "deltabench methods")
    if name in BUILT_IN:
        return _import(name, BUILT_IN[name])
    return _import(name, _plug_ins()[name].value)


def load_every(wanted: Iterable[str]) -> tuple[dict[str, type], list[str]]:
    """The classes of these editors, and one line for each that is broken; the others go on."""
    classes, problems = {}, []
    for name in wanted:
        try:
            classes[name] = load_class(name)
        except UsageError as error:
            problems.append(str(error))
    return classes, problems


def parse_methods(wanted: str | Sequence[str | type]) -> tuple[tuple[EditorSpec, ...], list[str]]:
    """Read ``--methods``, for example ``styleclip-global[beta=0.15,alpha=4.1],deltaedit``.

    Args:
        wanted: editors, aliases (``styleclip``, ``all``) or ``module:Class``, parameters in brackets; or a list of such
            texts and of editor classes.

    Returns:
        The editors in the order asked for, each once; and one line for each broken plug-in that ``all`` leaves out.

    Raises:
        UsageError: an editor or parameter that does not exist, or a value of the wrong type; one line for each.
    """
    specs: dict[str, EditorSpec] = {}
    problems: list[str] = []
    parts = [wanted] if isinstance(wanted, str) else wanted
    every: list[tuple[str | type, dict[str, str]]] = []
    for part in parts:
        every += [(part, {})] if isinstance(part, type) else split_methods(part)
    faults: list[str] = []
    for name, parameters in every:
        with collected(faults):
            classes, broken = _classes(name)
            problems += broken
            if parameters and len(classes) != 1:
                raise UsageError(
                    f"'{name}' stands for several editors; give parameters to one of them: {', '.join(classes)}."
                )
            for member, editor in classes.items():
                spec = parse_parameters(_public_name(member, editor), editor, parameters)
                other = specs.setdefault(spec.label, spec).editor
                if other is not spec.editor:
                    raise UsageError(
                        f"{_place(other)} and {_place(spec.editor)} are both named '{spec.label}'; give one of them "
                        f"another name; {GUIDE}."
                    )
    refuse(faults)
    return tuple(specs.values()), problems


def _classes(name: str | type) -> tuple[dict[str, type], list[str]]:
    """The classes that one part of ``--methods`` stands for; and one line for each broken plug-in."""
    if isinstance(name, type):
        return {_place(name): _checked(name, _place(name))}, []
    if name == "all":
        return load_every(names())
    members = [member for member in ALIASES.get(name, (name,)) if name not in ALIASES or member in names()]
    return {member: load_class(member) for member in members}, []


def _place(editor: type) -> str:
    return f"{editor.__module__}:{editor.__qualname__}"


def _public_name(name: str, editor: type) -> str:
    """What results call the editor: its name on the command line, or for ``module:Class`` the name that it declares."""
    if ":" not in name:
        return name
    declared = str(editor.name)  # type: ignore[attr-defined]
    if declared in names():
        raise UsageError(f"{name} is named '{declared}' like an editor that exists; give it another name; {GUIDE}.")
    return declared


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _import(name: str, where: str) -> type:
    module, _, attribute = where.partition(":")
    here = str(Path.cwd())
    if ":" in name and not {here, ""} & set(sys.path):
        sys.path.append(here)  # at the end: no file of the user's hides a module that is imported later
    try:
        with at_work(name):
            loaded = import_module(module)
        _refuse_hidden(name, module)
        editor = getattr(loaded, attribute)
    except UsageError:
        raise
    except Exception as error:  # whatever a stranger's module does when imported
        _refuse_hidden(name, module)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"The editor '{name}' ({where}) cannot be loaded: {reason}.") from error
    return _checked(editor, where)


def _refuse_hidden(name: str, module: str) -> None:
    """Refuse ``module:Class`` where the current folder has the module and another of its name was imported."""
    first = module.partition(".")[0]
    found = getattr(sys.modules.get(first), "__file__", None)
    for mine in (Path.cwd() / f"{first}.py", Path.cwd() / first / "__init__.py"):
        if ":" in name and found and mine.is_file() and mine.resolve() != Path(found).resolve():
            raise UsageError(f"The editor '{name}' cannot be loaded from {mine}: {found} has the same name; rename it.")


def _checked(editor: Any, where: str) -> type:
    missing = missing_members(editor)
    if missing:
        raise UsageError(f"{where} is not an editor: it has no {', no '.join(missing)}; {GUIDE}.")
    loaded: type = editor
    return loaded


def missing_members(editor: object) -> Sequence[str]:
    """What an editor must have and this object has not.

    >>> missing_members(type("Half", (), {"name": "half", "space": "S", "paper": "", "edit": print}))
    ['prepare', 'fit']
    """
    if not isinstance(editor, type):
        return ["class"]
    return [member for member in ("name", "space", "paper", "prepare", "fit", "edit") if not hasattr(editor, member)]
