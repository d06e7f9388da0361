"""The public weight files that users have: what each is for, where it comes from, where it is, whether it is whole.

Nothing is ever fetched. A file is looked for in ``$DELTABENCH_WEIGHTS`` and then in ``weights`` of the user's cache
folder, in each of them first in the domain's own subfolder: ``ffhq/fs3.npy`` before ``fs3.npy``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deltaedit.tools.files import keep
from eval.errors import UsageError
from eval.folders import cache_folder

FOLDER_VARIABLE = "DELTABENCH_WEIGHTS"
UNCHECKED_VARIABLE = "DELTABENCH_UNCHECKED"  # set to anything: other files than the published ones are used as well
BLOCK = 1 << 22  # bytes read at once


@dataclass(frozen=True)
class WeightFile:
    """A public file.

    Attributes:
        name: as it is published; with the domain's folder before it where several domains have a file of that name.
        what: what it holds.
        domains: whose it is.
        source: the project page that says where to get it.
        sha256: the sum, or as many first digits of it as are published; '' where none is known.
        git_blob: name of the file's content in its project's git repository, which is a sha1; '' where it is in none.
        optional: a domain works without it.
    """

    name: str
    what: str
    domains: tuple[str, ...]
    source: str
    sha256: str = ""
    git_blob: str = ""
    optional: bool = False


DELTAEDIT = "github.com/Yueming6568/DeltaEdit"
E4E = "github.com/omertov/encoder4editing"
FACENET = "github.com/timesler/facenet-pytorch (release v2.2.9)"
NVIDIA = "github.com/NVlabs/stylegan2-ada-pytorch"
OPENAI = "github.com/openai/CLIP"
PYTORCH_FID = "github.com/mseitzer/pytorch-fid (release fid_weights)"
STYLECLIP = "github.com/orpatashnik/StyleCLIP"
PHOTOS = ("ffhq", "afhqcat", "church")  # the domains that are described in this package

# Sums: OpenAI's are part of its download addresses, Inception's first digits part of the file's name, git's those of
# the public repositories. The other projects publish none.
WEIGHT_FILES = (
    WeightFile(
        "stylegan2-ffhq-config-f.pt", "generator, 1024 px (rosinality's layout)", ("ffhq",), f"{E4E}, {DELTAEDIT}"
    ),
    WeightFile("e4e_ffhq_encode.pt", "encoder e4e: photograph to W+", ("ffhq",), E4E, optional=True),
    WeightFile("net_face.pth", "DeltaEdit's trained Delta Mapper", ("ffhq",), DELTAEDIT, optional=True),
    WeightFile(
        "fs3.npy",
        "R_s of the generator, 6048 x 512",
        ("ffhq",),
        f"{DELTAEDIT} (models/stylegan2/npy_ffhq)",
        git_blob="ef9dc0a49a4e2ffe1c81b8632baab6e3a4466726",
        optional=True,
    ),
    WeightFile("sspace_ffhq_feat.npy", "styles of 58,000 inverted photographs", ("ffhq",), DELTAEDIT, optional=True),
    WeightFile("cspace_ffhq_feat.npy", "CLIP features of the same", ("ffhq",), DELTAEDIT, optional=True),
    WeightFile("wspace_ffhq_feat.npy", "W+ codes of the same", ("ffhq",), DELTAEDIT, optional=True),
    WeightFile(
        "wplus_img_feat.npy",
        "W+ codes of 20 photographs, to edit",
        ("ffhq",),
        f"{DELTAEDIT} (examples)",
        sha256="ae57e33a8ea7f4ae675fdf39120eb7cd73f910bae50a1aa6783d784477bcabaf",
        optional=True,
    ),
    WeightFile("afhqcat.pkl", "generator, 512 px", ("afhqcat",), NVIDIA),
    WeightFile(
        "afhqcat/fs3.npy",
        "R_s of the generator",
        ("afhqcat",),
        f"{STYLECLIP} (global_directions/npy/afhqcat)",
        git_blob="1cdd7057428fb8b46dd1badb0f277594a9615857",
        optional=True,
    ),
    WeightFile("stylegan2-church/netG.pth", "generator, 256 px (rosinality's layout)", ("church",), DELTAEDIT),
    WeightFile("e4e_church_encode.pt", "encoder e4e: photograph to W+", ("church",), E4E, optional=True),
    WeightFile(
        "ViT-B-32.pt",
        "OpenAI's CLIP ViT-B/32, which every editor uses",
        PHOTOS,
        OPENAI,
        sha256="40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    ),
    WeightFile(
        "ViT-L-14.pt",
        "OpenAI's CLIP ViT-L/14: judge of attributes and texts",
        PHOTOS,
        OPENAI,
        sha256="b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
    ),
    WeightFile(
        "pt_inception-2015-12-05-6726825d.pth",
        "Inception: features of the Fréchet distance",
        PHOTOS,
        PYTORCH_FID,
        sha256="6726825d",
    ),
    WeightFile("20180402-114759-vggface2.pt", "InceptionResnetV1: judge of identity", ("ffhq",), FACENET),
    WeightFile(
        "20180408-102900-casia-webface.pt",
        "InceptionResnetV1 of other faces, for editors with an identity loss",
        ("ffhq",),
        FACENET,
        optional=True,
    ),
)


def folders() -> tuple[Path, ...]:
    """Where weight files are looked for, in this order."""
    own = os.environ.get(FOLDER_VARIABLE)
    return (*((Path(own),) if own else ()), cache_folder() / "weights")


def places(name: str, domain: str = "") -> Iterator[Path]:
    """Paths where a file may be, the most particular first.

    Args:
        name: of the file.
        domain: whose subfolders are looked in, too.
    """
    for folder in folders():
        if domain:
            yield folder / domain / name
        yield folder / name


def find(name: str, domain: str = "") -> Path | None:
    """The file of this name, or None."""
    return next((path for path in places(name, domain) if path.is_file()), None)


def known(name: str, domain: str) -> WeightFile | None:
    """What is published of a file that a domain names; None if nothing is.

    A file of several domains is the same network everywhere. Others have names such as ``fs3.npy``, which means another
    file in each domain.
    """
    named = (file for file in WEIGHT_FILES if file.name == name)
    return next((file for file in named if domain in file.domains or file.domains == PHOTOS), None)


def by_file_name(path: Path) -> WeightFile | None:
    """What a file of this name is published as; None if nothing is."""
    return next((file for file in WEIGHT_FILES if Path(file.name).name == path.name), None)


def missing(names: Sequence[str], domain: str) -> UsageError:
    """The error for files without which a domain cannot be used.

    Args:
        names: of the files.
        domain: that needs them.
    """
    quoted = ", ".join(f"'{name}'" for name in names)
    return UsageError(
        f"The domain '{domain}' needs {'the file' if len(names) == 1 else 'the files'} {quoted}, not found in "
        f"{' or '.join(map(str, folders()))}; `deltabench models --domain {domain}` says where to get "
        f"{'it' if len(names) == 1 else 'them'}."
    )


def check(path: Path, name: str, domain: str) -> None:
    """Compare a file's sum with the published one, where that is known.

    Args:
        path: where it is.
        name: of the file.
        domain: that needs it.

    Raises:
        UsageError: it is damaged, or another file.
    """
    file = known(name, domain)
    wrong = None if file is None or os.environ.get(UNCHECKED_VARIABLE) else fault(file, path)
    if wrong:
        raise UsageError(
            f"{wrong}; `deltabench models --domain {domain}` says where to get it, and {UNCHECKED_VARIABLE}=1 uses "
            "this file nevertheless."
        )


def fault(file: WeightFile, path: Path) -> str | None:
    """What is wrong with a file that is there, as the beginning of a sentence; None if nothing is known to be."""
    got_sha256, got_blob = digests(path)
    if file.sha256 and not got_sha256.startswith(file.sha256):
        return f"{path} is damaged or another file: its sha256 is {got_sha256[:16]}…, that of '{file.name}' " + (
            f"{'is' if len(file.sha256) == 64 else 'begins with'} {file.sha256[:16]}"
            f"{'…' if len(file.sha256) > 16 else ''}"
        )
    if file.git_blob and got_blob != file.git_blob:
        return (
            f"{path} is damaged or another file: its git blob is {got_blob[:16]}…, that of '{file.name}' "
            f"is {file.git_blob[:16]}…"
        )
    return None


def sha256(path: Path) -> str:
    """Sum of a file's content, computed once for each size and time of change."""
    return digests(path)[0]


def digests(path: Path) -> tuple[str, str]:
    """The sha256 of a file's content, and the name that git has for it; kept in the user's cache folder.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        path = path.resolve()
        stat = path.stat()
        memory = cache_folder() / "digests" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:24]}.json"
        state = [str(path), stat.st_size, stat.st_mtime_ns]
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(memory.read_text(encoding="utf-8"))
            if kept["state"] == state:
                return str(kept["sha256"]), str(kept["git_blob"])
        found = _digests(path, stat.st_size)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from None
    record = json.dumps({"state": state, "sha256": found[0], "git_blob": found[1]})
    keep(memory, lambda file: file.write(record.encode()))
    return found


def _digests(path: Path, size: int) -> tuple[str, str]:
    whole, blob = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
            blob.update(block)
    return whole.hexdigest(), blob.hexdigest()
