"""An editor at work: its three verbs timed apart, its artefacts' cost added up, its answers checked.

An editor may offer ``offsets(latents, prompt)``, float32 like ``latents.w_plus`` or ``latents.s``, with
edit = codes + strength * offsets. They are then computed once for the same images and prompt, and every edit that uses
them is charged what computing them took.

While an editor is built, prepared, fitted or asked, every judge raises (``eval.domains.guard``) and what it does to the
process is put back (``eval.editors.isolation``); after ``prepare`` and ``fit`` it must hold no judge's weights
(``eval.judging.apart``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefact, Artefacts, hardware_name
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.precision import computing
from eval.device import clock
from eval.domains.base import Judges
from eval.editors.identity import source_key
from eval.editors.isolation import at_work
from eval.editors.known_features import KnownFeatures
from eval.editors.spec import EditorSpec
from eval.judging.apart import check_holds_no_judge, judge_weights
from eval.prompts import Prompt


class RecordingArtefacts(Artefacts):
    """Artefacts that remember what the loaded ones cost where they were computed.

    Args:
        artefacts: where they are.
        source: what their keys have of the editor's source.
    """

    def __init__(self, artefacts: Artefacts, source: Mapping[str, str] | None = None) -> None:
        super().__init__(artefacts.cache, artefacts.shipped, artefacts.given, artefacts.device)
        self._source = dict(source or {})
        self.loaded_cost_s = 0.0
        self.seen: dict[str, dict[str, Any]] = {}  # file name -> what is known of it

    def find(self, name: str, key: Mapping[str, object]) -> Path | None:
        """As ``Artefacts.find``."""
        return super().find(name, self._known(name, key))

    def _known(self, name: str, key: Mapping[str, object]) -> Mapping[str, object]:
        """The key with the editor's source, but for what ships: that is of the editors that ship."""
        plain = super().find(name, key)
        return key if plain is not None and plain.parent == self.shipped else {**key, **self._source}

    def get(self, name: str, key: Mapping[str, object], build: Callable[[], dict[str, Tensor]]) -> Artefact:
        """As ``Artefacts.get``."""
        artefact = super().get(name, self._known(name, key), build)
        if not artefact.built_here and artefact.path.name not in self.seen:  # asked for twice, it was computed once
            self.loaded_cost_s += artefact.cost_s
        about = {"file": artefact.path.name, "cost_s": artefact.cost_s, "hardware": artefact.hardware}
        self.seen.setdefault(artefact.path.name, {**about, "built_here": artefact.built_here})
        return artefact


class TimedEditor:
    """Runs one editor on one domain.

    Args:
        spec: which editor.
        domain: what editors see.
        seed: for editors that take one.
        costs: what an earlier process of the same run measured; kept.
        judges: networks whose weights the editor must not hold; None: not looked for.
    """

    def __init__(
        self,
        spec: EditorSpec,
        domain: EditingDomain,
        seed: int,
        costs: Mapping[str, Any] | None,
        judges: Judges | None = None,
    ) -> None:
        self.label, self._timeout_s = spec.label, spec.timeout_s
        self._artefacts = RecordingArtefacts(domain.artefacts, source_key(spec.editor))
        self._features = KnownFeatures(domain.device)
        self._domain = dataclasses.replace(domain, artefacts=self._artefacts, known_features=self._features)
        self._editor = spec.build(seed)
        self._judge_weights = {} if judges is None else judge_weights(judges)
        self._prepared = False
        self._fitted: Prompt | None = None
        self._failure: Exception | None = None
        self._offsets: dict[str, tuple[Tensor, float]] = {}  # of the prompt that was fitted last
        self.costs: dict[str, Any] = {
            "editor": spec.label,
            "prepare_s": None,
            "prepare_here_s": None,
            "hardware": hardware_name(domain.device),
            "fit_s": {},
            "fit_here_s": {},
            "artefacts": [],
            **(costs or {}),
        }

    def fit(self, prompt: Prompt) -> None:
        """Prepare if that was not done yet, then fit, unless this prompt was the last one that was fitted.

        A failed preparation fails every prompt in the same way.

        Raises:
            Exception: whatever the editor raises.
        """
        if self._failure is not None:
            raise self._failure
        if prompt == self._fitted:
            return
        self._fitted = None
        if not self._prepared:
            try:
                here_s, cost_s = self._timed(lambda: self._editor.prepare(self._domain))
                check_holds_no_judge(self.label, self._editor, self._judge_weights)
            except Exception as error:
                self._failure = error
                raise
            self._prepared = True
            if self.costs["prepare_here_s"] is None:
                self.costs |= {"prepare_here_s": here_s, "prepare_s": cost_s}
        self._offsets.clear()
        here_s, cost_s = self._timed(lambda: self._editor.fit(prompt))
        check_holds_no_judge(self.label, self._editor, self._judge_weights)
        self.costs["fit_here_s"].setdefault(prompt.name, here_s)
        self.costs["fit_s"].setdefault(prompt.name, cost_s)
        known = {artefact["file"]: artefact for artefact in self.costs["artefacts"]}
        self.costs["artefacts"] = list((self._artefacts.seen | known).values())
        self._fitted = prompt

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> tuple[Latents, float]:
        """Edited codes and the seconds that they took, or would have taken if nothing were remembered.

        Raises:
            ValueError: the editor returned something that is not N edited codes.
        """
        given = _copy(latents)
        with computing(self._domain.device, self._domain.precision):
            edited, edit_s = self._edited(given, prompt, strength)
        return checked(self.label, edited, latents), edit_s

    def _edited(self, given: Latents, prompt: Prompt, strength: float) -> tuple[object, float]:
        """What the editor returns, and the seconds as in ``edit``."""
        if strength and offers_offsets(self._editor):
            offsets, offsets_s = self._remembered_offsets(given, prompt)
        else:
            offsets, offsets_s = None, 0.0
        began = self._clock()
        if offsets is None:
            with at_work(self.label, self._timeout_s):
                edited = self._editor.edit(given, prompt, strength)
        else:
            edited = given.moved(self._domain.synthesis, strength * offsets)
        return edited, offsets_s + self._clock() - began

    def _remembered_offsets(self, latents: Latents, prompt: Prompt) -> tuple[Tensor, float]:
        """Offsets of these images and this prompt, and the seconds that computing them took."""
        codes = latents.w_plus.detach().cpu().contiguous().numpy().tobytes()
        key = hashlib.sha256(prompt.name.encode() + b"\0" + codes).hexdigest()
        if key not in self._offsets:
            began = self._clock()
            with at_work(self.label, self._timeout_s):
                offsets = self._editor.offsets(_copy(latents), prompt)
            offsets_s = self._clock() - began
            shapes = tuple(latents.w_plus.shape), tuple(latents.s.shape)
            if not isinstance(offsets, Tensor) or tuple(offsets.shape) not in shapes:
                got = tuple(offsets.shape) if isinstance(offsets, Tensor) else type(offsets).__name__
                raise ValueError(
                    f"{self.label}.offsets must return a tensor of shape {shapes[0]} (W+) or {shapes[1]} (S). "
                    f"Got {got} instead."
                )
            self._offsets[key] = offsets.detach(), offsets_s
        return self._offsets[key]

    def _clock(self) -> float:
        """Seconds, those that known features spared included."""
        return clock(self._domain.device) + self._features.spared_s

    def _timed(self, work: Callable[[], object]) -> tuple[float, float | None]:
        """Seconds here, and seconds if nothing had been there before.

        The second are with what the loaded artefacts cost where they were computed (None: not known), and with the
        texts that were encoded for another editor.
        """
        self._artefacts.loaded_cost_s = 0.0
        self._domain.clip.spared_s.clear()
        began = clock(self._domain.device)
        with at_work(self.label, self._timeout_s):
            work()
        here_s = clock(self._domain.device) - began
        cost_s = here_s + self._artefacts.loaded_cost_s + sum(self._domain.clip.spared_s.values())
        return here_s, None if math.isnan(cost_s) else cost_s


def offers_offsets(editor: object) -> bool:
    """Whether an editor has ``offsets(latents, prompt)``; a method of that name with other arguments is another thing.

    >>> offers_offsets(object())
    False
    """
    method = getattr(editor, "offsets", None)
    return callable(method) and list(inspect.signature(method).parameters) == ["latents", "prompt"]


def _copy(latents: Latents) -> Latents:
    return Latents(latents.w_plus.clone(), latents.s.clone(), latents.s_rgb.clone())


def checked(label: str, edited: object, before: Latents) -> Latents:
    """What an editor returned, as float32 without gradients.

    Args:
        label: of the editor, for errors.
        edited: what it returned.
        before: what it was given.

    Raises:
        ValueError: something else than N edited codes of the same shapes, or numbers that are not finite.
    """
    if not isinstance(edited, Latents):
        raise ValueError(f"{label}.edit must return Latents. Got {type(edited).__name__} instead.")
    for name in ("w_plus", "s", "s_rgb"):
        got, wanted = getattr(edited, name), getattr(before, name)
        if not isinstance(got, Tensor) or got.shape != wanted.shape:
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            raise ValueError(f"{label}.edit must return {name} of shape {tuple(wanted.shape)}. Got {shape} instead.")
        if not torch.isfinite(got).all():
            raise ValueError(f"{label}.edit returned {name} with numbers that are not finite.")
    parts = (getattr(edited, name).detach().to(torch.float32) for name in ("w_plus", "s", "s_rgb"))
    return Latents(*parts)
