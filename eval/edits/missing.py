"""What an editor has to compute first, such as R_s or a mapper: estimated, said, refused where it takes too long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from deltaedit.tools.artefacts import Artefact, Artefacts
from deltaedit.tools.domain import EditingDomain
from eval.device import clock
from eval.errors import UsageError
from eval.progress import duration

# name of an artefact -> what it is, and the option that names a file to be used instead
PARTS = {
    "relevance": ("the relevance matrix R_s", "--relevance FILE, for example fs3.npy"),
    "delta-mapper": ("the Delta Mapper", "--mapper FILE, for example net_face.pth"),
    "styleclip-mapper": ("the mapper of this prompt", "--styleclip-mapper FILE"),
    "stylemc": ("the direction of this prompt", ""),
    "interfacegan": ("the directions of all attributes", ""),
}
BACKWARD = 3  # a picture with its gradient takes about as long as three
BATCH_PIXELS = 1024 * 1024  # to measure with: 16 small pictures, one large one
TRAINING_PICTURES = 10_000  # of a domain's training set, where it is not shipped


def pictures(name: str, key: Mapping[str, Any], domain: EditingDomain) -> float | None:
    """How many pictures have to be drawn and shown to CLIP to compute an artefact; None: not known.

    Args:
        name: of the artefact.
        key: its hyper-parameters.
        domain: whose generator.
    """
    synthesis = domain.synthesis
    if name == "relevance":
        return float(2 * key["images"] * synthesis.s_size)
    if name == "delta-mapper":
        return float(TRAINING_PICTURES)
    if name == "styleclip-mapper":
        checks = 200 * key["steps"] // key["validate_every"] if key["validate_every"] else 0
        return float(BACKWARD * key["steps"] * key["batch"] + 2 * key["images"] + checks)
    if name == "stylemc":
        share = min(1.0, float(key["resolution"]) / synthesis.resolution) ** 2
        return float(BACKWARD * key["images"]) * share
    return None


class PatientArtefacts(Artefacts):
    """Artefacts that say what they are about to compute, and compute nothing that takes too long.

    Args:
        domain: whose artefacts, and whose speed is measured.
        limit_s: the longest computation.
        say: called with a sentence.
        from_files: whether a file can be named instead.
        source: what keys have of the editor's source.
    """

    def __init__(
        self,
        domain: EditingDomain,
        limit_s: float,
        say: Callable[[str], None],
        from_files: bool,
        source: Mapping[str, str] | None = None,
    ) -> None:
        artefacts = domain.artefacts
        super().__init__(artefacts.cache, artefacts.shipped, artefacts.given, artefacts.device)
        self._domain, self._limit_s, self._say, self._from_files = domain, limit_s, say, from_files
        self._source = dict(source or {})

    def get(self, name: str, key: Mapping[str, object], build: Callable[[], dict[str, Tensor]]) -> Artefact:
        """As ``Artefacts.get``.

        Raises:
            UsageError: it would take too long to compute.
        """
        key = {**key, **self._source}
        if name in self.given or self.find(name, key) is not None:
            return super().get(name, key, build)
        seconds = self.estimated_s(name, key)
        what, option = PARTS.get(name, (f"'{name}'", ""))
        time_text = "an unknown time" if seconds is None else f"about {duration(seconds)}"
        if seconds is not None and seconds > self._limit_s:
            instead = f"give {option}, or " if option and self._from_files else ""
            raise UsageError(
                f"{_capital(what)} is missing, and computing it here would take {time_text}, more than "
                f"--compute-minutes {self._limit_s / 60:g}: {instead}raise that."
            )
        self._say(f"{_capital(what)} is missing; it is computed now, which takes {time_text}.")
        began = time.perf_counter()
        artefact = super().get(name, key, build)
        kept = f"; it is kept in {artefact.path}" if artefact.path.is_file() else ""
        self._say(f"That took {duration(time.perf_counter() - began)}{kept}.")
        return artefact

    def estimated_s(self, name: str, key: Mapping[str, object]) -> float | None:
        """Seconds that computing takes; None: not known.

        Pictures x seconds measured here, or what a like one cost, which may have been on another machine: the larger.
        """
        like, count = self._cost_of_like(name, key), pictures(name, key, self._domain)
        here = None if count is None else count * self.picture_s()
        known = [seconds for seconds in (like, here) if seconds is not None]
        return max(known, default=None)

    def picture_s(self) -> float:
        """Seconds to draw a picture and show it to CLIP here: the faster of two batches, divided."""
        count = max(1, min(16, BATCH_PIXELS // self._domain.synthesis.resolution**2))
        taken = []
        for seed in (0, 1):
            latents = self._domain.sample(count, seed)
            began = clock(self._domain.device)
            with torch.inference_mode():
                self._domain.image_features(latents)
            taken.append(clock(self._domain.device) - began)
        return min(taken) / count

    def _cost_of_like(self, name: str, key: Mapping[str, object]) -> float | None:
        """Median cost of the kept artefacts of this name and domain that took as many steps and images."""
        from safetensors import SafetensorError, safe_open

        costs = []
        for folder in (self.shipped, self.cache):
            for path in sorted(folder.glob(f"{name}-*.safetensors")) if folder is not None else ():
                try:
                    with safe_open(path, "pt") as stored:  # type: ignore[no-untyped-call]
                        meta = stored.metadata() or {}
                    theirs = json.loads(meta.get("key", "{}"))
                    work = ("domain", "steps", "batch", "images", "statistics", "variant")
                    if all(theirs.get(part) == key.get(part) for part in work):
                        costs.append(float(meta["cost_s"]))
                except (SafetensorError, OSError, ValueError, KeyError):
                    continue
        return sorted(costs)[len(costs) // 2] if costs else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
