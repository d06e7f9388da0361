"""What a picture is to become: texts, or the difference of two pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deltaedit.tools.domain import EditingDomain
from eval.edits.request import EditRequest
from eval.pictures import read_pictures
from eval.prompts import Prompt

SOURCE_TEXT = "face"  # where a domain does not say what its pictures are, as in DeltaEdit's released code


@dataclass(frozen=True)
class EditTarget:
    """What is asked for.

    Attributes:
        prompts: one or several; empty where two pictures are given.
        before: float32 [1, 3, H, W] in [-1, 1]; None where prompts are given.
        after: likewise.
        words: the same for people.
    """

    prompts: tuple[Prompt, ...]
    before: Tensor | None
    after: Tensor | None
    words: str

    def similarity_to(self, domain: EditingDomain) -> Tensor:
        """What the CLIP similarity of edited pictures is measured to: unit float32 [K, E], the texts or the picture."""
        with torch.inference_mode():
            if self.after is not None:
                return domain.clip.encode_images(self.after.to(domain.device))
            return domain.clip.encode_texts([prompt.target for prompt in self.prompts])


def read_target(request: EditRequest, known: Sequence[Prompt]) -> EditTarget:
    """What a request asks for.

    Args:
        request: its prompts or its two pictures.
        known: the prompts of the domain.

    Raises:
        UsageError: a picture cannot be read.
    """
    if request.target_image is not None and request.source_image is not None:
        after, before = (found.pixels[None] for found in read_pictures((request.target_image, request.source_image)))
        words = f"{request.target_image.name} minus {request.source_image.name}"
        return EditTarget((), before, after, words)
    sources = request.source_texts or (known[0].source if known else SOURCE_TEXT,)
    each = sources if len(sources) == len(request.prompts) else sources * len(request.prompts)
    given = bool(request.source_texts)
    prompts = tuple(
        find_prompt(text, source if given else None, known) or Prompt(slug(text), source, text, "", "")
        for text, source in zip(request.prompts, each, strict=True)
    )
    words = " + ".join(f"“{prompt.target}”" for prompt in prompts)
    return EditTarget(prompts, None, None, words)


def find_prompt(text: str, source: str | None, known: Sequence[Prompt]) -> Prompt | None:
    """The prompt of the domain that has this target text or this name, if any.

    Args:
        text: target text or name.
        source: the prompt must have this source text; None: any.
        known: prompts to look in.
    """
    same = (prompt for prompt in known if text in (prompt.target, prompt.name) and source in (None, prompt.source))
    return next(same, None)


def slug(text: str) -> str:
    """A name for a free prompt.

    >>> slug("Face with a red hat!")
    'face-with-a-red-hat'
    """
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "prompt"
