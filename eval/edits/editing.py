"""One editor at work on a few pictures."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines.per_image import PerImageOptimizer
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.errors import CheckpointError, MissingNetworkError
from eval.editors.isolation import at_work
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import checked, offers_offsets
from eval.edits.pictures import RGB, to_bytes
from eval.edits.target import EditTarget
from eval.errors import EditorStopped, UsageError

OPTIONS = {"identity": "--identity FILE", "encoder": "--encoder FILE"}  # for networks that are given as files
BATCH_PIXELS = 4 * 1024 * 1024  # pictures at a time: 4 of 1024 px


@contextmanager
def _at_work(spec: EditorSpec) -> Iterator[None]:
    """Around calls into the editor; what goes wrong in it is one sentence with the line of its code.

    Raises:
        EditorStopped: something did that is no mistake of the user.
    """
    try:
        with at_work(spec.label, spec.timeout_s):
            yield
    except (UsageError, CheckpointError, MissingNetworkError, EditorStopped, ValueError):
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise EditorStopped(
            f"The editor {spec.label} failed at {Path(last.filename).name}, line {last.lineno}: {said}"
        ) from error


class PictureEditor:
    """Edits the codes of a few pictures at any strength.

    Args:
        spec: which editor.
        domain: what it works with.
        target: what the pictures are to become.
        batch: pictures at a time; default by their size.
        from_files: the domain was put together of files that were named, so that a missing one can be named too.

    Raises:
        UsageError: the editor refuses its parameters, or cannot do what is asked for.
    """

    def __init__(
        self,
        spec: EditorSpec,
        domain: EditingDomain,
        target: EditTarget,
        batch: int | None = None,
        from_files: bool = False,
    ) -> None:
        self._spec, self._domain, self._target, self._from_files = spec, domain, target, from_files
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
        wants = {"image_target": self._target.before is not None, "text_target": len(self._target.prompts) > 1}
        needed = next((method for method, wanted in wants.items() if wanted), None)
        if needed is not None and not hasattr(self._editor, needed):
            what = "the difference of two pictures" if needed == "image_target" else "several prompts at once"
            raise UsageError(f"The editor {self._spec.name} does not take {what}; --method deltaedit does.")
        try:
            with _at_work(self._spec):
                self._fit()
        except MissingNetworkError as error:
            give = f"give {OPTIONS[error.network]}, or " if self._from_files and error.network in OPTIONS else ""
            raise UsageError(f"{error.problem}; {give}{error.instead}.") from error
        except ValueError as error:
            raise UsageError(" ".join(str(error).split())) from error

    def _fit(self) -> None:
        self._editor.prepare(self._domain)
        if self._target.before is not None and self._target.after is not None:
            pictures = (picture.to(self._domain.device) for picture in (self._target.before, self._target.after))
            self._towards = self._editor.image_target(*pictures)
        elif len(self._target.prompts) > 1:
            self._towards = self._editor.text_target(self._target.prompts)
        else:
            self._editor.fit(self._target.prompts[0])

    def edit(self, latents: Latents, strength: float) -> Latents:
        """Edited codes of all rows; at strength 0 the same."""
        if strength == 0 or not len(latents):
            return latents
        starts = range(0, len(latents), self.batch)
        blocks = [(start, latents[start : start + self.batch]) for start in starts]
        try:
            with _at_work(self._spec):
                edits = [checked(self._spec.label, self._block(*each, strength), each[1]) for each in blocks]
        except ValueError as error:
            raise EditorStopped(" ".join(str(error).split())) from error
        return Latents.cat(edits)

    def _block(self, start: int, latents: Latents, strength: float) -> Latents:
        edited: Latents
        if self._towards is not None or offers_offsets(self._editor):
            if start not in self._offsets:
                self._offsets[start] = (
                    self._editor.offsets(latents, self._target.prompts[0])
                    if self._towards is None
                    else self._editor.offsets_towards(latents, self._towards)
                )
            edited = latents.moved(self._domain.synthesis, strength * self._offsets[start])
        else:
            edited = self._editor.edit(latents, self._target.prompts[0], strength)
        return edited

    def pictures(self, latents: Latents) -> Iterator[tuple[list[RGB], Tensor]]:
        """Pictures of codes, a batch at a time, with their CLIP image features [N, E]."""
        for start in range(0, len(latents), self.batch):
            with torch.inference_mode():
                images = self._domain.images(latents[start : start + self.batch])
                yield to_bytes(images), self._domain.clip.encode_images(images)
