"""What an editor is made of: the sha256 of the code of its module and of what it imports beside it.

A run folder of one source is not filled up with cells of another, and what an editor of one source computed and kept is
not used by another. Comments, docstrings and layout are no code.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

OURS = ("baselines", "deltaedit")  # packages of the editors that come with DeltaBench: beside one another
DIGITS = 16
CODE = "code:"  # before a digest of code alone; folders of earlier versions have digests of whole files


@cache
def sources_of(editor: type) -> dict[str, str]:
    """The files that an editor is made of -> the first digits of the sha256 of their code.

    Its module; and, however indirectly, the modules that it imports from its own package or, where it is in none, from
    its own folder. Libraries are not among them: the manifest has their versions.

    Args:
        editor: a class; of one that a notebook defines, its own lines count.
    """
    found: dict[str, str] = {}
    waiting = [editor.__module__]
    while waiting:
        name = waiting.pop()
        if name in found or not _is_beside(editor.__module__, name) or (path := _file(name)) is None:
            continue
        source = path.read_bytes()
        found[name] = _digest(source)
        waiting += _imports(name, path, source)
    if not found:
        with suppress(OSError, TypeError):  # nobody knows its lines
            found[editor.__qualname__] = _digest(textwrap.dedent(inspect.getsource(editor)).encode())
    return dict(sorted(found.items()))


def source_key(editor: type) -> dict[str, str]:
    """What the key of an artefact has of its editor's source; nothing of our own, whose keys say all that counts."""
    if editor.__module__.partition(".")[0] in OURS:
        return {}
    sources = "".join(f"{name} {digest}\n" for name, digest in sources_of(editor).items())
    return {"editor_source": hashlib.sha256(sources.encode()).hexdigest()[:DIGITS]}


def is_same_source(module: str, there: str | None, here: str | None) -> bool:
    """Whether a module is the one of a run folder.

    Args:
        module: its name.
        there: its digest in the folder; of an earlier version, that of the whole file: then the file must be the same.
        here: its digest of today.
    """
    if there is None or there == here or there.startswith(CODE):
        return there == here
    path = _file(module)
    whole = b"" if path is None else path.read_bytes().replace(b"\r\n", b"\n")
    return path is not None and there == hashlib.sha256(whole).hexdigest()[:DIGITS]


def _digest(source: bytes) -> str:
    """The first digits of the sha256 of a source's code; of one that is no Python, of all of it."""
    try:
        code = ast.unparse(_CodeAlone().visit(ast.parse(source))).encode("utf-8", "surrogatepass")
    except (SyntaxError, ValueError, RecursionError):
        code = source.replace(b"\r\n", b"\n")
    return CODE + hashlib.sha256(code).hexdigest()[:DIGITS]


class _CodeAlone(ast.NodeTransformer):
    """Leaves out what does nothing: docstrings and other texts that stand alone, and ``pass``."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_Pass(self, node: ast.Pass) -> None:
        return None


def _file(module: str) -> Path | None:
    """The source of a module, which is not imported for it."""
    known = sys.modules.get(module)
    origin = getattr(known, "__file__", None)
    if known is None:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        origin = None if found is None else found.origin
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


def _is_beside(mine: str, other: str) -> bool:
    """Whether a module belongs to an editor's own code."""
    first, theirs = mine.partition(".")[0], other.partition(".")[0]
    if first == theirs or (first in OURS and theirs in OURS):
        return True
    here, there = _file(first), _file(theirs)
    if here is None or there is None or here.name == "__init__.py" or "site-packages" in here.parts:
        return False
    return here.parent in there.parents and "site-packages" not in there.parts


def _imports(module: str, path: Path, source: bytes) -> Iterator[str]:
    """The modules that a module's source names in its imports, also inside functions."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a file that cannot be imported
        return
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{name.name}" for name in node.names)  # a module, or a name inside one
