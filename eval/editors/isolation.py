"""Keeps what an editor does to the process to itself: exits, prints, hangs, and changes of global state.

Whatever a stranger's editor does while it is built, prepared, fitted or asked, the next editor and the harness find the
process as it was, and an exit is an error of that editor alone. What ends the process itself (``os._exit``, a crash of
native code, all memory taken) cannot be kept to an editor in one process: the same command goes on from there.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eval.domains import guard as judge_guard
from eval.errors import EditorStopped

RING_AGAIN_S = 1.0  # an editor that catches everything is interrupted until it lets go
CHANGED_BY_IMPORTS = ("environment variables", "filters of warnings")  # of libraries that an editor loads
State = dict[str, Any]


@contextmanager
def at_work(editor: str, timeout_s: float | None = None) -> Iterator[None]:
    """Around every call into an editor: every judge raises, and the process is afterwards as it was before.

    What the editor prints goes to standard error, so that the output of a command stays readable by machines.

    Args:
        editor: its label, for errors.
        timeout_s: a call that takes longer fails; None: it may take for ever. Cut short in the main thread of a POSIX
            system; elsewhere (Windows, other threads) the call is waited for and fails afterwards.

    Raises:
        EditorStopped: it called ``sys.exit``, raised what is no ``Exception``, or took too long.
        JudgeTouched: it used a network that scores.
    """
    before = state()
    try:
        with redirect_stdout(sys.stderr), _limited(editor, timeout_s), judge_guard.editing(editor):
            yield
    except (KeyboardInterrupt, GeneratorExit, Exception):
        raise
    except _TimeUp:
        raise EditorStopped(
            f"The editor {editor} took longer than {timeout_s:g} s (--cell-timeout) and was stopped."
        ) from None
    except SystemExit as error:
        raise EditorStopped(f"The editor {editor} called sys.exit({error.code!r}); it must raise an error.") from error
    except BaseException as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise EditorStopped(f"The editor {editor} raised {said}, which is no Exception.") from error
    finally:
        put_back(before)


class _TimeUp(BaseException):
    """Raised into an editor that took too long; no ``Exception``, so that few editors catch it."""


@contextmanager
def _limited(editor: str, timeout_s: float | None) -> Iterator[None]:
    """Raise ``_TimeUp`` in the body when it has taken too long."""
    if timeout_s is None:
        yield
        return
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        began = time.monotonic()
        yield
        if (took_s := time.monotonic() - began) > timeout_s:
            raise EditorStopped(f"The editor {editor} took {took_s:.0f} s, longer than --cell-timeout {timeout_s:g}.")
        return
    over = False

    def ring(number: int, frame: FrameType | None) -> None:
        if not over:
            raise _TimeUp

    handler = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout_s, RING_AGAIN_S)
    try:
        try:
            yield
        finally:
            over = True  # an alarm of this very moment still finds the timer stopped below
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def state() -> State:
    """The global state of the process that editors are known to change, by what it is called."""
    return {name: read() for name, (read, _) in _STATE.items()}


def put_back(before: State) -> list[str]:
    """Set what differs from ``before`` to what it was; returns the names of what differed."""
    changed = [name for name, (read, _) in _STATE.items() if not _same(read(), before[name])]
    for name in changed:
        _STATE[name][1](before[name])
    return changed


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.device == other.device and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _enter(folder: str | None) -> None:
    with suppress(OSError):
        os.chdir(folder or ".")


def _set_environment(variables: dict[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def _set_handlers(handlers: list[Any]) -> None:
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        with suppress(ValueError):  # no main thread: nobody there could have changed them
            signal.signal(number, handler)


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]


def _cuda_states() -> list[Tensor]:
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _cudnn() -> dict[str, Any]:
    return {name: getattr(torch.backends.cudnn, name) for name in ("benchmark", "deterministic", "allow_tf32")}


def _set_cudnn(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        setattr(torch.backends.cudnn, name, value)


_STATE: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "working folder": (_folder, _enter),
    "environment variables": (lambda: dict(os.environ), _set_environment),
    "random state of Python": (random.getstate, random.setstate),
    "random state of NumPy": (lambda: np.random.get_state(legacy=True), np.random.set_state),
    "random state of torch": (torch.get_rng_state, torch.set_rng_state),
    "random state of CUDA": (_cuda_states, lambda states: torch.cuda.set_rng_state_all(states) if states else None),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (torch.get_default_device, torch.set_default_device),
    "deterministic algorithms": (
        _determinism,
        lambda modes: torch.use_deterministic_algorithms(modes[0], warn_only=modes[1]),
    ),
    "precision of float32 products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "settings of cuDNN": (_cudnn, _set_cudnn),
    "error handling of NumPy": (np.geterr, lambda modes: np.seterr(**modes)),
    "filters of warnings": (lambda: list(warnings.filters), _set_filters),
    "signal handlers": (_handlers, _set_handlers),
    "standard error": (lambda: sys.stderr, lambda stream: setattr(sys, "stderr", stream)),
}
