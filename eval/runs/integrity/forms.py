"""What the JSON files of a run folder hold: the types of all that readers use, so that no surprise comes later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from eval.errors import shortened

ANY = "*"  # whatever the name
TEXT, WHOLE, NUMBER, TABLE = "a text", "a whole number from 0 up", "a number", "a table"
PLACE = "a whole number from 0 to 1,000,000,000"  # of images, of which no run has more
KINDS = ("default", "calibrated", "matched", "given", "oracle")  # how the strength of a chunk was chosen
TEXTS, NUMBERS = {ANY: TEXT}, {ANY: NUMBER}
MOST, LARGEST = 2**64, 1e300  # of a whole number, of a number
ABOUT_CELLS = {"id!": TEXT, "editor!": TEXT, "prompt!": TEXT}
CHUNK = {**ABOUT_CELLS, "strength!": NUMBER, "first!": PLACE, "count!": PLACE, "effect_goal": NUMBER, "sha256": TEXTS}
# Keys that end in ! must be there, those that end in = as well, but may be null.
FORMS: dict[str, Any] = {
    "manifest.json": {
        "domain": TEXT,
        "arguments": {
            **{"methods": [TEXT], "prompts": [TEXT], "strengths": [TEXT]},
            **{"images": WHOLE, "seed": WHOLE, "batch": WHOLE},
        },
        "editors": {ANY: {"class": TEXT, "parameters": TABLE, "space": TEXT, "paper": TEXT, "sources": TEXTS}},
        **dict.fromkeys(("fingerprints", "recipes", "photographs", "prompts", "packages"), TEXTS),
        **dict.fromkeys(("determinism", "frechet_name", "commit", "device", "precision", "hardware", "created"), TEXT),
        **dict.fromkeys(("identity_floor", "identity_ceiling", "same_person"), NUMBER),
        "inputs": {ANY: TABLE},
        "refreshing": [TEXT],
    },
    "prompts.json": [{"name!": TEXT, "source!": TEXT, "target!": TEXT, "attribute!": TEXT, "value!": TEXT}],
    "factors.json": {ANY: [TEXT]},
    "chunks": {**CHUNK, "kind!": KINDS},
    "failures": {**ABOUT_CELLS, "error": TEXT, "traceback": TEXT},
    "costs": {
        **{"editor!": TEXT, "prepare_s": NUMBER, "prepare_here_s": NUMBER, "hardware": TEXT},
        **{"fit_s": NUMBERS, "fit_here_s": NUMBERS, "artefacts": [TABLE]},
    },
    "strengths": {
        **{"editor!": TEXT, "prompt!": TEXT, "chosen=": NUMBER},
        "sweep!": [{ANY: NUMBER, "strength!": NUMBER, "effect=": NUMBER, "success=": NUMBER}],
    },
}


def form_fault(path: PurePath, value: Any) -> str:
    """What is not as it should be in a file of a run folder; '' for other files, too.

    Args:
        path: of the file.
        value: what it holds; numbers that were not finite are null, which stands for a missing value everywhere.
    """
    failed = path.name.endswith(".error.json")
    form = FORMS.get(path.name, FORMS.get("failures" if failed else path.parent.name))
    return "" if form is None else _fault("", value, form)


def _fault(name: str, value: Any, form: Any) -> str:
    if isinstance(form, list):
        if not isinstance(value, list):
            return _wrong(name, "a list", value)
        return next(filter(None, (_fault(f"{name}[{n}]", each, form[0]) for n, each in enumerate(value))), "")
    if isinstance(form, Mapping):
        return _table_fault(name, value, form)
    if isinstance(form, tuple):
        return "" if value in form else _wrong(name, f"one of {', '.join(form)}", value)
    return "" if _is(value, form) else _wrong(name, form, value)


def _table_fault(name: str, value: Any, form: Mapping[str, Any]) -> str:
    if not isinstance(value, Mapping):
        return _wrong(name, TABLE, value)
    inside = f"{name}." if name else ""
    for key in form:
        if (key.endswith("!") and value.get(key[:-1]) is None) or (key.endswith("=") and key[:-1] not in value):
            return f"its '{inside}{key[:-1]}' is missing"
    for key, each in value.items():
        known = next((form[name] for name in (key, f"{key}!", f"{key}=", ANY) if name in form), None)
        nothing = each is None and not isinstance(known, list | Mapping)  # lists and tables are empty, never null
        if known is not None and not nothing and (fault := _fault(f"{inside}{shortened(key)}", each, known)):
            return fault
    return ""


def _is(value: Any, what: str) -> bool:
    if isinstance(value, bool):
        return False
    if what == WHOLE:
        return isinstance(value, int) and 0 <= value <= MOST
    if what == PLACE:
        return isinstance(value, int) and 0 <= value <= 10**9
    if what == NUMBER:
        return isinstance(value, int | float) and -LARGEST <= value <= LARGEST
    return isinstance(value, str if what == TEXT else Mapping)


def _wrong(name: str, what: str, value: Any) -> str:
    which = f"its '{name}'" if name else "it"
    return f"{which} must be {what}, got {shortened(repr(value), 40)}"
