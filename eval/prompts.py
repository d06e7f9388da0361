"""Prompts: what an edit is asked for, in words and in attributes."""

from __future__ import annotations

import codecs
import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.errors import UsageError, refuse, unknown

if TYPE_CHECKING:
    from deltaedit.backbones.clip import Clip

FORM = (
    'Write source = "face" and, for each prompt, [[prompt]] with name = "glasses", target = "face with glasses", '
    'attribute = "eyeglasses", value = "round".'
)
FORMS = {  # of what is written in TOML
    "prompt set": FORM,
    "domain": "docs/real_domains.md shows the form.",
    "ablation": "docs/ablations.md shows the form.",
}
DESCRIPTION_KEYS = ("name", "fit", "editing", "judges", "factors", "regions")  # of a domain, which holds prompts, too
TOP_KEYS = ("source", "prompt", *DESCRIPTION_KEYS)


@dataclass(frozen=True)
class Prompt:
    """One edit to make.

    Attributes:
        name: short and unique, for example ``glasses``.
        source: text of what the image is, for example ``face``.
        target: text of what it should become, for example ``face with glasses``.
        attribute: the factor that the text asks to change.
        value: the value of that factor that it asks for.
    """

    name: str
    source: str
    target: str
    attribute: str
    value: str


def load_prompts(path: Path) -> tuple[Prompt, ...]:
    """Read a prompt set: a TOML file with ``source = "…"`` and one ``[[prompt]]`` table per prompt.

    Raises:
        UsageError: the file cannot be read, holds no prompt, two of one name, or prompts with fields that are missing,
            unknown or no texts; one line for each fault.
    """
    data = load_toml(path, "prompt set")
    faults = [str(unknown(f"key (of {path})", key, TOP_KEYS)) for key in data if key not in TOP_KEYS]
    tables = data.get("prompt", [])
    if isinstance(tables, dict) and not any(isinstance(value, dict) for value in tables.values()):
        tables = [tables]  # [prompt]: one table
    if isinstance(tables, dict):
        first = next(name for name, value in tables.items() if isinstance(value, dict))
        raise UsageError(f"The prompt set {path} has a table [prompt.{first}], which is not its form. {FORM}")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"'prompt' of {path} must be tables, got {_short(tables)}. {FORM}")
    if not tables and not faults:
        raise UsageError(f"The prompt set {path} holds no [[prompt]]. {FORM}")
    rows = [{"source": data.get("source"), **table} for table in tables]
    faults += [fault for number, row in enumerate(rows, 1) for fault in _faults(row, f"prompt {number} of {path}")]
    names = [row.get("name") for row in rows]
    doubles = dict.fromkeys(name for name in names if isinstance(name, str) and names.count(name) > 1)
    refuse([*faults, *(f"The prompt set {path} holds two prompts named '{name}'." for name in doubles)])
    return tuple(Prompt(**row) for row in rows)


def _faults(row: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with the fields of a prompt."""
    fields = Prompt.__dataclass_fields__
    odd = [name for name in row if name not in fields]
    faults = [str(unknown(f"field (of {where})", name, fields)) for name in odd]
    meant = {near for name in odd for near in difflib.get_close_matches(name, fields, n=1)}
    for name in fields:
        value = row.get(name)
        if value in (None, "") and name in meant:
            continue
        if value is None or value == "":
            faults.append(f"{where[0].upper()}{where[1:]} has no {name}. {FORM}")
        elif not isinstance(value, str) or not value.strip():
            faults.append(f"The {name} of {where} must be a text in quotes. Got {_short(value)} instead.")
    return faults


def load_toml(path: Path, what: str) -> dict[str, Any]:
    """A TOML file in any encoding that an editor of texts writes: UTF-8 or UTF-16, each with or without its mark.

    Args:
        path: the file.
        what: it is, a key of ``FORMS``.

    Raises:
        UsageError: it is missing or cannot be read, or is no TOML.
    """
    try:
        content = path.read_bytes()
        return tomllib.loads(content.decode(_encoding(content)).replace("\r\n", "\n"))
    except FileNotFoundError:
        raise UsageError(f"There is no {what} {path}.") from None
    except OSError as error:
        raise UsageError(f"The {what} {path} cannot be read ({error.strerror or error}).") from None
    except UnicodeError:
        raise UsageError(f"The {what} {path} is no text in UTF-8; save it in that encoding.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80] or "nested without end"
        raise UsageError(f"The {what} {path} is not valid TOML: {reason}. {FORMS[what]}") from None


def _encoding(content: bytes) -> str:
    """Of a text: by its mark, or by the zeros that letters of ASCII have in UTF-16; otherwise UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if (first := content[::2].count(0)) == (second := content[1::2].count(0)):
        return "utf-8-sig"
    return "utf-16-be" if first > second else "utf-16-le"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def idle_notes(prompts: Sequence[Prompt]) -> list[str]:
    """A sentence for each prompt that asks for what is there already."""
    return [
        f"The prompt '{prompt.name}' has the same source and target, '{prompt.target}': editors that follow the "
        "difference of the two change nothing."
        for prompt in prompts
        if prompt.source == prompt.target
    ]


def length_notes(prompts: Sequence[Prompt], clips: Mapping[str, Clip]) -> list[str]:
    """A sentence for each text that a CLIP cannot read whole, or that has words which it never saw.

    Args:
        prompts: whose texts.
        clips: what a CLIP is called in the sentence -> the CLIP.
    """
    notes = []
    for text in dict.fromkeys(text for prompt in prompts for text in (prompt.source, prompt.target)):
        for name, clip in clips.items():
            if (cut := clip.cut(text)) is not None:
                notes.append(
                    f"The text '{text[:60]}{'…' if len(text) > 60 else ''}' has {cut.tokens} tokens, but the {name} "
                    f"reads {cut.limit}: it is cut after '…{cut.read[-30:]}'."
                )
            if strange := clip.unknown_words(text):
                words = f"word{'s' if len(strange) > 1 else ''} {', '.join(map(repr, strange[:5]))}"
                notes.append(
                    f"The {name} never saw the {words}{' …' if len(strange) > 5 else ''} of "
                    f"'{text[:60]}{'…' if len(text) > 60 else ''}': what it makes of that is a guess."
                )
    return notes


def other_sets(domain: str) -> dict[str, Path]:
    """Prompt sets that come with a domain besides its default one: name -> file."""
    folder = Path(str(files("eval.domains"))) / domain
    return {path.stem.removeprefix("prompts_"): path for path in sorted(folder.glob("prompts_*.toml"))}


def choose(prompts: Sequence[Prompt], wanted: Sequence[str]) -> tuple[Prompt, ...]:
    """The prompts of these names, in the order of the set; all of them for an empty choice.

    Raises:
        UsageError: a name that the set does not have.
    """
    names = [prompt.name for prompt in prompts]
    for name in wanted:
        if name not in names:
            raise unknown("prompt", name, names, "deltabench prompts")
    return tuple(prompt for prompt in prompts if not wanted or prompt.name in wanted)


def check_prompts(prompts: Sequence[Prompt], factors: Mapping[str, Collection[str]], place: str = "") -> None:
    """Refuse prompts about attributes that the domain's judge does not know.

    Args:
        prompts: to look at.
        factors: attribute -> its values.
        place: where the prompts were written, for the sentence; a file.

    Raises:
        UsageError: one line a prompt, with the nearest attribute or value.
    """
    where = f" in {place}" if place else ""
    faults = []
    for prompt in prompts:
        known = factors.get(prompt.attribute)
        if known is None:
            faults.append(unknown(f"attribute (of the prompt '{prompt.name}'{where})", prompt.attribute, factors))
        elif prompt.value not in known:
            faults.append(unknown(f"{prompt.attribute} (of the prompt '{prompt.name}'{where})", prompt.value, known))
    refuse([str(fault) for fault in faults])
