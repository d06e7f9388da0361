"""Does an editor make the same edits again, and in batches of another size? `deltabench run --deterministic`.

After the run, the first chunk of every editor is made anew: twice as it was, by two fresh editors, and once in smaller
batches. The two must be equal to the last bit; a smaller batch changes the order of sums, hence the last digits, and
is allowed ``LATENT_TOLERANCE``. Both are also held against what the folder has.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import hardware_name
from eval.domains.base import Domain, Sources
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor
from eval.judging.cells import JudgedSources, judge_edits, judge_sources
from eval.judging.counterfactuals import Counterfactuals, judge_counterfactuals
from eval.judging.synthesis import synthesised
from eval.metrics.book import column_names
from eval.pixels import to_uint8
from eval.runs.calibration import usable
from eval.runs.manifest import DETERMINISM
from eval.runs.plan import AT_ONCE, DEFAULT_STRENGTH, Arguments, Chunk, chunks
from eval.runs.store import StorageError, Store

THREADS = 1  # the only number of threads that every machine has
LATENT_TOLERANCE = 1e-3  # between batch sizes, in units of W+ and S, whose numbers are around 1
IMAGE_TOLERANCE = 2 / 255  # between batch sizes: one of 256 grey levels, of images in [-1, 1]
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # without it cuBLAS refuses to be deterministic

DETERMINISTIC, BATCH_DEPENDENT, NOT_REPEATABLE, FAILED = "deterministic", "batch-dependent", "not repeatable", "failed"


@contextmanager
def deterministic_mode(threads: int = THREADS) -> Iterator[None]:
    """Deterministic algorithms and a fixed number of threads; afterwards everything is as before.

    An operation that has no deterministic version warns and goes on, so that a run has the same cells with and without
    this mode; ``check_editors`` records these warnings.

    Args:
        threads: of every operation on the CPU.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only, benchmark = torch.is_deterministic_algorithms_warn_only_enabled(), torch.backends.cudnn.benchmark
    added = CUBLAS not in os.environ
    if added:
        os.environ[CUBLAS] = ":4096:8"
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        if added:
            del os.environ[CUBLAS]


@dataclass(frozen=True)
class Drift:
    """The largest absolute differences between two passes over the same chunk.

    Attributes:
        latents: in units of the codes: the largest of W+, S and the styles of ToRGB.
        images: of images in [-1, 1], before rounding (after rounding where compared with stored pictures).
        metrics: of the numbers of the cells, each in its unit.
        metric: the number that differs most; '' if none differs.
    """

    latents: float
    images: float
    metrics: float
    metric: str

    @property
    def is_zero(self) -> bool:
        """Equal to the last bit."""
        return self.latents == self.images == self.metrics == 0

    @property
    def is_small(self) -> bool:
        """Within what the order of sums may change."""
        return self.latents <= LATENT_TOLERANCE and self.images <= IMAGE_TOLERANCE


@dataclass(frozen=True)
class Pass:
    """One chunk edited and judged.

    Attributes:
        latents: the edited codes.
        images: float32 [n, 3, H, W] in [-1, 1].
        numbers: metric -> float64 [n].
    """

    latents: Latents
    images: torch.Tensor
    numbers: Mapping[str, np.ndarray]


class Probe:
    """The first chunk of a run, to be edited and judged as often as wanted.

    Args:
        domain: of the run.
        arguments: of the run: the first prompt and the first batch of images are taken.
    """

    def __init__(self, domain: Domain, arguments: Arguments) -> None:
        self.domain = domain
        self.prompt = arguments.prompts[0]
        self.count = min(arguments.batch, arguments.images, AT_ONCE)
        self.strength = next((s.value for s in arguments.strengths if s.value is not None), DEFAULT_STRENGTH)
        self.smaller = (self.count + 1) // 2 if self.count > 1 else None  # uneven parts where the count is odd
        self._arguments = arguments

    @cached_property
    def _sources(self) -> Sources:
        """Of all images, so that the codes are those of the run: inverting is batched as well."""
        return self.domain.test_sources(self._arguments.images)[slice(0, self.count)]

    @cached_property
    def _judged(self) -> JudgedSources:
        return judge_sources(self.domain, self._sources, self.count)

    @cached_property
    def _counterfactuals(self) -> Counterfactuals:
        return judge_counterfactuals(self.domain, "test", self.count, self.prompt, self.count)

    def run(self, spec: EditorSpec, seed: int, batch: int) -> Pass:
        """Prepare and fit a fresh editor, edit the chunk in batches of ``batch``, synthesise and judge each."""
        editor = TimedEditor(spec, self.domain.editing, seed, None, self.domain.judges)
        editor.fit(self.prompt)
        parts = [self._part(editor, slice(first, first + batch)) for first in range(0, self.count, batch)]
        return Pass(
            Latents.cat([part.latents for part in parts]),
            torch.cat([part.images for part in parts]),
            {n: np.concatenate([part.numbers[n] for part in parts]) for n in column_names(self.domain.factors)},
        )

    def _part(self, editor: TimedEditor, rows: slice) -> Pass:
        rows = slice(rows.start, min(rows.stop, self.count))
        edited, _ = editor.edit(usable(self._sources.latents)[rows], self.prompt, self.strength)
        with torch.inference_mode():
            images = synthesised(self.domain.editing, edited)
            cells, _ = judge_edits(self.domain, self._judged, self._counterfactuals, self.prompt, rows, images)
        numbers = {
            name: np.array([cell[name] for cell in cells], dtype=float) for name in column_names(self.domain.factors)
        }
        return Pass(edited, images.float().clamp(-1, 1).cpu(), numbers)


def drift(first: Pass, second: Pass) -> Drift:
    """How far two passes are apart."""
    pairs = [(getattr(first.latents, name), getattr(second.latents, name)) for name in ("w_plus", "s", "s_rgb")]
    latents = max(_largest(a.detach().cpu().numpy(), b.detach().cpu().numpy()) for a, b in pairs)
    images = _largest(first.images.numpy(), second.images.numpy())
    return Drift(latents, images, *_metric_drift(first.numbers, second.numbers))


def stored_drift(made: Pass, store: Store, chunk: Chunk) -> Drift | None:
    """How far a pass is from the chunk that the folder has; None if it has none."""
    import pandas as pd

    if not store.is_done(chunk):
        return None
    cells = pd.read_parquet(store.folder / "chunks" / f"{chunk.id}.parquet")
    numbers = {name: cells[name].to_numpy(dtype=float)[: len(made.images)] for name in made.numbers if name in cells}
    with np.load(store.folder / "chunks" / f"{chunk.id}.npz") as arrays:
        kept = len(arrays["kept"])
        latents = _largest(made.latents.s[:kept].detach().cpu().numpy(), arrays["latents_s"])
        levels = _largest(to_uint8(made.images[:kept]).astype(float), arrays["images"].astype(float))
    return Drift(latents, levels / 127.5, *_metric_drift(made.numbers, numbers))


def _metric_drift(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> tuple[float, str]:
    apart = {name: _largest(first[name], second[name]) for name in first if name in second}
    worst = max(apart, key=lambda name: apart[name])
    return apart[worst], worst if apart[worst] else ""


def _largest(first: np.ndarray, second: np.ndarray) -> float:
    """Largest |difference|; two numbers that are both missing are equal, one that is missing counts as 0."""
    if not first.size:
        return 0.0
    one, other = (np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0) for values in (first, second))
    return float(np.abs(one - other).max())


def check_editors(
    domain: Domain, arguments: Arguments, specs: Sequence[EditorSpec], store: Store, say: Callable[[str], object]
) -> None:
    """Write ``determinism.json``: a verdict for every editor; those that it has are not checked again.

    Call it in ``deterministic_mode`` and after the run, so that the time of computing artefacts is charged to the run.

    Args:
        domain: of the run.
        arguments: of the run.
        specs: its editors.
        store: its folder.
        say: gets one line an editor.
    """
    probe = Probe(domain, arguments)
    record = store.read_json(DETERMINISM) or _header(probe)
    for spec in specs:
        known = record["editors"].get(spec.label)
        if known is None or known["verdict"] == FAILED:
            record["editors"][spec.label] = verdict(probe, arguments, spec, store)
            store.write_json(DETERMINISM, record)
        say(line(spec.label, record["editors"][spec.label], record["batches"]))


def _header(probe: Probe) -> dict[str, Any]:
    return {
        "prompt": probe.prompt.name,
        "strength": probe.strength,
        "images": probe.count,
        "batches": [size for size in (probe.count, probe.smaller) if size is not None],
        "threads": torch.get_num_threads(),
        "tolerance": {"latents": LATENT_TOLERANCE, "images": IMAGE_TOLERANCE},
        "torch": torch.__version__,
        "hardware": hardware_name(probe.domain.editing.device),
        "editors": {},
    }


def verdict(probe: Probe, arguments: Arguments, spec: EditorSpec, store: Store) -> dict[str, Any]:
    """What ``determinism.json`` says of one editor; an editor that raises is ``failed``."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            once, again = (probe.run(spec, arguments.seed, probe.count) for _ in range(2))
            smaller = None if probe.smaller is None else probe.run(spec, arguments.seed, probe.smaller)
    except StorageError:
        raise
    except Exception as error:
        return {"verdict": FAILED, "error": " ".join(f"{type(error).__name__}: {error}".split())}
    repeat, batch = drift(once, again), None if smaller is None else drift(once, smaller)
    stored = next((d for d in (stored_drift(once, store, c) for c in _chunks(arguments, spec)) if d is not None), None)
    notes = sorted({str(warning.message).split(". ")[0] for warning in caught if "determin" in str(warning.message)})
    return {
        "verdict": _verdict(repeat, batch, stored),
        "repeat": asdict(repeat),
        "batch": None if batch is None else asdict(batch),
        "stored": None if stored is None else asdict(stored),
        "warnings": notes,
    }


def _chunks(arguments: Arguments, spec: EditorSpec) -> Iterator[Chunk]:
    """The first chunk of the first prompt, at each strength that was given as a number."""
    for strength in [strength for strength in arguments.strengths if strength.value is not None][:1]:
        value = float(strength.value or 0.0)
        yield next(chunks(arguments, spec.label, arguments.prompts[0].name, strength.kind, value, strength.goal))


def _verdict(repeat: Drift, batch: Drift | None, stored: Drift | None) -> str:
    if not repeat.is_zero or (stored is not None and not stored.is_small):
        return NOT_REPEATABLE
    return DETERMINISTIC if batch is None or batch.is_small else BATCH_DEPENDENT


def line(label: str, found: Mapping[str, Any], batches: Sequence[int]) -> str:
    """One editor's verdict for people."""
    if found["verdict"] == FAILED:
        return f"{label}: not checked, it failed ({found['error']})"
    repeat, batch, stored = found["repeat"], found["batch"], found["stored"]
    parts = ["twice the same bits" if not _differs(repeat) else f"not the same twice ({_apart(repeat)})"]
    if batch is not None:
        same = "change no bit" if not _differs(batch) else f"change {_apart(batch)}"
        parts.append(f"batches of {batches[1]} instead of {batches[0]} {same}")
    if stored is not None and _differs(stored):
        parts.append(f"the folder's chunk differs by {_apart(stored)}")
    return f"{label}: {found['verdict']}: {'; '.join(parts)}"


def _apart(apart: Mapping[str, Any]) -> str:
    metric = f", {apart['metric']} by {apart['metrics']:.2g}" if apart["metric"] else ""
    return f"codes by {apart['latents']:.2g}, images by {apart['images']:.2g}{metric}"


def _differs(apart: Mapping[str, Any]) -> bool:
    return any(apart[part] for part in ("latents", "images", "metrics"))
