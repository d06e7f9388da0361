"""Work in a second process: its result, its errors, and no second process where a fork would be unsafe."""

import os
import signal
import threading

import pytest

from reports.writers import beside
from reports.writers.beside import Beside


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """As in a command: pytest-xdist's workers have a second thread."""
    monkeypatch.setattr(beside, "cores", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_the_result_comes_from_another_process():
    with Beside(os.getpid) as work:
        assert work.result() != os.getpid()


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2)])
def test_one_core_or_a_second_thread_keep_it_here(monkeypatch, cores, threads):
    monkeypatch.setattr(beside, "cores", lambda: cores)
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    with Beside(os.getpid) as work:
        assert work.result() == os.getpid()


def test_a_process_that_is_killed_is_made_up_for():
    here = os.getpid()

    def killed_elsewhere():
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    with Beside(killed_elsewhere) as work:
        assert work.result() == "done"


def test_its_error_is_raised_here():
    def fails():
        raise ValueError("no picture")

    with Beside(fails) as work, pytest.raises(ValueError, match="no picture"):
        work.result()


def test_it_ends_when_nobody_waits_for_it():
    with Beside(threading.Event().wait) as work:
        process = work._process
    assert process.exitcode == -signal.SIGKILL
