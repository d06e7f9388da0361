"""An editor with its hyper-parameters, as written on the command line: ``styleclip-global[beta=0.15,alpha=4.1]``."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from eval.editors.isolation import at_work
from eval.errors import EditorStopped, UsageError, shortened, unknown

_BOOLEANS = {"false": False, "no": False, "true": True, "yes": True}


@dataclass(frozen=True)
class Parameter:
    """A hyper-parameter of an editor's constructor.

    Attributes:
        name: of the argument.
        annotation: its type, or the type of its default.
        default: ``inspect.Parameter.empty`` if it must be given.
        allowed: what it may be, where the editor's fields say it (``deltaedit.tools.parameters``).
        about: what it is, likewise.
    """

    name: str
    annotation: Any
    default: Any
    allowed: str = ""
    about: str = ""

    @property
    def type_name(self) -> str:
        """The type in words, for example ``float or none``."""
        return " or ".join(_type_name(option) for option in _options(self.annotation))


@dataclass(frozen=True)
class EditorSpec:
    """An editor to run.

    Attributes:
        name: of the editor.
        editor: its class.
        parameters: those given, by name.
        label: the name and the parameters that differ from their defaults; what results are filed under.
        timeout_s: a call into the editor that takes longer fails; None: it may take for ever.
    """

    name: str
    editor: type
    parameters: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    timeout_s: float | None = None

    def build(self, seed: int) -> Any:
        """Construct the editor; ``seed`` goes to a constructor that takes one and was given none.

        Raises:
            UsageError: the constructor refuses the parameters.
        """
        known = {parameter.name for parameter in parameters_of(self.editor)}
        arguments = ({"seed": seed} if "seed" in known else {}) | dict(self.parameters)
        try:
            with at_work(self.label, self.timeout_s):
                return self.editor(**arguments)
        except Exception as error:
            kind = "" if isinstance(error, (TypeError, ValueError, EditorStopped)) else f"{type(error).__name__}: "
            raise UsageError(f"The editor {self.label} cannot be made: {kind}{' '.join(str(error).split())}") from error


def parameters_of(editor: type) -> tuple[Parameter, ...]:
    """The hyper-parameters of an editor's constructor, in order."""
    if editor.__init__ is object.__init__:  # type: ignore[misc]
        return ()
    try:
        hints = get_type_hints(editor.__init__)  # type: ignore[misc]
    except Exception:  # annotations of a stranger that cannot be resolved: their defaults say the type
        hints = {}
    found = []
    for argument in list(inspect.signature(editor.__init__).parameters.values())[1:]:  # type: ignore[misc]
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
            continue
        guess = str if argument.default in (argument.empty, None) else type(argument.default)
        stated = stated_of(editor).get(argument.name, ("", ""))
        found.append(Parameter(argument.name, hints.get(argument.name, guess), argument.default, *stated))
    return tuple(found)


def stated_of(editor: type) -> dict[str, tuple[str, str]]:
    """What a dataclass's fields say of its hyper-parameters: what each may be, and what it is."""
    stated = [each for each in fields(editor) if "rule" in each.metadata] if is_dataclass(editor) else []
    return {each.name: (each.metadata["rule"].text, each.metadata["about"]) for each in stated}


def split_methods(text: str) -> list[tuple[str, dict[str, str]]]:
    """Names and raw parameters; commas inside brackets do not part editors.

    >>> split_methods("styleclip-global[beta=0.15,alpha=4.1], deltaedit")
    [('styleclip-global', {'beta': '0.15', 'alpha': '4.1'}), ('deltaedit', {})]

    Raises:
        UsageError: no editor, a bracket left open, or a parameter without a value.
    """
    pieces = [piece.strip() for piece in re.split(r",(?![^\[\]]*\])", text)]
    found = []
    for piece in pieces:
        match = re.fullmatch(r"([^\[\]\s]+)(?:\[([^\[\]]*)\])?", piece)
        if match is None:
            raise UsageError(
                f"'{shortened(piece)}' in --methods '{shortened(text)}' is not an editor; write e.g. "
                "deltaedit,styleclip-global[beta=0.15]."
            )
        assignments = [part.strip() for part in (match[2] or "").split(",") if part.strip()]
        wrong = next((part for part in assignments if not re.fullmatch(r"\w+\s*=\s*\S.*", part)), None)
        if wrong is not None:
            raise UsageError(f"'{shortened(wrong)}' in '{shortened(piece)}' is not a parameter; write name=value.")
        found.append((match[1], {k.strip(): v.strip() for k, v in (part.split("=", 1) for part in assignments)}))
    return found


def parse_parameters(name: str, editor: type, raw: Mapping[str, str]) -> EditorSpec:
    """Give the parameters their types.

    Raises:
        UsageError: a parameter that the editor does not have, a value of another type, or one that is missing.
    """
    known = {parameter.name: parameter for parameter in parameters_of(editor)}
    for key in raw:
        if key not in known:
            if not known:
                raise UsageError(f"The editor {name} has no parameters; '{key}' was given.")
            raise unknown(f"parameter of {name}", key, known, f"deltabench methods show {name}")
    missing = [key for key, p in known.items() if p.default is inspect.Parameter.empty and key not in raw]
    if missing:
        raise UsageError(f"The editor {name} needs a value: write {name}[{missing[0]}=…].")
    parameters = {key: _convert(name, parameter, raw[key]) for key, parameter in known.items() if key in raw}
    shown = [f"{key}={_text(value)}" for key, value in parameters.items() if value != known[key].default]
    return EditorSpec(name, editor, parameters, f"{name}[{','.join(shown)}]" if shown else name)


def _options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _type_name(option: Any) -> str:
    if get_origin(option) is Literal:
        return " or ".join(map(str, get_args(option)))
    return "none" if option is type(None) else getattr(option, "__name__", str(option))


def _convert(editor: str, parameter: Parameter, text: str) -> Any:
    """The value that ``text`` means: that of the first of the parameter's types that takes it, plain text last."""
    for option in sorted(_options(parameter.annotation), key=lambda option: option is str):
        if option is type(None) and text.lower() == "none":
            return None
        if option is bool and text.lower() in _BOOLEANS:
            return _BOOLEANS[text.lower()]
        if get_origin(option) is Literal and text in map(str, get_args(option)):
            return next(value for value in get_args(option) if str(value) == text)
        if option in (int, float, str):
            try:
                return option(text)
            except ValueError:
                continue
    raise UsageError(
        f"The '{parameter.name}' parameter of {editor} must be {parameter.type_name}. Got '{shortened(text)}' instead."
    )


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)
