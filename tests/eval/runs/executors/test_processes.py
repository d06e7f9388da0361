"""A run by several processes, of which some are killed, has the same bytes as a run by one."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.domains import check_name
from eval.editors.spec import EditorSpec
from eval.errors import UsageError
from eval.judging.recipes import recipes
from eval.prompts import Prompt
from eval.runs.executors import choice, processes
from eval.runs.executors.choice import Execution
from eval.runs.executors.processes import Processes
from eval.runs.executors.schedule import Schedule
from eval.runs.executors.setup import Setup, check_importable
from eval.runs.executors.unit import CHUNK, Outcome
from eval.runs.executors.worker import Worker
from eval.runs.failures import Failure
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.runner import Runner, joined_costs
from eval.runs.store import Store

pytestmark = pytest.mark.slow

IMAGES, BATCH, WORKERS = 12, 8, 2
DEADLY = 1.7
STRENGTHS = f"default,calibrated,{DEADLY}"


class Wave:
    """Moves every style by a wave; ends its process in a prompt's second chunk at one strength as often as is said."""

    name: ClassVar[str] = "wave"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = "none"

    def __init__(self, marks: str = "", **deaths: int) -> None:
        self.deaths = deaths
        self.marks = Path(marks)

    def prepare(self, domain: EditingDomain) -> None: ...

    def fit(self, prompt: Prompt) -> None: ...

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        if len(latents) == IMAGES - BATCH and strength == DEADLY:  # which no calibration tries
            died = len(list(self.marks.glob(f"{prompt.name}-*")))
            if died < self.deaths.get(prompt.attribute, 0):
                (self.marks / f"{prompt.name}-{died}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return latents.with_s(latents.s + strength * torch.sin(torch.arange(latents.s.shape[1]) * len(prompt.name)))


def tiny(cache: Path, build: Any = None) -> Any:
    """The tiny domain; in a worker, whose tests are no package, from its file."""
    if build is None:
        from importlib.util import module_from_spec, spec_from_file_location

        spec = spec_from_file_location("tiny_domain", Path(__file__).parents[3] / "conftest.py")
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        build = module.build_tiny_domain
    torch.set_num_threads(1)
    return build(cache)


def setup_of(tmp_path: Path, domain: Any, specs: list[EditorSpec], name: str, strengths: str) -> tuple[Setup, Store]:
    labels = tuple(spec.label for spec in specs)
    arguments = Arguments("tiny", labels, domain.prompts[1:], IMAGES, parse_strengths(strengths), 0, BATCH)
    store = Store(tmp_path / name)
    told = manifest(domain, arguments, specs, recipes(domain))
    store.claim(told, [asdict(prompt) for prompt in arguments.prompts], domain.factors)
    return Setup(partial(tiny, tmp_path / "artefacts"), arguments, tuple(specs), store.folder), store


def run(tmp_path: Path, domain: Any, name: str, workers: int, **deaths: int) -> list[Failure]:
    specs = [EditorSpec("wave", Wave, {"marks": str(tmp_path), **deaths}, "wave")]
    setup, store = setup_of(tmp_path, domain, specs, name, STRENGTHS)
    executor = Processes(setup, workers) if workers > 1 else None
    return Runner(domain, setup.arguments, specs, store, executor).run(quiet=True)


def files(folder: Path) -> dict[str, bytes]:
    """Everything that must not depend on who did it: rows, features, strengths."""
    names = ("chunks/*.parquet", "chunks/*.npz", "strengths/*.json", "counterfactuals/*.npz", "sources.npz")
    return {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.glob(name)}


def test_two_workers_of_which_some_are_killed_make_the_same_bytes(tiny_domain: Any, tmp_path: Path) -> None:
    """One chunk kills its worker once and is made by another; one kills two and is given up, until the next run."""
    assert run(tmp_path, tiny_domain, "serial", 1) == []
    failures = run(tmp_path, tiny_domain, "shared", WORKERS, hair=1, mouth=2)
    assert sorted(path.name for path in tmp_path.glob("*-*-*")) == ["red-hair-0"]
    assert sorted(path.name for path in tmp_path.glob("smile-*")) == ["smile-0", "smile-1"]
    assert [(failure.chunk.prompt, failure.chunk.first) for failure in failures] == [("smile", BATCH)]
    assert failures[0].sentence.startswith("The worker of this chunk ended 2 times without an answer")
    serial, shared = files(tmp_path / "serial"), files(tmp_path / "shared")
    assert len(serial) == 2 * 3 * 2 * 2 + 2 + 2 + 1  # cells; strengths; counterfactuals; sources
    assert len(serial.keys() - shared.keys()) == 2
    assert [name for name in shared if serial[name] != shared[name]] == []

    assert run(tmp_path, tiny_domain, "shared", 1, hair=1, mouth=2) == []  # they have died often enough
    assert files(tmp_path / "shared") == serial
    assert not list((tmp_path / "shared").rglob("*.tmp"))


def test_workers_that_cannot_begin_are_one_sentence(tiny_domain: Any, tmp_path: Path) -> None:
    specs = [EditorSpec("wave", Wave, {}, "wave")]
    for name, load, words in (
        ("refuses", partial(check_name, "nowhere"), "There is no domain 'nowhere'"),
        ("dies", partial(os._exit, 3), "end before they have begun"),
    ):
        setup, store = setup_of(tmp_path, tiny_domain, specs, name, "default")
        executor = Processes(replace(setup, load=load, specs=()), WORKERS)
        with pytest.raises(UsageError, match=words):
            Runner(tiny_domain, setup.arguments, specs, store, executor).run(quiet=True)
        assert executor.process_ids == []


def told_variable() -> Any:
    raise UsageError(os.environ["DELTABENCH_TOLD"])


def test_workers_have_the_variables_of_today(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [EditorSpec("wave", Wave, {}, "wave")]
    for value in ("first", "second"):  # the process that workers are forks of has begun with the first
        monkeypatch.setenv("DELTABENCH_TOLD", value)
        setup, store = setup_of(tmp_path, tiny_domain, specs, value, "default")
        executor = Processes(replace(setup, load=told_variable, specs=()), 1)
        with pytest.raises(UsageError, match=value):
            Runner(tiny_domain, setup.arguments, specs, store, executor).run(quiet=True)


def test_an_interrupted_run_leaves_no_worker(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [EditorSpec("wave", Wave, {}, "wave")]
    setup, store = setup_of(tmp_path, tiny_domain, specs, "run", "default")
    executor = Processes(replace(setup, load=partial(time.sleep, 600), specs=()), WORKERS)
    schedule = Schedule(setup.arguments, ["wave"], store, setup.arguments.strengths)
    started: list[int] = []

    def interrupted(connections: object) -> None:
        started.extend(executor.process_ids)
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(executor.outcomes(schedule, lambda unit: None))
    assert len(started) == 1  # nothing else may be done before the first fit
    assert executor.process_ids == []
    assert not any(is_running(pid) for pid in started)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_stays_with_its_prompt_and_an_editor_is_prepared_once(tiny_domain: Any, tmp_path: Path) -> None:
    """By hand: two prompts, two editors, two chunks each."""
    specs = [EditorSpec(name, Wave, {}, name) for name in ("a", "b")]
    setup, store = setup_of(tmp_path, tiny_domain, specs, "run", "default")
    schedule = Schedule(setup.arguments, ["a", "b"], store, setup.arguments.strengths)
    first, second = schedule.take(0), schedule.take(1)
    assert first is not None and second is not None
    assert (first.task, *first.pair) == ("fit", "red-hair", "a")
    assert (second.task, *second.pair) == ("fit", "smile", "b")  # a is being prepared, and hair is the first worker's
    assert schedule.take(2) is None  # both are
    assert [schedule.ended(Outcome(unit, costs={})) for unit in (first, second)] == [[], []]
    chunk = schedule.take(0)
    assert chunk is not None and (chunk.task, *chunk.pair) == (CHUNK, "red-hair", "a")
    other = schedule.take(2)
    assert other is not None and (other.task, *other.pair) == ("fit", "red-hair", "b")
    assert [unit.chunk.first for unit in (chunk, schedule.take(0)) if unit is not None and unit.chunk] == [0, BATCH]
    assert schedule.lost(other) is None
    again = schedule.take(2)
    assert again == other
    failed = schedule.lost(again)
    assert failed is not None
    assert [lost.prompt for lost in schedule.ended(failed)] == ["red-hair"] * 2


def test_a_chunk_that_was_stored_before_its_worker_died_is_not_made_again(tiny_domain: Any, tmp_path: Path) -> None:
    specs = [EditorSpec("wave", Wave, {}, "wave")]
    setup, store = setup_of(tmp_path, tiny_domain, specs, "run", "default")
    worker = Worker(tiny_domain, setup.arguments, specs, store)
    schedule = Schedule(setup.arguments, ["wave"], store, setup.arguments.strengths)
    fit = schedule.take()
    assert fit is not None
    schedule.ended(worker.do(fit))
    unit = schedule.take()
    assert unit is not None and worker.do(unit).error == ""
    before = {path: path.stat().st_mtime_ns for path in store.folder.glob("chunks/*")}
    assert len(before) == 3
    time.sleep(0.01)
    assert worker.do(unit).error == ""
    assert {path: path.stat().st_mtime_ns for path in store.folder.glob("chunks/*")} == before


def test_editors_that_no_other_process_can_import_are_refused() -> None:
    class Local(Wave):
        pass

    check_importable([EditorSpec("wave", Wave, {}, "wave")])
    with pytest.raises(UsageError, match="The editor 'local' is no class of a module"):
        check_importable([EditorSpec("local", Local, {}, "local")])


def test_costs_of_several_workers_are_joined() -> None:
    first = {"prepare_s": 5.0, "fit_s": {"a": 1.0}, "artefacts": [{"file": "x", "cost_s": 9.0}]}
    second = {"prepare_s": 0.1, "fit_s": {"b": 2.0}, "artefacts": [{"file": "x", "cost_s": 8.0}, {"file": "y"}]}
    joined = joined_costs(first, second)
    assert joined["prepare_s"] == 5.0
    assert joined["fit_s"] == {"a": 1.0, "b": 2.0}
    assert sorted(joined["artefacts"], key=lambda artefact: artefact["file"]) == [*first["artefacts"], {"file": "y"}]


@pytest.mark.parametrize(
    ("device", "gpus", "workers"), [("cpu", 0, 2), ("cuda:0", 3, 3), ("cuda:2", 3, 1), ("mps", 0, 1)]
)
def test_as_many_workers_as_there_are_gpus_or_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, gpus: int, workers: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(choice, "cores", lambda: 2)
    assert chosen_by_itself(tmp_path, 5_000, (), device=device) == workers


def chosen_by_itself(tmp_path: Path, images: int, specs: tuple[EditorSpec, ...], **more: str) -> int:
    """How many workers ``auto`` takes for one editor, one prompt and two strengths, without calibration."""
    prompt = Prompt("smile", "face", "smiling face", "mouth", "smile")
    arguments = Arguments("tiny", ("wave",), (prompt,), images, parse_strengths("default,0.5"))
    executor = Execution("auto").chosen(Setup(object, arguments, specs, tmp_path, **more))  # type: ignore[arg-type]
    return 1 if executor is None else len(executor._crew)  # type: ignore[attr-defined]


def test_auto_starts_no_worker_that_would_not_pay_and_none_that_cannot_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: 2 x 1,900 edits keep three workers busy, 2 x 900 one; 3 GB hold one of 2 GB with what it may grow."""

    class Local(Wave):
        pass

    monkeypatch.setattr(choice, "cores", lambda: 16)
    monkeypatch.setattr(choice, "peak_memory_mib", lambda device: 2000.0)
    monkeypatch.setattr(choice, "free_bytes", lambda device: None)
    assert chosen_by_itself(tmp_path, 1_900, ()) == 3
    assert chosen_by_itself(tmp_path, 900, ()) == 1
    assert chosen_by_itself(tmp_path, 1_900, (EditorSpec("local", Local, {}, "local"),)) == 1
    monkeypatch.setattr(choice, "free_bytes", lambda device: 3 * 2**30)
    assert chosen_by_itself(tmp_path, 1_900, ()) == 1
