"""Whether a command goes on with the run of a folder: what may be added to it, and what must not have changed.

Editors, prompts, strengths and images may be added; what is finished stays as it is. Networks, photographs, packages
and the code of an editor must be those that the finished cells were made with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.editors.identity import is_same_source
from eval.errors import UsageError, shortened
from eval.prompts import Prompt
from eval.runs.integrity.seals import Damaged, read_sealed
from eval.runs.plan import Arguments, strength_of

Manifest = Mapping[str, Any]
ALL = "all"  # of --refresh: everything
FIXED = ("schema", "domain", "fingerprints", "recipes", "device", "precision")  # what makes two runs the same
EARLIER = {"device": "cpu", "precision": "float32"}  # of folders whose manifest does not say it
FIXED_ARGUMENTS = ("seed", "batch")
LONGEST_SHOWN = 80  # letters: a sha256 and its like
GROWING = ("methods", "prompts", "strengths")
NUMBERS_REST_ON = (
    *("deltabench", "torch", "torchvision", "numpy", "pillow", "open_clip_torch", "resvg-py", "dicebear-core"),
    *("dicebear-styles", "facenet-pytorch", "pytorch-fid", "onnxruntime", "dlib-bin"),
)  # packages whose other version may make other cells


def grown(folder: Path, arguments: Arguments, batch_is_given: bool = True) -> Arguments:
    """The arguments of the folder's run with these added; these where the folder holds no run.

    Args:
        folder: of the run.
        arguments: asked for.
        batch_is_given: False where the number of images a chunk was not asked for: it is then that of the folder.
    """
    there: dict[str, Any] = {}
    prompts: list[Prompt] = []
    with suppress(OSError, Damaged, KeyError, TypeError):  # what is damaged is told when the folder is claimed
        there = dict(read_sealed(folder / "manifest.json")["arguments"])
        prompts = [Prompt(**each) for each in read_sealed(folder / "prompts.json")]
    if not there:
        return arguments
    named = {prompt.name: prompt for prompt in [*prompts, *arguments.prompts]}
    names = _joined(there.get("prompts") or [p.name for p in prompts], [prompt.name for prompt in arguments.prompts])
    asked = {str(strength): strength for strength in arguments.strengths}
    strengths = _joined(there.get("strengths", ()), list(asked))
    return replace(
        arguments,
        methods=tuple(_joined(there.get("methods", ()), arguments.methods)),
        prompts=tuple(named[name] for name in names if name in named),
        strengths=tuple(asked.get(text) or strength_of(text) for text in strengths),
        batch=arguments.batch if batch_is_given else int(there.get("batch", arguments.batch)),
    )


def _joined(there: Sequence[str], here: Sequence[str]) -> list[str]:
    """Both, in the order of the one that has all, otherwise what is there first.

    >>> _joined(["a", "b"], ["c", "b", "a"]), _joined(["a", "b"], ["c", "b"])
    (['c', 'b', 'a'], ['a', 'b', 'c'])
    """
    return list(here) if set(there) <= set(here) else list(dict.fromkeys([*there, *here]))


def text_sums(prompts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Prompt -> the first digits of the sha256 of all that it says."""
    return {
        prompt["name"]: hashlib.sha256(json.dumps(dict(prompt), sort_keys=True).encode()).hexdigest()[:16]
        for prompt in prompts
    }


def joined(there: Manifest, here: Manifest) -> dict[str, Any]:
    """The manifest of the folder's run with what is added to it."""
    both = {**there, "arguments": dict(here["arguments"]), "packages": here.get("packages", {})}
    both |= {part: here[part] for part in (*FIXED, "photographs") if part in here}
    for part in ("editors", "prompts"):
        both[part] = {**there.get(part, {}), **here.get(part, {})}
    return both


def check_same_run(folder: Path, there: Manifest, here: Manifest, refresh: Sequence[str] = ()) -> None:
    """Refuse to go on where cells of two kinds would come together.

    Args:
        folder: of the run, for the sentence.
        there: its manifest.
        here: that of the command; both as JSON has them.
        refresh: labels of editors whose cells are made anew, or ``all``.

    Raises:
        UsageError: it names what differs, and the ways out.
    """
    difference = next(_differences(there, here, ALL in refresh), "")
    if difference:
        raise UsageError(f"{folder} holds another run: {difference}; choose another --out.")
    if ALL in refresh:
        return
    packages = [there.get("packages", {}), here.get("packages", {})]
    for name in NUMBERS_REST_ON:
        versions = [each.get(name) for each in packages]
        if None not in versions and versions[0] != versions[1]:
            raise UsageError(
                f"The cells of {folder} were made with {name} {shortened(versions[0])}, and {versions[1]} is "
                f"installed: install that again, make all cells anew with --refresh {ALL}, or choose another --out."
            )
    for label, entry in here.get("editors", {}).items():
        change = "" if label in refresh else editor_change(there.get("editors", {}).get(label), entry)
        if change:
            raise UsageError(
                f"The editor {label} is not the one that made its cells in {folder} ({change}): put it back, make them "
                f"anew with --refresh {label.partition('[')[0]}, or choose another --out."
            )


def _differences(there: Manifest, here: Manifest, anew: bool) -> Iterator[str]:
    """What makes two runs of two manifests, in words."""
    if not anew:
        yield from _photographs(there.get("photographs", {}), here.get("photographs", {}))
    for part in FIXED[:2] if anew else FIXED:
        yield from filter(None, [first_difference(part, *(m.get(part, EARLIER.get(part)) for m in (there, here)))])
    old, new = there.get("arguments", {}), here.get("arguments", {})
    for part in FIXED_ARGUMENTS:
        yield from filter(None, [first_difference(part, old.get(part), new.get(part))])
    if any(strength.startswith("matched") for strength in old.get("strengths") or ()):
        yield from filter(None, [first_difference("effects", old.get("effects", "σ"), new.get("effects"))])
    if (old.get("images") or 0) > (new.get("images") or 0):
        yield first_difference("images", old.get("images"), new.get("images"))
    for part in GROWING:
        if not set(old.get(part) or ()) <= set(new.get(part) or ()):
            yield first_difference(part, old.get(part), new.get(part))
    texts = there.get("prompts", {})
    other = [name for name, digest in here.get("prompts", {}).items() if texts.get(name, digest) != digest]
    if other and not anew:
        yield f"its prompt '{shortened(other[0])}' has another text"


def _photographs(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    """Which photographs are others, in words."""
    if there and here:
        others = [name for name, digest in here.items() if there.get(name, digest) != digest]
        shown = {
            "changed": others,
            "missing": [name for name in there if name not in here],
            "new": [name for name in here if name not in there],
        }
        words = [f"{len(names)} {what} ({names[0]})" for what, names in shown.items() if names]
        yield from [f"of its photographs {', '.join(words)}"] if words else []


def editor_change(there: Mapping[str, Any] | None, here: Mapping[str, Any]) -> str:
    """What is not the same of an editor, in words; '' where nothing is, or the folder does not know the editor."""
    if there is None:
        return ""
    sources, now = there.get("sources"), here.get("sources", {})
    if sources:
        every = dict.fromkeys([*sources, *now])
        changed = [name for name in every if not is_same_source(name, sources.get(name), now.get(name))]
        if changed:
            return f"{', '.join(changed[:3])}{' …' if len(changed) > 3 else ''} changed since"
    plain = [{key: value for key, value in entry.items() if key != "sources"} for entry in (there, here)]
    return first_difference("it", *plain)


def first_difference(name: str, there: Any, here: Any) -> str:
    """The first part that differs, in words; '' if none does.

    >>> first_difference("arguments", {"images": 200}, {"images": 50})
    'images is 200 there, 50 here'
    """
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        parts = (first_difference(str(key), there.get(key), here.get(key)) for key in dict.fromkeys([*there, *here]))
        return next((part for part in parts if part), "")
    return "" if there == here else f"{shortened(name)} is {_shown(there)} there, {_shown(here)} here"


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return shortened(",".join(map(str, value)) if isinstance(value, list) else value, LONGEST_SHOWN)
