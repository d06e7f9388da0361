"""A CLIP model with images in [-1, 1] and texts in, unit features out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
MOST_KNOWN = 64  # lists of texts whose features are remembered: each prompt has two, of 79 templates


@cache
def imagenet_templates() -> tuple[str, ...]:
    """The 79 templates of StyleCLIP and DeltaEdit: CLIP's 80 for ImageNet without "a photo of many {}."."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    texts = (template("{}") for template in OPENAI_IMAGENET_TEMPLATES)
    return tuple(text for text in texts if text != "a photo of many {}.")


class Cut(NamedTuple):
    """A text that is longer than what a CLIP reads.

    Attributes:
        tokens: of the whole text, with its start and end.
        limit: how many are read.
        read: the part of the text that is read.
    """

    tokens: int
    limit: int
    read: str


class Clip:
    """An ``open_clip`` model, its tokenizer and its preprocessing in one.

    Args:
        model: ``open_clip.CLIP`` in eval mode (or anything with ``encode_image`` and ``encode_text``).
        tokenizer: list of texts -> int64 [N, context length].
        resolution: side of the images that the model takes, in pixels.
        mean: of the preprocessing, for images in [0, 1].
        std: likewise.
        interpolation: filter that the model was trained with: ``bicubic`` or ``bilinear``, both antialiased.
        words: all words of its training, in lower case; None where they are not known or too many to tell.

    Attributes:
        before_answer: called before texts are encoded or found among those that are remembered; None for nothing.
        spared_s: list of texts -> seconds that remembering its features has spared since this was last cleared: what
            they took, 0 where that was since then.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Callable[[list[str]], Tensor],
        resolution: int,
        mean: Sequence[float] = OPENAI_MEAN,
        std: Sequence[float] = OPENAI_STD,
        interpolation: str = "bicubic",
        words: Collection[str] | None = None,
    ) -> None:
        self.words = words
        self.before_answer: Callable[[], object] | None = None
        self.spared_s: dict[tuple[str, ...], float] = {}
        self._known: dict[tuple[str, ...], tuple[Tensor, float]] = {}
        self.model: Any = model
        self.tokenizer = tokenizer
        self.resolution = resolution
        self.interpolation = interpolation
        self._mean = torch.tensor(mean)[:, None, None]
        self._std = torch.tensor(std)[:, None, None]

    def to(self, device: torch.device | str) -> Clip:
        """Itself, its networks moved to another device."""
        self.model.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where its networks are."""
        found: torch.device = next(self.model.parameters()).device
        return found

    def encode_images(self, images: Tensor) -> Tensor:
        """Unit image features, with gradients to the images.

        Args:
            images: float [N, 3, H, W] in [-1, 1], any size; clipped to that range, resized (antialiased) and
                normalised as the model was trained.

        Returns:
            float32 [N, E], unit norm.

        Raises:
            ValueError: integers, nearly all of which would be clipped to white.
        """
        if not images.is_floating_point():
            raise ValueError(
                f"The 'images' parameter of encode_images must be floats in [-1, 1]. "
                f"Got {str(images.dtype).removeprefix('torch.')} instead; "
                "divide levels of 0 to 255 by 127.5 and subtract 1."
            )
        x = images.float().clamp(-1, 1) * 0.5 + 0.5
        if x.shape[-2:] != (self.resolution, self.resolution):
            size = (self.resolution, self.resolution)
            x = F.interpolate(x, size, mode=self.interpolation, align_corners=False, antialias=True).clamp(0, 1)
        x = (x - self._mean) / self._std
        return F.normalize(self.model.encode_image(x).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit text features: float32 [N, E], one row a text; the same texts again are remembered."""
        if self.before_answer is not None:
            self.before_answer()
        key = tuple(texts)
        if key in self._known:
            features, took_s = self._known[key]
            self.spared_s.setdefault(key, took_s)
            return features
        began = time.perf_counter()
        with torch.inference_mode(False), torch.no_grad():  # kept for editors, whose gradients may meet it
            tokens = self.tokenizer(list(texts)).to(self.device)
            features = F.normalize(self.model.encode_text(tokens).float(), dim=-1)
        if not any(weights.requires_grad for weights in self.model.parameters()):  # of a model in training they change
            self._known[key] = features, time.perf_counter() - began
            self.spared_s[key] = 0.0
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
        return features

    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that the model never saw, in their order; none where its words are not known."""
        if self.words is None:
            return []
        spelt = "".join(letter if letter.isalpha() else " " for letter in text.lower()).split()
        return [word for word in dict.fromkeys(spelt) if word not in self.words]

    def cut(self, text: str) -> Cut | None:
        """Where a text is cut that has more tokens than the context; None of one that is read whole.

        A tokenizer that does not tell its tokens (``encode``, ``decode``, ``context_length``) gives None.
        """
        encode: Any = getattr(self.tokenizer, "encode", None)
        decode: Any = getattr(self.tokenizer, "decode", None)
        limit = int(getattr(self.tokenizer, "context_length", None) or 0)
        if not (encode and decode and limit):
            return None
        tokens = encode(text)  # without the marks of start and end
        if len(tokens) + 2 <= limit:
            return None
        return Cut(len(tokens) + 2, limit, decode(tokens[: limit - 2]).strip())
