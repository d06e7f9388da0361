"""What editors work with, assembled from the weight files that users already have (docs/checkpoints.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.backbones.noise import with_noise
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain, TrainingSet
from deltaedit.tools.errors import CheckpointError
from deltaedit.tools.files import file_sha256
from eval.folders import cache_folder
from eval.weights.checkpoints import read_e4e, read_generator
from eval.weights.clip_files import read_clip
from eval.weights.given_files import given_artefacts

if TYPE_CHECKING:
    from deltaedit.backbones.clip import Clip
    from deltaedit.backbones.encoder import Encoder4Editing
    from deltaedit.backbones.generator import Generator
    from deltaedit.backbones.stylegan2 import StyleGAN2

BATCH_PIXELS = 4 * 1024 * 1024  # pictures of the training set at a time: 4 of 1024 px
# Where the face lies in an FFHQ-aligned picture, as shares of its side: top, bottom, left, right. StyleCLIP's identity
# loss cuts rows 35-223 and columns 32-220 of 256.
FACE = (35 / 256, 223 / 256, 32 / 256, 220 / 256)


@dataclass(frozen=True)
class TrainingLatents:
    """What a Delta Mapper learns from, one row an image, as the official files hold it.

    Attributes:
        styles: ``sspace_img_feat.npy``, [N, C].
        features: ``cspace_img_feat.npy``, CLIP image features [N, E] of any norm.
        w_plus: ``wplus_img_feat.npy``, [N, L, D]; only for mappers whose output is in W+.
    """

    styles: Path
    features: Path
    w_plus: Path | None = None


@dataclass(frozen=True)
class CheckpointFiles:
    """The weight files of a generator and of what stands around it.

    Attributes:
        generator: rosinality's ``.pt``, NVIDIA's ``.pkl`` or our ``.safetensors``.
        clip: weights of the editing CLIP: OpenAI's TorchScript archive, a state dict, or safetensors.
        clip_architecture: open_clip's name for it; OpenAI's weights need the names that end in ``-quickgelu``.
        encoder: an e4e checkpoint; without one only codes can be edited, no pictures.
        identity: ``20180402-114759-vggface2.pt``, for editors whose loss has an identity term. It looks at the place
            where FFHQ-aligned pictures have the face.
        delta_mapper: ``net_face.pth``, used instead of training a Delta Mapper.
        relevance: ``fs3.npy``, used instead of computing R_s.
        styleclip_mapper: a mapper of StyleCLIP, for the one prompt that it was trained for.
        training_latents: what a Delta Mapper is trained on; samples of the generator if None.
        truncation: ψ of samples; 0.7 in StyleCLIP's statistics.
        noise: ``fixed`` for the file's maps, ``random`` for maps drawn once, ``none``.
        training_samples: how many samples a Delta Mapper is trained on without ``training_latents``.
    """

    generator: Path
    clip: Path | None = None
    clip_architecture: str = "ViT-B-32-quickgelu"
    encoder: Path | None = None
    identity: Path | None = None
    delta_mapper: Path | None = None
    relevance: Path | None = None
    training_latents: TrainingLatents | None = None
    styleclip_mapper: Path | None = None
    truncation: float = 0.7
    noise: str = "fixed"
    training_samples: int = 10_000

    def networks(self) -> dict[str, Path]:
        """The files whose weights determine what editors compute, by role."""
        named = {"generator": self.generator, "clip": self.clip, "encoder": self.encoder, "identity": self.identity}
        return {role: Path(path) for role, path in named.items() if path is not None}


def editing_domain(
    files: CheckpointFiles, name: str = "checkpoint", device: torch.device | str = "cpu"
) -> EditingDomain:
    """The editors' half of a domain, read from files.

    Args:
        files: which.
        name: of the domain, for messages.
        device: where the networks go.

    Raises:
        CheckpointError: no CLIP is named, a file is missing, damaged or of another kind, or it does not fit the others.
    """
    if files.clip is None:
        raise CheckpointError(
            f"The domain '{name}' has no CLIP: name a weights file for {files.clip_architecture}, for example OpenAI's "
            "ViT-B-32.pt."
        )
    place = torch.device(device)
    generator = read_generator(files.generator).to(place)
    synthesis = _synthesis(generator, files.noise)
    clip = read_clip(files.clip, files.clip_architecture).to(place)
    encoder = None if files.encoder is None else read_e4e(files.encoder).to(place)
    if encoder is not None:
        _check_encoder(Path(str(files.encoder)), encoder, synthesis)
    sample = sampler(generator, synthesis, files.truncation)
    given = given_artefacts(files.delta_mapper, files.relevance, files.styleclip_mapper, synthesis, clip, sample)
    return EditingDomain(
        name=name,
        synthesis=synthesis,
        encoder=encoder,
        clip=clip,
        sample=sample,
        training_set=lambda: _training_set(files, synthesis, clip, sample),
        artefacts=Artefacts(cache_folder() / "artefacts", given=given, device=place),
        fingerprint=fingerprint(files),
        device=place,
        identity=None if files.identity is None else identity_of_faces(files.identity, place),
    )


def sampler(generator: Generator, synthesis: StyleGAN2, truncation: float) -> Callable[[int, int], Latents]:
    """(count, seed) -> latents: z of the seed, w, truncated; a smaller count gives the first of the same."""

    def sample(count: int, seed: int) -> Latents:
        z = torch.randn(count, generator.mapping.z_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            w_plus = generator.w_plus(z.to(generator.w_mean), truncation)
            return Latents.from_w_plus(synthesis, w_plus)

    return sample


def identity_of_faces(path: Path, device: torch.device | str = "cpu") -> Callable[[Tensor], Tensor]:
    """FFHQ-aligned pictures float32 [N, 3, H, W] in [-1, 1] -> unit float32 [N, 512], with gradients.

    Raises:
        CheckpointError: the file is missing, damaged, or holds other weights.
    """
    from eval.weights.facenet import FaceIdentity

    network = FaceIdentity(path).to(device)
    top, bottom, left, right = FACE

    def identity(images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        rows = slice(round(top * height), max(round(bottom * height), 1))
        embedding: Tensor = network(images[:, :, rows, round(left * width) : max(round(right * width), 1)])
        return embedding

    return identity


def fingerprint(files: CheckpointFiles) -> str:
    """sha256 over the networks' files and over how they are used; part of every artefact's key."""
    digests = {role: file_sha256(path) for role, path in files.networks().items()}
    use = [files.clip_architecture, f"{files.truncation:g}", files.noise]
    if files.training_latents is not None:
        use += [file_sha256(files.training_latents.styles), file_sha256(files.training_latents.features)]
    else:
        use += [str(files.training_samples)]
    return hashlib.sha256(repr((sorted(digests.items()), use)).encode()).hexdigest()


def _synthesis(generator: Generator, noise: str) -> StyleGAN2:
    """The generator's synthesis network with the noise that is asked for.

    Raises:
        ValueError: there is no such noise.
    """
    maps = generator.noise(noise, generator=torch.Generator().manual_seed(0))
    return generator.synthesis if maps is None else with_noise(generator.synthesis, maps)


def _check_encoder(path: Path, encoder: Encoder4Editing, synthesis: StyleGAN2) -> None:
    rows, size = encoder.w_mean.shape
    if (rows, size) != (synthesis.latents, synthesis.w_dim):
        raise CheckpointError(
            f"{path} is an encoder for a generator with {rows} rows of W+ of length {size}, but this generator has "
            f"{synthesis.latents} of length {synthesis.w_dim}."
        )


def _training_set(
    files: CheckpointFiles, synthesis: StyleGAN2, clip: Clip, sample: Callable[[int, int], Latents]
) -> TrainingSet:
    """The given latents, or samples of the generator and their pictures' CLIP features."""
    if files.training_latents is not None:
        return read_training_latents(files.training_latents, synthesis)
    latents = sample(files.training_samples, 0)
    batch = max(1, BATCH_PIXELS // synthesis.resolution**2)
    with torch.inference_mode():
        blocks = (latents[start : start + batch] for start in range(0, len(latents), batch))
        features = [clip.encode_images(synthesis.synthesize(block.s, block.s_rgb)) for block in blocks]
    return TrainingSet(latents.s, torch.cat(features).clone(), ("sampled",) * len(latents), latents.w_plus)


def read_training_latents(latents: TrainingLatents, synthesis: StyleGAN2) -> TrainingSet:
    """The training set of files of latents; the arrays stay on the disk and are read where they are needed.

    Raises:
        CheckpointError: a file is missing or damaged, of another size, or the files differ in their number of images.
    """
    from torch.nn import functional as F

    styles = mapped_array(latents.styles, (synthesis.s_size,))
    features = F.normalize(mapped_array(latents.features, (None,)).float(), dim=1)
    w_plus = None if latents.w_plus is None else mapped_array(latents.w_plus, (synthesis.latents, synthesis.w_dim))
    for path, array in ((latents.features, features), (latents.w_plus, w_plus)):
        if array is not None and len(array) != len(styles):
            raise CheckpointError(f"{path} holds {len(array)} images, but {latents.styles} holds {len(styles)}.")
    return TrainingSet(styles, features, (), w_plus)


def mapped_array(path: Path, size: tuple[int | None, ...]) -> Tensor:
    """A ``.npy`` file of float32 [N, *size] as a tensor whose numbers stay on the disk; None stands for any length.

    Raises:
        CheckpointError: the file is missing or damaged, or of another size or type.
    """
    import numpy as np

    from eval.weights.formats.files import existing, load_array

    try:
        array = np.load(
            existing(path), mmap_mode="c", allow_pickle=False
        )  # c: writes, of which there are none, stay here
    except (ValueError, OSError, EOFError):
        load_array(path)  # says in one sentence what is wrong with the file
        raise
    shape: Mapping[int, int | None] = dict(enumerate(size, 1))
    fits = array.ndim == len(size) + 1 and all(n is None or array.shape[axis] == n for axis, n in shape.items())
    if not fits or array.dtype != np.float32:
        wanted = ", ".join(["N", *("any" if n is None else str(n) for n in size)])
        raise CheckpointError(
            f"{path} does not fit: its array is {array.dtype} {tuple(array.shape)}, expected float32 [{wanted}]."
        )
    return torch.from_numpy(array)
