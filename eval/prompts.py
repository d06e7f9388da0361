"""Prompts: what an edit is asked for, in words and in attributes."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.errors import UsageError, unknown


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
        UsageError: the file is missing, is not TOML, holds no prompt, two of one name, or a prompt without a field.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no prompt set {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The prompt set {path} is not valid TOML: {error}.") from None
    tables = data.get("prompt", [])
    if not tables:
        raise UsageError(f"The prompt set {path} holds no [[prompt]].")
    prompts = []
    for number, table in enumerate(tables, 1):
        row = {"source": data.get("source"), **table}
        missing = [name for name in Prompt.__dataclass_fields__ if not row.get(name)]
        if missing:
            raise UsageError(f"Prompt {number} of {path} has no {missing[0]}.")
        prompts.append(Prompt(**{name: str(row[name]) for name in Prompt.__dataclass_fields__}))
    names = [prompt.name for prompt in prompts]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise UsageError(f"The prompt set {path} holds two prompts named '{double}'.")
    return tuple(prompts)


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
        UsageError: with the nearest attribute or value.
    """
    where = f" in {place}" if place else ""
    for prompt in prompts:
        if prompt.attribute not in factors:
            raise unknown(f"attribute (of the prompt '{prompt.name}'{where})", prompt.attribute, factors)
        if prompt.value not in factors[prompt.attribute]:
            raise unknown(
                f"{prompt.attribute} (of the prompt '{prompt.name}'{where})", prompt.value, factors[prompt.attribute]
            )
