"""``report.html``: one offline file to look at a run in. ``docs/explorer.md`` says what each view answers."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.runs.reader import Run, opened
from reports.conclusions import conclusions
from reports.equal_effect.prompts import is_control
from reports.explorer.cells import SHOWN, cells
from reports.explorer.images import Pictures, pictures
from reports.explorer.numbers import numbers
from reports.explorer.pairs import comparisons
from reports.explorer.sets import set_columns, sets
from reports.explorer.stops import Choices
from reports.explorer.tables import Tables, columns, described
from reports.explorer.tables import tables as metric_tables
from reports.glossary import meaning, other_words
from reports.tables import build_tables
from reports.writers.layout import Table
from reports.writers.style import colours

NAME = "report.html"
PAGE_BYTES = 20_000_000  # small enough to mail
CODE_BYTES = 800_000  # room for style, script and the numbers of single cells; where more are needed, packed again
TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("state", "images", "parts", "table", "sets", "grid", "edit", "compare", "pareto", "about", "keys", "start")
CURVE_COLUMNS = ("identity", "ad_mean", "preservation", "success", "error", "counterfactual_identity")


def write_explorer(
    run: Run | Path, tables: Sequence[Table] | None = None, tested: bool = True, page_bytes: int = PAGE_BYTES
) -> list[Path]:
    """Write ``report.html`` into the run folder; the same bytes for the same cells.

    Args:
        run: opened, or its folder, of ``deltabench run``.
        tables: of the run, as they are built; None: they are built here.
        tested: whether paired tests find the editors that cannot be told apart; otherwise intervals stand for that.
        page_bytes: that the file may have; pictures are stored so that they fit.

    Returns:
        The file.

    Raises:
        ValueError: the run has no finished chunk yet, or a file of it cannot be read.
    """
    run = opened(run)
    if not len(run.chunks):
        raise ValueError(f"{run.folder} has no finished chunk to report; give the same `deltabench run` again.")
    choices = Choices(run)
    written = build_tables(run) if tables is None else tables
    data = page_data(choices, {table.name: table for table in written}, tested)
    path = run.folder / NAME
    path.write_bytes(_fitting(choices, data, page_bytes))
    return [path]


def _fitting(choices: Choices, data: dict[str, Any], page_bytes: int) -> bytes:
    """The page; packed once more where the numbers took more room than expected."""
    room = page_bytes - len(embedded(data).encode("utf-8")) - CODE_BYTES
    for _ in range(2):
        shown = pictures(choices, room)
        text = page(data | picture_data(choices, shown), shown).encode("utf-8")
        if len(text) <= page_bytes:
            break
        room = shown.size_bytes - (len(text) - page_bytes)
    return text


def page_data(choices: Choices, written: Tables, tested: bool = True) -> dict[str, Any]:
    """What the page knows apart from pictures and single cells, as JSON can hold it.

    Args:
        choices: of the run.
        written: its tables.
        tested: whether editors are compared by paired tests.
    """
    run = choices.run
    means = numbers(choices)
    pairs = comparisons(choices) if tested else {}
    palette = colours(run.editors)
    known = columns(run) | {name: described(*about) for name, about in set_columns(run).items()}
    return {
        "domain": run.manifest.get("domain", ""),
        "unfinished": run.unfinished,
        "left_out": choices.left_out,
        "images": len(run.names),
        "conclusions": conclusions(run) if tested else (),
        "arguments": run.manifest.get("arguments", {}),
        "commit": run.manifest.get("commit"),
        "editors": [{"label": e, "colour": palette[e], "control": is_control(e)} for e in run.editors],
        "stops": [{"name": s.name, "kind": s.kind, "label": s.label, "goal": s.goal} for s in choices.stops],
        "first_stop": choices.first,
        "prompts": choices.prompts,
        "factors": list(run.factors),
        "scopes": {scope.name: list(scope.prompts) for scope in choices.scopes},
        "columns": {name: about | {"meaning": meaning(run, name)} for name, about in known.items()},
        "glossary": other_words(),
        "cell_columns": list(SHOWN),
        "curve_columns": list(CURVE_COLUMNS),
        "tables": metric_tables(choices, means, pairs, written),
        "sets": sets(choices, written),
        "curves": _curves(means),
        "pairs": {stop: {k: v for k, v in found.items() if k != "letters"} for stop, found in pairs.items()},
        "tested": tested,
        "failures": [{k: str(f.get(k, "")) for k in ("id", "editor", "prompt", "error")} for f in run.failures],
    }


def picture_data(choices: Choices, shown: Pictures) -> dict[str, Any]:
    """What the page knows of the persons it shows: the numbers of their cells and where their pictures are."""
    return {
        "persons": [choices.run.names[source] for source in shown.sources],
        "cells": cells(choices, shown),
        "pictures": {
            "px": shown.packing.px,
            "step": shown.packing.step,
            "native_px": shown.native_px,
            "kept": shown.kept,
            "wide": shown.wide,
            "references": shown.references,
        },
    }


def _curves(means: dict[str, Any]) -> dict[str, Any]:
    """Stop -> scope -> editor -> column -> mean, low, high, over eligible cells."""
    wanted = ("target_effect", *CURVE_COLUMNS)
    return {
        stop: {
            scope: {
                editor: {name: found["over_eligible"][name] for name in wanted if name in found["over_eligible"]}
                for editor, found in editors.items()
            }
            for scope, editors in scopes.items()
        }
        for stop, scopes in means.items()
    }


def page(data: dict[str, Any], shown: Pictures) -> str:
    """The whole page as HTML; nothing in it loads anything."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    style = (TEMPLATES / "explorer.css").read_text(encoding="utf-8")
    script = "\n".join((TEMPLATES / f"explorer_{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    return environment.get_template("explorer.html").render(
        domain=data["domain"],
        conclusions=data["conclusions"],
        unfinished=data["unfinished"],
        left_out=data["left_out"],
        style=style,
        script=script,
        style_hash=content_hash(style),
        script_hash=content_hash(script),
        data=embedded(data),
        sprites=embedded({"base": shown.base, "edits": shown.sprites}),
    )


def content_hash(text: str) -> str:
    """As a Content-Security-Policy names an inline script or style: nothing else may run."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def embedded(value: Any) -> str:
    r"""JSON that no text in it can end early, for a ``<script type="application/json">``.

    >>> embedded({"text": "</script>"})
    '{"text":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
