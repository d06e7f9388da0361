"""What an editor costs: once per generator, once per prompt, per edit; memory; and when it pays against another."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Runtime:
    """Costs of one editor.

    Attributes:
        editor: its label.
        prepare_s: once per generator, where it was computed.
        fit_s: once per prompt, median over the prompts.
        edit_s: the editor's share per image, median over the chunks.
        synthesis_s: the generator's share per image, median over the chunks; the same work for every editor.
        peak_memory_mib: largest of the chunks.
        hardware: where ``prepare_s`` and ``fit_s`` were measured.
        edits: how many images the medians rest on.
    """

    editor: str
    prepare_s: float
    fit_s: float
    edit_s: float
    synthesis_s: float
    peak_memory_mib: float
    hardware: str
    edits: int

    @property
    def image_s(self) -> float:
        """Seconds from codes to an edited picture."""
        return self.edit_s + self.synthesis_s

    def total_s(self, prompts: int, images: int) -> float:
        """Seconds for editing ``images`` images with each of ``prompts`` prompts, set-up included."""
        return self.prepare_s + prompts * (self.fit_s + images * self.image_s)

    def amortised_s(self, prompts: int, images: int) -> float:
        """``total_s`` per edited picture."""
        return self.total_s(prompts, images) / (prompts * images)


def runtime(cost: Mapping[str, Any], chunks: Sequence[Mapping[str, Any]]) -> Runtime:
    """Costs of an editor from its ``costs/<editor>.json`` and the ``.json`` of its chunks.

    Missing numbers are NaN, never 0.
    """
    fits = [float(seconds) for seconds in cost.get("fit_s", {}).values()]
    whole = [chunk for chunk in chunks if chunk["count"]]
    return Runtime(
        editor=str(cost["editor"]),
        prepare_s=float(cost.get("prepare_s", nan)),
        fit_s=median(fits) if fits else nan,
        edit_s=median(chunk["edit_s"] / chunk["count"] for chunk in whole) if whole else nan,
        synthesis_s=median(chunk["synthesis_s"] / chunk["count"] for chunk in whole) if whole else nan,
        peak_memory_mib=max((float(chunk["peak_memory_mib"]) for chunk in whole), default=nan),
        hardware=str(cost.get("hardware", "")),
        edits=sum(int(chunk["count"]) for chunk in whole),
    )


def break_even_images(editor: Runtime, other: Runtime, prompts: int = 1) -> float:
    """From how many images per prompt on ``editor`` costs less in all than ``other``.

    Returns:
        Images, a real number: 0 if from the first on, ``inf`` if never, NaN if a cost is missing.

    >>> slow_start = Runtime("a", 100.0, 0.0, 0.1, 0.0, 0.0, "", 1)
    >>> no_start = Runtime("b", 0.0, 0.0, 2.1, 0.0, 0.0, "", 1)
    >>> round(break_even_images(slow_start, no_start), 6), break_even_images(no_start, slow_start)
    (50.0, 0.0)
    """
    ahead = (editor.total_s(prompts, 0) - other.total_s(prompts, 0)) / prompts
    saved = other.image_s - editor.image_s
    if ahead != ahead or saved != saved:
        return nan
    if ahead <= 0:
        # Cheaper to begin with; if it is slower per image, the other overtakes it at the other's break-even.
        return 0.0
    return ahead / saved if saved > 0 else inf


def peak_memory_mib() -> float:
    """Largest memory of this process so far, which never falls: of a GPU if one is used, else resident."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return nan
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
