"""The verbs of ``import deltabench``; each calls what the command of the same name calls."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltabench.result import Run

if TYPE_CHECKING:
    from pandas import DataFrame

    from eval.prompts import Prompt
    from eval.runs.executors.choice import Execution
    from eval.runs.request import RunRequest
    from reports.report import Report


def run(
    methods: str | Sequence[str | type],
    domain: str = "avatars",
    prompts: str | Sequence[str | Prompt] | None = None,
    images: int | None = None,
    *,
    strengths: str = "default,calibrated",
    seed: int = 0,
    batch: int | None = None,
    images_dir: str | Path | None = None,
    out: str | Path | None = None,
    cell_timeout_s: float | None = None,
    refresh: str = "",
    figures: bool = False,
    deterministic: bool = False,
    quiet: bool = False,
    workers: int | str = 1,
    executor: str = "processes",
    address: str | None = None,
    gpus_per_worker: float = 0.0,
    device: str | None = None,
    precision: str = "float32",
) -> Run:
    """Edit a domain's test images, judge the edits, write the tables; the same call again finishes what is missing.

    Args:
        methods: editors as on a command line (``"deltaedit,styleclip-global[beta=0.15]"``), a list of names or classes.
        domain: a name (``deltabench domains`` lists them) or a TOML file.
        prompts: names with commas between them, a TOML file, or a list of names or prompts; None for all of the domain.
        images: how many test images to edit; None for 200, or all of fewer.
        strengths: ``default``, ``calibrated``, ``matched`` or numbers from 0 up, with commas between them.
        seed: for editors that draw random numbers.
        batch: images in a chunk; None for 200.
        images_dir: photographs to edit, or a file of W+ codes.
        out: run folder; None for ``deltabench-runs/…``, the same for the same arguments.
        refresh: editors whose cells are made anew, with commas between them; ``all``: every cell.
        cell_timeout_s: an editor that computes longer for one chunk, or to prepare or fit, has failed; None: no limit.
        figures: also write figures and report.html.
        deterministic: one thread and exact algorithms; then check that edits repeat.
        quiet: show no progress.
        workers: processes that share the work; ``"auto"``: one a GPU, without one one a core.
        executor: ``processes`` of this machine, or ``ray`` (docs/scaling.md).
        address: of a Ray cluster; None: one of this machine.
        gpus_per_worker: share of a GPU that each worker of a Ray cluster takes.
        device: ``auto`` (the best there is), ``cpu``, ``cuda``, ``cuda:N``, ``mps``; None: ``$DELTABENCH_DEVICE``.
        precision: of edits and of their pictures: ``float32``, ``tf32`` or ``bf16``; judges always take float32.

    Returns:
        The run. Chunks that failed are named in ``run.failures``; all others are there.

    Raises:
        UsageError: something that does not exist, or a folder that holds another run.
    """
    from eval.runs.executors.choice import Execution
    from eval.runs.request import RunRequest

    photographs, folder = (None if place is None else Path(place) for place in (images_dir, out))
    what = (methods, domain, prompts, images, strengths, seed, batch, photographs, folder)
    request = RunRequest(*what, cell_timeout_s, device, precision, refresh)
    return _made(request, Execution(workers, executor, address, gpus_per_worker), deterministic, quiet, figures)


def _made(request: RunRequest, execution: Execution, deterministic: bool, quiet: bool, figures: bool) -> Run:
    """Do what is asked for, then report."""
    from eval.runs.request import execute, plan_run
    from reports.report import write_report

    planned = plan_run(request, quiet)
    failures = execute(planned, deterministic, quiet, execution=execution)
    if not planned.has_cells:
        raise RuntimeError(f"Every chunk failed: {failures[0].sentence}")
    return _opened(write_report(planned.folder, figures, quiet))


def _opened(written: Report) -> Run:
    """The run; parts of its report that could not be made are warned of."""
    for problem in written.problems:
        warnings.warn(problem, stacklevel=3)
    return Run(written.run, written.tables)


def load_run(folder: str | Path) -> Run:
    """A run folder that ``run`` or ``deltabench run`` made.

    Raises:
        ValueError: it is none, or a newer version made it.
    """
    from eval.runs.reader import Run as Stored

    return Run(Stored(Path(folder)))


def report(folder: str | Path, figures: bool = True, quiet: bool = False) -> Run:
    """Write the tables, and the figures and report.html, of a run folder anew.

    Raises:
        UsageError: the folder is no run, or cannot be written.
    """
    from reports.report import write_report

    written = write_report(Path(folder), figures, quiet)
    return _opened(written)


def compare(
    first: Run | str | Path,
    second: Run | str | Path | None = None,
    editors: tuple[str, str] | None = None,
    **options: Any,
) -> DataFrame:
    """Compare two runs, or two editors of one run, cell by cell.

    Args:
        first: run A, or its folder.
        second: run B; None to compare two editors of A.
        editors: an editor of A and one of B; None for every editor that both have.
        options: ``metrics``, ``population`` and ``seed``, as ``deltabench compare`` has them.

    Returns:
        One row per pair of editors, setting and metric: means, difference with its 95 % interval, p (Holm), verdict.

    Raises:
        UsageError: nothing to compare, or numbers of different recipes.
    """
    from eval.errors import UsageError
    from eval.studies.compare import compare_runs

    if second is None and editors is None:
        raise UsageError("compare needs a second run, or two editors of the first: editors=('A', 'B').")
    folders = [place.folder if isinstance(place, Run) else Path(place) for place in (first, second or first)]
    return compare_runs(folders[0], folders[1], editors=editors, **options).table
