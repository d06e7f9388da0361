"""Domains of photographs: each is a TOML file that names public weight files, judges, factors and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eval.domains.photos.description import Description

FOLDER = Path(__file__).parent
NAMES = ("ffhq", "afhqcat", "church")  # a TOML file of each is in this folder


def description_file(name: str) -> Path:
    """The TOML file of one of the domains that come with the package."""
    return FOLDER / f"{name}.toml"


def described(name: str) -> Description | None:
    """The description of a domain; None of one that is not described by a TOML file.

    Args:
        name: what ``--domain`` takes: a name, or the path of a TOML file.

    Raises:
        UsageError: a mistake in the file.
    """
    from eval.domains.photos.description import read_description

    if name.endswith(".toml"):
        return read_description(Path(name))
    return read_description(description_file(name)) if name in NAMES else None
