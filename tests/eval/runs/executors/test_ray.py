"""A run on a local Ray cluster, one worker of which is killed, has the same bytes as a run by one process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eval.errors import UsageError
from eval.runs.executors.choice import Execution
from eval.runs.executors.ray import Ray
from eval.runs.executors.setup import Setup
from eval.runs.plan import Arguments
from eval.runs.runner import Runner
from tests.eval.runs.executors.test_processes import BATCH, STRENGTHS, WORKERS, EditorSpec, Wave, files, run, setup_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]


def test_two_workers_of_which_one_is_killed_make_the_same_bytes(
    tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's 15 would starve them beside the other tests
    ray = pytest.importorskip("ray")
    assert run(tmp_path, tiny_domain, "serial", 1) == []
    specs = [EditorSpec("wave", Wave, {"marks": str(tmp_path), "hair": 1}, "wave")]
    setup, store = setup_of(tmp_path, tiny_domain, specs, "ray", STRENGTHS)
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    settings = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
    try:
        ray.init(num_cpus=WORKERS, runtime_env={"env_vars": environment}, object_store_memory=80 * 2**20, **settings)
    except Exception as error:
        pytest.skip(f"Ray gives its own processes 15 s to start, too few on this busy machine ({error})")
    made: list[object] = []
    remote = ray.remote

    def counted(**wanted: Any) -> Any:
        def count(actor: type) -> Any:
            made_by = remote(**wanted)(actor)
            return SimpleNamespace(remote=lambda *given: made.append(actor) or made_by.remote(*given))

        return count

    monkeypatch.setattr(ray, "remote", counted)
    try:
        executor = Ray(setup, "auto")
        assert Runner(tiny_domain, setup.arguments, specs, store, executor).run(quiet=True) == []
    finally:
        ray.shutdown()
    assert [path.name for path in tmp_path.glob("red-hair-*")] == ["red-hair-0"]  # one death
    assert len(made) == WORKERS + 1  # and one actor in the place of the dead one
    serial = files(tmp_path / "serial")
    assert len(serial) == 2 * 3 * 2 * 2 + 2 + 2 + 1
    assert files(tmp_path / "ray") == serial
    assert not list((tmp_path / "ray").rglob("*.tmp"))


@pytest.mark.parametrize(
    ("workers", "gpus", "resources", "shares"),
    [
        (2, 0.0, {"CPU": 8.0}, (2, 4)),  # two workers share eight cores
        ("auto", 0.0, {"CPU": 8.0}, (8, 1)),
        ("auto", 0.5, {"CPU": 32.0, "GPU": 4.0}, (8, 4)),  # two a GPU, which share the cores
        ("auto", 1.0, {"CPU": 2.0, "GPU": 4.0}, (2, 1)),  # cores are the limit
    ],
)
def test_shares_of_a_cluster(
    workers: int | str, gpus: float, resources: dict[str, float], shares: tuple[int, int], tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    setup = Setup(object, Arguments("tiny", (), ()), (), tmp_path)
    assert Ray(setup, workers, gpus=gpus)._shares(resources) == shares


def test_a_cluster_without_room_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    setup = Setup(object, Arguments("tiny", (), ()), (), tmp_path)
    with pytest.raises(UsageError, match=r"has 8 cores and 0 GPUs, no room for a worker with --gpus-per-worker 0.5"):
        Ray(setup, "auto", gpus=0.5)._shares({"CPU": 8.0})


def test_what_belongs_to_ray_is_refused_without_it() -> None:
    assert BATCH
    with pytest.raises(UsageError, match="add --executor ray"):
        Execution(2, gpus_per_worker=0.5)
    with pytest.raises(UsageError, match="There is no executor 'dask'"):
        Execution(2, "dask")
