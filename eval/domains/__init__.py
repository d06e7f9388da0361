"""The domains, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eval.errors import unknown

if TYPE_CHECKING:
    from eval.domains.base import Domain


def _avatars() -> Domain:
    """Vector portraits of known attributes, 64 px; the networks are shipped and the exact answers known."""
    from eval.domains.avatars.domain import load

    return load()


DOMAINS: dict[str, Callable[[], Domain]] = {"avatars": _avatars}  # a loader's docstring describes its domain


def load_domain(name: str) -> Domain:
    """The domain of this name, ready to use.

    Raises:
        UsageError: there is no such domain, or a weight file of it is missing or damaged.
    """
    if name not in DOMAINS:
        raise unknown("domain", name, DOMAINS, "deltabench domains")
    return DOMAINS[name]()
