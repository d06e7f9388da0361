"""DeltaBench in Python: which text-driven editor changes what the text asks, and only that, at what cost?

>>> import deltabench
>>> run = deltabench.run("deltaedit,identity", prompts="glasses,smile", images=5)  # doctest: +SKIP
>>> run.tables["main"]  # doctest: +SKIP

Nothing heavy is imported before one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deltabench.names import take_ours

take_ours()

if TYPE_CHECKING:
    from deltabench.front import compare as compare
    from deltabench.front import load_run as load_run
    from deltabench.front import report as report
    from deltabench.front import run as run
    from deltabench.result import Run as Run
    from eval.domains import load_domain as load_domain
    from eval.editors.protocol import Editor as Editor

_WHERE = {  # name -> the module that it stands in
    "run": "deltabench.front",
    "report": "deltabench.front",
    "load_run": "deltabench.front",
    "compare": "deltabench.front",
    "Run": "deltabench.result",
    "load_domain": "eval.domains",
    "Editor": "eval.editors.protocol",
}
__all__ = ["Editor", "Run", "compare", "load_domain", "load_run", "report", "run"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"deltabench has no '{name}'; it has: {', '.join(__all__)}.")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
