"""One editor at work on a few pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from baselines.per_image import PerImageOptimizer
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.errors import MissingNetworkError
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import offers_offsets
from eval.edits.asked import Asked
from eval.edits.pictures import RGB, to_bytes
from eval.errors import UsageError

OPTIONS = {"identity": "--identity FILE", "encoder": "--encoder FILE"}  # for networks that are given as files
BATCH_PIXELS = 4 * 1024 * 1024  # pictures at a time: 4 of 1024 px


class PictureEditor:
    """Edits the codes of a few pictures at any strength.

    Args:
        spec: which editor.
        domain: what it works with.
        asked: what the pictures are to become.
        batch: pictures at a time; default by their size.
        from_files: the domain was put together of files that were named, so that a missing one can be named too.

    Raises:
        UsageError: the editor refuses its parameters, or cannot do what is asked for.
    """

    def __init__(
        self, spec: EditorSpec, domain: EditingDomain, asked: Asked, batch: int | None = None, from_files: bool = False
    ) -> None:
        self._spec, self._domain, self._asked, self._from_files = spec, domain, asked, from_files
        self.batch = batch or max(1, min(64, BATCH_PIXELS // domain.synthesis.resolution**2))
        self._editor: Any = spec.build(0)
        self._towards: Any = None  # a target of several prompts or of two pictures
        self._offsets: dict[int, Tensor] = {}  # of editors that find the same for every strength, by first row

    @property
    def optimises_each(self) -> bool:
        """Whether every picture is optimised apart, so that people have to wait for the edit itself."""
        return isinstance(self._editor, PerImageOptimizer)

    def prepare(self) -> None:
        """Prepare and fit the editor.

        Raises:
            UsageError: it lacks something, or cannot do what is asked for; one sentence says so.
        """
        wants = {"image_target": self._asked.before is not None, "text_target": len(self._asked.prompts) > 1}
        needed = next((method for method, wanted in wants.items() if wanted), None)
        if needed is not None and not hasattr(self._editor, needed):
            what = "the difference of two pictures" if needed == "image_target" else "several prompts at once"
            raise UsageError(f"The editor {self._spec.name} does not take {what}; --method deltaedit does.")
        try:
            self._editor.prepare(self._domain)
            if self._asked.before is not None and self._asked.after is not None:
                pictures = (picture.to(self._domain.device) for picture in (self._asked.before, self._asked.after))
                self._towards = self._editor.image_target(*pictures)
            elif len(self._asked.prompts) > 1:
                self._towards = self._editor.text_target(self._asked.prompts)
            else:
                self._editor.fit(self._asked.prompts[0])
        except MissingNetworkError as error:
            give = f"give {OPTIONS[error.network]}, or " if self._from_files and error.network in OPTIONS else ""
            raise UsageError(f"{error.problem}; {give}{error.instead}.") from error
        except ValueError as error:
            raise UsageError(" ".join(str(error).split())) from error

    def edit(self, latents: Latents, strength: float) -> Latents:
        """Edited codes of all rows; at strength 0 the same."""
        if strength == 0 or not len(latents):
            return latents
        starts = range(0, len(latents), self.batch)
        return Latents.cat([self._block(start, latents[start : start + self.batch], strength) for start in starts])

    def _block(self, start: int, latents: Latents, strength: float) -> Latents:
        edited: Latents
        if self._towards is not None:
            edited = self._editor.edit_towards(latents, self._towards, strength)
        elif offers_offsets(self._editor):
            if start not in self._offsets:
                self._offsets[start] = self._editor.offsets(latents, self._asked.prompts[0])
            edited = latents.moved(self._domain.synthesis, strength * self._offsets[start])
        else:
            edited = self._editor.edit(latents, self._asked.prompts[0], strength)
        return edited

    def pictures(self, latents: Latents) -> Iterator[tuple[list[RGB], Tensor]]:
        """Pictures of codes, a batch at a time, with their CLIP image features [N, E]."""
        for start in range(0, len(latents), self.batch):
            with torch.inference_mode():
                images = self._domain.images(latents[start : start + self.batch])
                yield to_bytes(images), self._domain.clip.encode_images(images)
