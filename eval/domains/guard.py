"""Keeps judges from answering while an editor works.

Caught: a call of a judge, of a network inside it or of a copy of that, from wherever the editor has it; reading a
judge's weight file through ``eval``; both also where the editor hides the error, because a touch is remembered. That
an editor holds no judge's weights is looked for in ``eval.judging.apart``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from deltaedit.backbones.clip import Clip
from eval.domains.reachable import reachable


class JudgeTouched(RuntimeError):
    """An editor used a network that scores."""


@dataclass
class Watch:
    """An editor at work.

    Attributes:
        editor: its label.
        touched: the judges that it tried to use, in order.
    """

    editor: str
    touched: list[str] = field(default_factory=list)

    def error(self) -> JudgeTouched:
        """What is wrong, in one sentence."""
        names = " and ".join(f"'{name}'" for name in dict.fromkeys(self.touched))
        return JudgeTouched(
            f"The editor {self.editor} touched {names}; judges only score: an editor may use the networks of its "
            "EditingDomain and others of its own."
        )


# Process-wide on purpose: an editor that starts a thread, or loads the judges a second time, must meet the same guard.
_at_work: list[Watch] = []


@contextmanager
def editing(editor: str) -> Iterator[Watch]:
    """While this is open every judge of the process raises.

    Args:
        editor: its label, for the error.

    Raises:
        JudgeTouched: at the touch; and at the end, where the editor caught that error and went on.
    """
    watch = Watch(editor)
    _at_work.append(watch)
    try:
        yield watch
    finally:
        _at_work.remove(watch)
    if watch.touched:
        raise watch.error()


def refuse(judge: str) -> None:
    """Called wherever a judge would answer.

    Raises:
        JudgeTouched: an editor is at work.
    """
    if _at_work:
        _at_work[-1].touched.append(judge)
        raise _at_work[-1].error()


class Guarded:
    """A judge that answers only while no editor is at work.

    Args:
        function: images -> scores.
        judge: its name, for the error.
    """

    def __init__(self, function: Callable[[Tensor], Any], judge: str) -> None:
        self.function = function
        self.judge = judge

    def __call__(self, images: Tensor) -> Any:
        """As the function."""
        refuse(self.judge)
        return self.function(images)


def guarded(function: Callable[[Tensor], Any], judge: str) -> Callable[[Tensor], Any]:
    """The function behind the guard, and every network that it holds."""
    protect(function, judge)
    return function if isinstance(function, Guarded) else Guarded(function, judge)


def protect(thing: object, judge: str) -> None:
    """Make the networks that something holds refuse to run while an editor is at work; copies of them do as well."""
    for network in reachable([thing]):
        if isinstance(network, Clip):
            network.before_answer = functools.partial(refuse, judge)
        if isinstance(network, nn.Module):
            for part in network.modules():
                if not any(_is_refusal(hook) for hook in part._forward_pre_hooks.values()):
                    part.register_forward_pre_hook(functools.partial(_refuse_to_run, judge))


def _refuse_to_run(judge: str, network: nn.Module, inputs: Any) -> None:
    refuse(judge)


def _is_refusal(hook: object) -> bool:
    return isinstance(hook, functools.partial) and hook.func is _refuse_to_run
