"""How many processes test: the whole suite has one a core; named files and tests run in one, which starts fast."""

import os
from pathlib import Path

import pytest

MOST_WORKERS = 4  # each holds torch and the networks: up to 1.5 GiB

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: every core has a worker of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for ``-n auto``; 0 tests in this process, so that ``-s`` and a debugger work as well."""
    named = [argument for argument in config.invocation_params.args if _is_there(str(argument))]
    if named or config.option.collectonly:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS) if cores > 1 else 0


def _is_there(argument: str) -> bool:
    """Whether an argument of the command line is a file, a folder or a test."""
    return Path(argument.split("::")[0]).exists()
