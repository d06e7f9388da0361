"""From what a user wants to a finished run folder: what `deltabench run` and ``deltabench.run`` both call."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eval.device import device_sentence
from eval.errors import UsageError, collected, refuse, unknown
from eval.folders import check_place
from eval.progress import activity
from eval.prompts import Prompt, check_prompts, choose, idle_notes, length_notes, load_prompts, other_sets
from eval.runs.executors.choice import Execution, Executor
from eval.runs.executors.setup import Setup
from eval.runs.integrity.growth import ALL, grown
from eval.runs.plan import CHUNK, Arguments, Strength, check_seed, fewest_bytes, parse_strengths
from eval.runs.store import Store

if TYPE_CHECKING:
    from eval.domains.base import Domain
    from eval.editors.spec import EditorSpec
    from eval.runs.failures import Failure

ALONE = Execution()
FILE_SUFFIXES = (".toml", ".txt", ".json", ".yaml", ".yml", ".csv")  # of prompt sets, for names have none


@dataclass(frozen=True)
class RunRequest:
    """What a user wants.

    Attributes:
        methods: editors as on the command line, or a list of such names and of editor classes.
        domain: name or TOML file.
        prompts: names with commas between them, a TOML file, another set that the domain has (``unseen``),
            a list of names or prompts; None for all.
        images: how many test images; None for 200, or all of fewer.
        strengths: as ``eval.runs.plan.parse_strengths`` reads them.
        seed: for editors that draw random numbers.
        batch: images in a chunk; None for the default.
        images_dir: photographs to edit, or a file of W+ codes.
        out: run folder; None for one named after the arguments.
        refresh: editors whose cells are made anew, with commas between them; ``all``: every cell.
        cell_timeout_s: a call into an editor (prepare, fit, the edits of one chunk) that takes longer fails.
        device: where to compute, as ``eval.device.chosen_device`` takes it.
        precision: of edits and of their pictures.
        limit: at most so many test images.
    """

    methods: str | Sequence[str | type]
    domain: str = "avatars"
    prompts: str | Sequence[str | Prompt] | None = None
    images: int | None = None
    strengths: str = "default,calibrated"
    seed: int = 0
    batch: int | None = None
    images_dir: Path | None = None
    out: Path | None = None
    cell_timeout_s: float | None = None
    device: str | None = None
    precision: str = "float32"
    refresh: str = ""
    limit: int | None = None


@dataclass(frozen=True)
class PlannedRun:
    """A request with everything that it names found.

    Attributes:
        domain: loaded.
        arguments: what determines the cells.
        specs: the editors.
        folder: where the run goes.
        load: gives the domain, in other processes too.
        refresh: labels of editors whose cells are made anew, or ``all``.
    """

    domain: Domain
    arguments: Arguments
    specs: tuple[EditorSpec, ...]
    folder: Path
    load: Callable[[], Domain]
    refresh: tuple[str, ...] = ()

    @property
    def has_cells(self) -> bool:
        """Whether a chunk is finished."""
        return any((self.folder / "chunks").glob("*.parquet"))

    def check(self) -> None:
        """Read everything that the run reads before any work; what is strange is said on standard error.

        Raises:
            UsageError: weights or photographs that cannot be used, or too little room; one line for each.
        """
        from eval.domains import check_files

        for note in check_files(self.domain, self.arguments.images):
            print(note, file=sys.stderr)
        _ = self.domain.judges  # read now, not after the first edits
        check_place(self.folder, fewest_bytes(self.arguments, self.domain.editing.synthesis.resolution))

    def executor(self, execution: Execution, deterministic: bool = False) -> Executor | None:
        """What does the work; None: this process.

        Args:
            execution: how the work is shared out.
            deterministic: one thread and exact algorithms.

        Raises:
            UsageError: an editor that other processes cannot import.
        """
        setup = Setup(
            self.load,
            self.arguments,
            self.specs,
            self.folder.absolute(),
            deterministic=deterministic,
            device=str(self.domain.editing.device),
        )
        return execution.chosen(setup)

    def tell_of_prompts(self) -> None:
        """Say on standard error which prompts can do nothing, and which texts a CLIP reads only in part."""
        clips = {"CLIP of the editors": self.domain.editing.clip, "judge CLIP": self.domain.judges.clip}
        prompts = self.arguments.prompts
        for note in [*idle_notes(prompts), *length_notes(prompts, clips)]:
            print(note, file=sys.stderr)

    def claimed_store(self) -> Store:
        """The folder, made this run's; call it under the folder's lock.

        Raises:
            UsageError: the folder holds another run.
        """
        from eval.judging.recipes import recipes
        from eval.runs.manifest import manifest

        store = Store(self.folder)
        store.claim(
            manifest(self.domain, self.arguments, self.specs, recipes(self.domain)),
            [asdict(prompt) for prompt in self.arguments.prompts],
            {factor: list(values) for factor, values in self.domain.factors.items()},
            self.refresh,
        )
        return store


def plan_run(request: RunRequest, quiet: bool = False) -> PlannedRun:
    """Find the editors, the domain and the prompts of a request.

    Args:
        request: of the user.
        quiet: do not say what is loaded.

    Raises:
        UsageError: something does not exist; one line for each mistake.
    """
    faults: list[str] = []
    strengths: tuple[Strength, ...] = ()
    specs: tuple[EditorSpec, ...] = ()
    domain: Domain | None = None
    images = 0
    prompts: tuple[Prompt, ...] = ()
    with collected(faults):
        strengths = parse_strengths(request.strengths)
    with collected(faults):
        check_seed(request.seed)
    with collected(faults):
        if request.out is not None:
            check_place(request.out)
    with activity(f"loading {request.domain}", quiet):
        from eval.domains import load_domain
        from eval.domains.counts import image_count
        from eval.editors.registry import parse_methods

        with collected(faults):
            specs, problems = parse_methods(request.methods)
            specs = tuple(replace(spec, timeout_s=request.cell_timeout_s) for spec in specs)
            for problem in problems:
                print(f"Left out: {problem}", file=sys.stderr)
            if not specs:
                raise UsageError("No editor is left to run; see `deltabench methods`.")
        load = partial(load_domain, request.domain, request.images_dir, request.device, request.precision)
        with collected(faults):
            domain = load()
            images = image_count(domain, request.images, request.limit)
    with collected(faults):
        prompts = chosen_prompts(domain, request.prompts)
        check_prompts(prompts, domain.factors if domain else {prompt.attribute: {prompt.value} for prompt in prompts})
    refuse(faults)
    assert domain is not None  # or there was a fault
    labels = tuple(spec.label for spec in specs)
    batch = min(request.batch or CHUNK, images)
    arguments = Arguments(domain.name, labels, prompts, images, strengths, request.seed, batch)
    folder = request.out or Path("deltabench-runs") / arguments.folder_name()  # the same arguments, the same folder
    arguments = grown(folder, arguments, request.batch is not None)
    return PlannedRun(domain, arguments, specs, folder, load, refreshed(request.refresh, specs))


def refreshed(asked: str, specs: Sequence[EditorSpec]) -> tuple[str, ...]:
    """The labels that ``--refresh`` names.

    Raises:
        UsageError: one that is not among the editors of the command.
    """
    if not asked or asked == ALL:
        return (asked,) if asked else ()
    known = {spec.label: [spec.label] for spec in specs}
    known |= {spec.name: [each.label for each in specs if each.name == spec.name] for spec in specs}
    named = [name for name in re.split(r",(?![^\[\]]*\])", asked) if name]  # commas in brackets part no editors
    wrong = next((name for name in named if name not in known), None)
    if wrong is not None:
        raise unknown("editor in --methods that --refresh could make anew", wrong, [*known, ALL])
    return tuple(dict.fromkeys(label for name in named for label in known[name]))


def chosen_prompts(domain: Domain | None, wanted: str | Sequence[str | Prompt] | None) -> tuple[Prompt, ...]:
    """The prompts of a request; without a domain only those of a file or made by hand.

    Raises:
        UsageError: a name or file that does not exist, or nothing at all.
    """
    if wanted is None:
        return domain.prompts if domain else ()
    if isinstance(wanted, str):
        if Path(wanted).suffix.lower() in FILE_SUFFIXES or Path(wanted).is_file():
            return load_prompts(Path(wanted))
        if domain and wanted in (sets := other_sets(domain.name)):
            return load_prompts(sets[wanted])
        wanted = [name.strip() for name in wanted.split(",") if name.strip()]
    if not wanted:
        raise UsageError("--prompts is empty; leave it out for all prompts, or see `deltabench prompts`.")
    names = [name for name in wanted if isinstance(name, str)]
    own = tuple(prompt for prompt in wanted if isinstance(prompt, Prompt))
    return (*(choose(domain.prompts, names) if names and domain else ()), *own)


def execute(
    planned: PlannedRun,
    deterministic: bool = False,
    quiet: bool = False,
    say: Callable[[str], object] = print,
    execution: Execution = ALONE,
    early: Callable[[], str] | None = None,
) -> list[Failure]:
    """Make the chunks of a run that are missing.

    Args:
        planned: the run.
        deterministic: one thread and exact algorithms; then check that edits repeat.
        quiet: show no progress.
        say: gets what is found of each editor by ``deterministic``.
        execution: how the work is shared out.
        early: as ``Runner.run`` takes it.

    Returns:
        The chunks that failed.

    Raises:
        UsageError: the folder holds another run, is written by another process, or cannot be written.
    """
    from eval.runs.determinism import check_editors, deterministic_mode
    from eval.runs.executors.mending import mend
    from eval.runs.runner import Runner

    planned.check()
    executor = planned.executor(execution, deterministic)
    with Store(planned.folder).lock():
        store = planned.claimed_store()
        planned.tell_of_prompts()
        if not quiet:
            print(device_sentence(planned.domain.editing.device, planned.domain.editing.precision), file=sys.stderr)
        with deterministic_mode() if deterministic else nullcontext():
            failures = Runner(planned.domain, planned.arguments, planned.specs, store, executor).run(quiet, early)
            mend(planned.domain, planned.arguments, planned.specs, store)
            store.refreshed({failure.chunk.editor for failure in failures})
            if deterministic:
                check_editors(planned.domain, planned.arguments, planned.specs, store, say)
    return failures
