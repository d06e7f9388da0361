"""A photograph of one's own, to be edited: aligned, told as a code, and the generator tuned to it.

The encoder tells w, some steps of Adam improve it, and then the convolutions of a copy of the generator are tuned at
that w until the picture is the photograph's (pivotal tuning, Roich et al. 2021, arXiv 2106.05744). Tuned for long, the
generator shows the photograph better and takes edits worse; ``TUNING_STEPS`` is what was measured to do both.
The perceptual loss looks at the editing CLIP's trunk, never at a network that judges.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.latents import Latents
from deltaedit.backbones.mobilestylegan import MobileSynthesis
from eval.domains.faces.alignment import RGB, Alignment, find_face
from eval.domains.faces.generator import FaceGenerator
from eval.domains.faces.networks import DlibIdentity
from eval.pictures import read_picture
from eval.pixels import round_to_8_bit, to_uint8

CODE_STEPS, CODE_LEARNING_RATE = 30, 0.05
TUNING_STEPS, TUNING_LEARNING_RATE = 60, 1e-3
WARM_UP = 5  # steps
PERCEPTUAL_WEIGHT = 0.5  # beside the mean square of pixels in [-1, 1]
FAR_WEIGHT, NEAR_VARIANCE = 0.01, 1.5  # codes farther from the mean than samples are, in variances, cost


class CodeEncoder(nn.Module):
    """Tells the code of an aligned picture: the editing CLIP's trunk and one linear map.

    Args:
        trunk: RegNetY-200MF of the editing CLIP.
        width: of its features.
        rows: L of W+.
    """

    def __init__(self, trunk: nn.Module, width: int, rows: int) -> None:
        super().__init__()
        self.trunk, self.rows = trunk, rows
        self.head = nn.Linear(width, 512)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of all stages: images float [N, 3, 256, 256] in [-1, 1] -> floats [N, C, h, w]."""
        x, found = F.avg_pool2d(images, 2).contiguous(memory_format=torch.channels_last), []
        for name in ("stem", "s1", "s2", "s3", "s4"):
            x = getattr(self.trunk, name)(x)
            found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Images float [N, 3, 256, 256] in [-1, 1] -> w_plus float32 [N, L, 512], the same w in all rows."""
        w: Tensor = self.head(self.trunk(F.avg_pool2d(images, 2).contiguous(memory_format=torch.channels_last)))
        return w[:, None].expand(-1, self.rows, -1)


@dataclass(frozen=True)
class Photograph:
    """A photograph that can be edited.

    Attributes:
        pixels: uint8 [H, W, 3], upright.
        alignment: where its face is.
        aligned: uint8 [256, 256, 3].
        latents: its code.
        synthesis: the generator, tuned to it.
        notes: what was done and how well, one sentence each.
    """

    pixels: RGB
    alignment: Alignment
    aligned: RGB
    latents: Latents
    synthesis: MobileSynthesis
    notes: tuple[str, ...]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of a square around the face, of twice its side where there is room."""
        height, width = self.pixels.shape[:2]
        side = min(height, width, round(2 * self.alignment.side_px))
        left, top = (
            min(max(0, round(float(at) - side / 2)), length - side)
            for at, length in zip(self.alignment.centre, (width, height), strict=True)
        )
        return slice(top, top + side), slice(left, left + side)

    def paste(self, face: RGB) -> RGB:
        """The photograph with an edited face, uint8 [256, 256, 3]."""
        return self.alignment.paste(self.pixels, face)


def take(path: Path, generator: FaceGenerator, encoder: CodeEncoder, identity: DlibIdentity) -> Photograph:
    """Read a photograph and make it editable.

    Args:
        path: of the file.
        generator: stays as it is; a copy is tuned.
        encoder: start of the code, and features to compare by.
        identity: finds the landmarks, and says whether the inversion is the same person.

    Raises:
        UsageError: the file is no picture, or does not show exactly one face from the front, large enough.
    """
    read = read_picture(path, fit="whole")
    pixels = to_uint8(read.pixels[None])[0]
    alignment = Alignment.of(find_face(pixels, path.name, identity.predictor))
    target = alignment.cut(pixels)
    inversion = Inversion(target, generator, encoder)
    w = inversion.code(CODE_STEPS)
    first = inversion.told(w, generator.synthesis, identity)
    synthesis = inversion.tuned(w, TUNING_STEPS)
    last = inversion.told(w, synthesis, identity)
    notes = (
        *read.notes,
        f"The face of {path.name} ({alignment.side_px:.0f} px) as a code: {first}.",
        f"With the generator tuned to it: {last} (dlib calls less than .6 the same person).",
    )
    latents = Latents.from_w_plus(synthesis, w[:, None].expand(-1, synthesis.latents, -1))
    return Photograph(pixels, alignment, to_uint8(target)[0], latents, synthesis, notes)


class Inversion:
    """Finds what a generator needs to draw one picture.

    Args:
        target: float32 [1, 3, 256, 256] in [-1, 1], aligned.
        generator: whose code is looked for.
        encoder: start of the code, and features to compare by.
    """

    def __init__(self, target: Tensor, generator: FaceGenerator, encoder: CodeEncoder) -> None:
        self._target, self._generator, self._encoder = target.to(generator.device), generator, encoder
        self._mean, self._spread = generator.w_mean, generator.w_spread
        with torch.no_grad():
            self._features = [F.normalize(maps) for maps in encoder.maps(self._target)]

    def code(self, steps: int) -> Tensor:
        """The code whose picture is nearest after so many steps of Adam: float32 [1, 512]."""
        with torch.no_grad():
            w: Tensor = self._encoder(self._target)[:, 0].clone()
        w.requires_grad_()
        adam = torch.optim.Adam([w], CODE_LEARNING_RATE)

        def loss() -> Tensor:
            far = ((w - self._mean) / self._spread).square().mean() - NEAR_VARIANCE
            return self.distance(self._drawn(w, self._generator.synthesis)) + FAR_WEIGHT * far.clamp_min(0)

        _minimise(adam, loss, steps, decay=True)
        return w.detach()

    def tuned(
        self, w: Tensor, steps: int, seen: Callable[[int, MobileSynthesis], None] | None = None
    ) -> MobileSynthesis:
        """A copy of the generator that draws the picture at a code.

        Args:
            w: float32 [1, 512].
            steps: of Adam.
            seen: called before each step with the number of those that are done.
        """
        synthesis = copy.deepcopy(self._generator.synthesis).requires_grad_(False)
        kernels = [synthesis.to_rgb]
        for conv in synthesis.convs:
            kernels += [kernel for name, kernel in conv.named_parameters() if name != "bias"]
        for kernel in kernels:
            kernel.requires_grad_()
        done = 0

        def loss() -> Tensor:
            nonlocal done
            if seen is not None:
                seen(done, synthesis)
            done += 1
            return self.distance(self._drawn(w, synthesis))

        _minimise(torch.optim.Adam(kernels, TUNING_LEARNING_RATE), loss, steps, decay=False)
        return synthesis.requires_grad_(False)

    def distance(self, picture: Tensor) -> Tensor:
        """How far a picture float [1, 3, 256, 256] is from the target: a scalar, with gradients."""
        pairs = zip(self._encoder.maps(picture), self._features, strict=True)
        far = [(F.normalize(maps) - right).square().sum(1).mean() for maps, right in pairs]
        return F.mse_loss(picture, self._target) + PERCEPTUAL_WEIGHT * torch.stack(far).sum()

    def measured(self, w: Tensor, synthesis: MobileSynthesis, identity: DlibIdentity) -> tuple[float, float]:
        """PSNR in dB and dlib's distance of the person, of a code's picture as it would be saved."""
        with torch.no_grad():
            picture = round_to_8_bit(self._drawn(w, synthesis))
        right, drawn = identity.descriptors(torch.cat([self._target, picture]))
        error = float(F.mse_loss(picture, round_to_8_bit(self._target)))
        return float(10 * torch.log10(torch.tensor(4 / error))), float((right - drawn).norm())

    def told(self, w: Tensor, synthesis: MobileSynthesis, identity: DlibIdentity) -> str:
        """The same in words."""
        psnr, distance = self.measured(w, synthesis, identity)
        return f"PSNR {psnr:.1f} dB, identity {distance:.2f} away"

    @staticmethod
    def _drawn(w: Tensor, synthesis: MobileSynthesis) -> Tensor:
        picture: Tensor = synthesis(w[:, None].expand(-1, synthesis.latents, -1))
        return picture


def _minimise(adam: torch.optim.Adam, loss: Callable[[], Tensor], steps: int, decay: bool) -> None:
    """Steps of Adam, the rate rising at first and, with ``decay``, falling to a tenth."""
    rates = [group["lr"] for group in adam.param_groups]
    for number in range(steps):
        share = min(1.0, (number + 1) / WARM_UP) * (1 - 0.9 * decay * number / steps)
        for group, rate in zip(adam.param_groups, rates, strict=True):
            group["lr"] = rate * share
        adam.zero_grad()
        with torch.enable_grad():
            loss().backward()  # type: ignore[no-untyped-call]
        adam.step()
