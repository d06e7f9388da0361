"""The book of metrics: one record for everything that is known of a number, and nobody else states it.

Tables, terminal, explorer, export, ``compare``, ``why`` and docs/metrics.md read the records. Those of the numbers of a
cell stand at the functions that compute them, in the files of ``eval/metrics/cells`` (docs/adding_a_metric.md); those
of sets of edits and of costs, which are no numbers of a cell, stand below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from inspect import getdoc
from math import inf, nan
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.judged import JudgedChunk

DOCUMENT = "docs/metrics.md"
MORE, LESS, MATCHED, NEITHER = "more", "less", "matched", "neither"  # directions
ELIGIBLE, ALL = "eligible cells", "all cells"  # populations
CELL, DERIVED, SET, COST = "cell", "derived", "set", "cost"  # kinds
EFFECT_GROUP, VERDICT_GROUP, LIKENESS_GROUP, COUNTERFACTUAL_GROUP = (
    *("Effect and preservation", "Verdicts", "Likeness and text", "Against the counterfactual"),
)
GROUPS = (EFFECT_GROUP, VERDICT_GROUP, LIKENESS_GROUP, COUNTERFACTUAL_GROUP)  # blocks of the main table
FIRST_FILES = ("attributes", "likeness", "counterfactual", "locality")  # then others by name: the order of a chunk
FACTOR = "<factor>"  # in the name of a metric that has one column a factor

Compute = Callable[["JudgedChunk"], "Tensor"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: of its column in chunks and tables; ``<factor>`` in it stands for the name of every factor.
        heading: for readers, without arrow and unit.
        meaning: one sentence in plain words.
        formula: in one line.
        section: heading of ``docs/metrics.md`` that explains it.
        unit: for example ``dB``, ``σ``, ``s``; empty for a pure number.
        direction: which values are better: ``more``, ``less``, ``matched`` (comparable only where it is made equal) or
            ``neither`` (a control, or the same for all editors).
        digits: decimals in print.
        bounds: smallest and largest possible value.
        population: ``eligible cells`` or ``all cells``: what it is averaged over.
        judge: the network that it rests on, as fingerprints name it; empty if none.
        recipe: how it is computed, the first part of its recipe id; empty: stored without one of its own.
        kind: ``cell``, ``derived`` (from other columns of a cell), ``set`` or ``cost``.
        group: its block in the main table; empty: not in it.
        short: heading where room is scarce; by default the heading.
        needs_counterfactual: not a number where the domain knows no counterfactuals.
        compute: ``JudgedChunk`` -> float or bool [n], or [n, F] with one column a factor; None unless a cell's.
    """

    name: str
    heading: str
    meaning: str
    formula: str
    section: str
    unit: str = ""
    direction: str = NEITHER
    digits: int = 2
    bounds: tuple[float, float] = (-inf, inf)
    population: str = ALL
    judge: str = ""
    recipe: str = ""
    kind: str = CELL
    group: str = ""
    short: str = ""
    needs_counterfactual: bool = False
    compute: Compute | None = None

    def __post_init__(self) -> None:
        for field, allowed in (
            ("direction", (MORE, LESS, MATCHED, NEITHER)),
            ("population", (ELIGIBLE, ALL)),
            ("group", ("", *GROUPS)),
        ):
            if getattr(self, field) not in allowed:
                options = ", ".join(map(repr, allowed))
                raise ValueError(
                    f"The {field} of the metric {self.name} must be one of {options}. "
                    f"Got {getattr(self, field)!r} instead."
                )

    @property
    def arrow(self) -> str:
        """Which way is better; empty where neither is.

        >>> metric_of("identity").arrow, metric_of("ad_mean").arrow, metric_of("target_effect").arrow
        ('↑', '↓', '')
        """
        return {MORE: "↑", LESS: "↓"}.get(self.direction, "")

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is, 0 where neither."""
        return {MORE: 1, LESS: -1}.get(self.direction, 0)

    @property
    def title(self) -> str:
        """The heading of a column.

        >>> metric_of("ad_mean").title, metric_of("target_effect").title
        ('AD mean ↓ (σ)', 'target effect (σ)')
        """
        return " ".join(part for part in (self.heading, self.arrow, f"({self.unit})" if self.unit else "") if part)

    @property
    def label(self) -> str:
        """The heading where room is scarce, without arrow and unit."""
        return self.short or self.heading

    @property
    def source(self) -> str:
        """Where it is explained: document and heading."""
        return f"{DOCUMENT}, {self.section}"

    @property
    def recipe_name(self) -> str:
        """The metric under which a manifest has its recipe: that of a single factor is its family's.

        >>> metric_of("preservation.mouth").recipe_name, metric_of("effect.mouth").recipe_name
        ('preservation', 'target_effect')
        """
        family, dot, _ = self.name.partition(".")
        return "target_effect" if dot and family == "effect" else family

    @property
    def is_share(self) -> bool:
        """Whether it is a share by definition, between 0 and 1, with an interval that stays inside."""
        return self.bounds == (0, 1)

    @property
    def eligible_only(self) -> bool:
        """Whether only eligible cells count."""
        return self.population == ELIGIBLE

    @property
    def per_factor(self) -> bool:
        """Whether it has one column a factor."""
        return FACTOR in self.name

    def values(self, chunk: JudgedChunk) -> Tensor:
        """Its numbers of a chunk: float or bool [n], or [n, F]; NaN where a counterfactual is needed and none known."""
        if self.compute is None:
            raise TypeError(f"The metric {self.name} is none of a cell.")
        if self.needs_counterfactual and chunk.counterfactuals is None:
            return chunk.edits.new_full((len(chunk.edits),), nan)
        return self.compute(chunk)

    def columns(self, factors: Iterable[str]) -> tuple[str, ...]:
        """Its columns in a chunk."""
        return tuple(self.name.replace(FACTOR, name) for name in factors) if self.per_factor else (self.name,)


def metric(*, heading: str, formula: str, section: str, **facts: Any) -> Callable[[Compute], Metric]:
    """Make a function of a judged chunk a metric: its name is the column's, its docstring's first line the meaning.

    The arguments are fields of ``Metric``.
    """

    def record(function: Compute) -> Metric:
        known = {"name": getattr(function, "__name__", ""), "meaning": (getdoc(function) or "").split("\n")[0], **facts}
        return Metric(heading=heading, formula=formula, section=section, compute=function, **known)

    return record


_ERRORS, _SETS, _TIME = "Counterfactual error", "KID and CMMD", "Run time"
_ERROR = {"kind": DERIVED, "digits": 2, "unit": "10³ MSE", "bounds": (0, inf), "needs_counterfactual": True}
_DERIVED = (
    Metric(
        *("error", "error", "Squared error to the counterfactual, in thousandths of the squared pixel range."),
        *("1000·10^(-PSNR/10) of edit and counterfactual", _ERRORS),
        direction=LESS,
        **_ERROR,  # type: ignore[arg-type]
    ),
    Metric(
        *("inversion_error", "of it inversion", "The part of the error that the reconstruction has already."),
        *("1000·10^(-PSNR/10) of reconstruction and original", _ERRORS),
        **_ERROR,  # type: ignore[arg-type]
    ),
    Metric(
        *("edit_error", "of it edit", "The rest of the error; below 0 where an edit repairs the inversion."),
        *("error - inversion_error", _ERRORS),
        direction=LESS,
        **{**_ERROR, "bounds": (-inf, inf)},  # type: ignore[arg-type]
    ),
)
_SET_METRICS = (
    Metric(
        *("frechet", "Fréchet distance", "Distance of the edits, as a set, from the set of the counterfactuals."),
        *("|μ1 - μ2|² + tr Σ1 + tr Σ2 - 2 tr (Σ1Σ2)^½", "Fréchet distance"),
        direction=LESS,
        digits=1,
        bounds=(0, inf),
        judge="frechet-features",
        recipe="float64,unbiased-covariance",
        kind=SET,
    ),
    Metric(
        *("kid", "KID", "Distance of the two sets by a cubic kernel on these features (Kernel Inception Distance)."),
        *("squared maximum mean discrepancy with the kernel (x·y / D + 1)³, different persons, unbiased", _SETS),
        direction=LESS,
        digits=3,
        judge="frechet-features",
        recipe="float64,cubic-kernel,unbiased,different-persons",
        kind=SET,
    ),
    Metric(
        *("cmmd", "CMMD", "Distance of the two sets by a Gaussian kernel on features of the judge CLIP."),
        *("1000 times that with exp(-|x - y|² / 200) on unit features of the judge CLIP", _SETS),
        direction=LESS,
        digits=3,
        judge="judge-clip",
        recipe="bicubic-antialias,float64,gaussian-kernel-10,times-1000,unbiased,different-persons",
        kind=SET,
    ),
)


def _cost(name: str, heading: str, meaning: str, formula: str, unit: str = "s") -> Metric:
    direction = NEITHER if name == "synthesis_s" else LESS
    return Metric(name, heading, meaning, formula, _TIME, unit, direction, bounds=(0, inf), kind=COST)


_COSTS = (
    _cost("prepare_s", "set-up", "Time of preparing an editor for a generator.", "seconds of `prepare`"),
    _cost("fit_s", "per prompt", "Time of preparing an editor for a prompt, median over prompts.", "seconds of `fit`"),
    _cost("per_edit_s", "per edit", "Time of an edit with synthesis.", "median over chunks of the seconds an image"),
    _cost("edit_s", "of it the editor", "The editor's time for it.", "median over chunks of the seconds an image"),
    _cost("synthesis_s", "synthesis", "The generator's time for it.", "median over chunks of the seconds an image"),
    _cost("peak_memory_mib", "peak memory", "Largest memory of the process.", "largest over chunks", "MiB"),
)


@cache
def metrics() -> dict[str, Metric]:
    """Every record by name: those of cells in the order of a chunk's columns, then derived ones, sets and costs."""
    found = {record.name: record for name in _files() for record in _records(name)}
    return found | {record.name: record for record in (*_DERIVED, *_SET_METRICS, *_COSTS)}


def _files() -> list[str]:
    """The files of ``eval/metrics/cells``, in the order of their columns."""
    names = [module.name for module in iter_modules(import_module("eval.metrics.cells").__path__)]
    return sorted(names, key=lambda name: (FIRST_FILES.index(name) if name in FIRST_FILES else len(FIRST_FILES), name))


def _records(file: str) -> list[Metric]:
    return [value for value in vars(import_module(f"eval.metrics.cells.{file}")).values() if isinstance(value, Metric)]


def cell_metrics() -> tuple[Metric, ...]:
    """Those that every cell has, in the order of a chunk's columns."""
    return tuple(record for record in metrics().values() if record.kind == CELL)


def grouped(group: str) -> tuple[Metric, ...]:
    """Those of one block of the main table."""
    return tuple(record for record in metrics().values() if record.group == group)


def column_names(factors: Iterable[str]) -> tuple[str, ...]:
    """The numbers of a cell, in the order of the stored table."""
    return tuple(column for record in cell_metrics() for column in record.columns(factors))


def metric_of(column: str) -> Metric:
    """The record of a column, also of ``preservation.<factor>`` and ``effect.<factor>``.

    Raises:
        KeyError: no metric of that name.

    >>> metric_of("preservation.hair_color").arrow, metric_of("effect.hair_color").unit
    ('↑', 'σ')
    """
    family, dot, factor = column.partition(".")
    if not dot:
        return metrics()[column]
    record = metrics()[f"{family}.{FACTOR}"]
    texts = {name: getattr(record, name).replace(FACTOR, factor.replace("_", " ")) for name in ("heading", "formula")}
    return replace(record, name=column, **texts)


def known_metric(column: str) -> Metric | None:
    """The record of a column, or None if it is no metric."""
    try:
        return metric_of(column)
    except KeyError:
        return None
