from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from eval.editors.isolation import at_work, put_back, state
from eval.errors import EditorStopped

CHANGES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {  # how it is read, how an editor changes it
    "working folder": (os.getcwd, lambda: os.chdir("/")),
    "environment variables": (
        lambda: (os.environ.get("HOME"), os.environ.get("NEW_ONE")),
        lambda: os.environ.update(HOME="elsewhere", NEW_ONE="1"),
    ),
    "random state of Python": (lambda: random.getstate(), lambda: random.seed(5)),
    "random state of NumPy": (lambda: np.random.get_state()[1].tolist(), lambda: np.random.seed(5)),
    "random state of torch": (lambda: torch.get_rng_state().tolist(), lambda: torch.manual_seed(5)),
    "number of threads": (torch.get_num_threads, lambda: torch.set_num_threads(torch.get_num_threads() + 1)),
    "gradient mode": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(not torch.is_grad_enabled())),
    "default dtype": (lambda: torch.zeros(1).dtype, lambda: torch.set_default_dtype(torch.float64)),
    "default device": (lambda: torch.zeros(1).device, lambda: torch.set_default_device("meta")),
    "deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        lambda: torch.use_deterministic_algorithms(True),
    ),
    "precision of float32 products": (
        torch.get_float32_matmul_precision,
        lambda: torch.set_float32_matmul_precision("medium"),
    ),
    "settings of cuDNN": (
        lambda: torch.backends.cudnn.benchmark,
        lambda: setattr(torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark),
    ),
    "error handling of NumPy": (np.geterr, lambda: np.seterr(all="raise")),
    "filters of warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("error")),
    "signal handlers": (
        lambda: signal.getsignal(signal.SIGTERM),
        lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    ),
    "standard error": (lambda: sys.stderr, lambda: setattr(sys, "stderr", None)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_an_editor_changes_is_put_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read, change = CHANGES[name]
    before, whole = read(), state()
    try:
        with at_work("me"):
            change()
            assert read() != before
        assert read() == before
        with pytest.raises(ValueError, match="mine"), at_work("me"):
            change()
            raise ValueError("mine")
        assert read() == before
        change()
        assert put_back(whole) == [name]
    finally:
        put_back(whole)


def test_a_folder_that_is_gone_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    with at_work("me"):
        os.rmdir(inside)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", [0, None, "bye"])
def test_an_exit_is_the_editors_error(code: object) -> None:
    with pytest.raises(EditorStopped) as caught, at_work("me"):
        sys.exit(code)  # type: ignore[arg-type]
    assert str(caught.value) == f"The editor me called sys.exit({code!r}); it must raise an error."


def test_other_base_exceptions_are_its_errors_but_not_a_ctrl_c() -> None:
    class Strange(BaseException):
        pass

    with (
        pytest.raises(EditorStopped, match=r"The editor me raised Strange: why not, which is no Exception\."),
        at_work("me"),
    ):
        raise Strange("why\nnot")
    with pytest.raises(KeyboardInterrupt), at_work("me"):
        raise KeyboardInterrupt


def test_what_it_prints_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with at_work("me"):
        print("step 1")
    print("a number")
    assert capsys.readouterr() == ("a number\n", "step 1\n")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX only")
@pytest.mark.parametrize("catches", [False, True])
def test_a_call_that_hangs_is_stopped(catches: bool) -> None:
    began = time.monotonic()
    with pytest.raises(EditorStopped) as caught, at_work("me", 0.2):
        while time.monotonic() - began < 30:
            try:
                time.sleep(30)
            except Exception:
                if not catches:
                    raise
    assert time.monotonic() - began < 10
    assert str(caught.value) == "The editor me took longer than 0.2 s (--cell-timeout) and was stopped."
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_call_within_its_time_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    with at_work("me", 60):
        done = True
    assert done and signal.getitimer(signal.ITIMER_REAL) == (0, 0) and signal.getsignal(signal.SIGINT) == before


def test_in_another_thread_a_slow_call_fails_afterwards() -> None:
    seen: list[BaseException] = []

    def work() -> None:
        try:
            with at_work("me", 0.05):
                time.sleep(0.1)
        except EditorStopped as error:
            seen.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "longer than --cell-timeout 0.05" in str(seen[0])
