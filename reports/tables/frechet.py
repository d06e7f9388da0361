"""How far are the edits, as a set, from the counterfactuals? Fréchet distance, KID and CMMD at equal N."""

from __future__ import annotations

import math

import numpy as np

from eval.metrics.book import metric_of
from eval.runs.reader import Run
from reports.pool import COUNTERFACTUAL, MANY_SETTINGS, Line, Pool, common_cells
from reports.tables.columns import BY_PERSON, EDITOR, FRECHET, KIND, STRENGTH, Column, count, label, names
from reports.writers.layout import NOT_AVAILABLE, Block, Table, Value, number

NAME, SIZES_NAME = "frechet", "frechet_sizes"
QUESTION = "How far are the edits, as a set, from the counterfactuals?"
SIZES_QUESTION = "How does the Fréchet distance depend on the number of images?"
POOLED = "cells that all editors and kinds of strength have, pooled over prompts"
SIZES_COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "strength": STRENGTH,
    "n": label("number of edits in the distance"),
    "distance": Column(
        *(FRECHET, "Fréchet distance of edits and counterfactuals of this many cells", metric_of("frechet").source),
        *("frechet", POOLED, ("frechet",)),
    ),
}


def distance_column(ending: str, name: str, interval: str = "") -> Column:
    """A column of ``main`` or ``frechet`` that is named after the domain's distance, as ``fd_avatars_floor``."""
    if ending == "_n":
        return count("number of edits in the distance", POOLED)
    formula = {
        "": "Fréchet distance of edits and counterfactuals of the same cells",
        "_floor": "Fréchet distance of counterfactuals of different persons at this N",
        "_extrapolated": "limit of a line through the distances of smaller sets against 1/N",
    }[ending]
    return Column(FRECHET, formula, metric_of("frechet").source, "frechet", POOLED, (name,), interval)


def frechet_columns(name: str) -> dict[str, Column]:
    """What the columns are, for a domain whose Fréchet distance has this name."""
    kernels = {
        kernel: Column(FRECHET, record.formula, record.source, features, POOLED, (kernel,))
        for kernel, features, record in (("kid", "frechet", metric_of("kid")), ("cmmd", "clip", metric_of("cmmd")))
    }
    return {
        "editor": EDITOR,
        "kind": KIND,
        "strength": STRENGTH,
        "n": count("number of edits in the distance", POOLED),
        "persons": count("number of persons among them", POOLED),
        "different": count("number of different features among them", POOLED),
        name: distance_column("", name, BY_PERSON),
        **{f"{name}{ending}": distance_column(ending, name) for ending in ("_floor", "_extrapolated")},
        **kernels,
    }


def frechet_tables(run: Run, pool: Pool) -> tuple[Table, ...]:
    """The distances of every setting, and how they depend on N; nothing where no counterfactuals are known."""
    if not pool.known or len(pool.cells) < 2:
        return ()
    floor = pool.distances.floor(pool.counterfactuals, pool.persons)
    data: list[dict[str, Value]] = []
    points: list[dict[str, Value]] = []
    for line in pool.lines():
        if line.editor == COUNTERFACTUAL:  # against itself: 0 at every N
            data.append(_data(run, pool, line, floor, math.nan))
            continue
        if _many(run):
            data.append(_data(run, pool, line, floor, math.nan))
            continue
        curve = pool.distances.by_size(line.frechet, pool.counterfactuals, pool.persons)
        data.append(_data(run, pool, line, floor, curve.limit))
        points += [
            {"editor": line.editor, "kind": line.kind, "strength": line.strength, "n": size, "distance": distance}
            for size, distance in zip(curve.sizes, curve.distances, strict=True)
        ]
    main = Table(
        NAME,
        QUESTION,
        names(frechet_columns(run.manifest["frechet_name"])),
        tuple(data),
        (_block(run, data, pool),),
        _notes(run, pool, floor),
    )
    sizes = Table(SIZES_NAME, SIZES_QUESTION, names(SIZES_COLUMNS), tuple(points), (_sizes_block(run, points),))
    return (main, sizes) if points else (main,)


def _many(run: Run) -> bool:
    return len(run.settings) > MANY_SETTINGS


def _data(run: Run, pool: Pool, line: Line, floor: float, limit: float) -> dict[str, Value]:
    name = run.manifest["frechet_name"]
    low = high = math.nan
    if line.editor != COUNTERFACTUAL:  # its distance to itself is 0 without any interval
        low, high = pool.distances.interval(line.frechet, pool.counterfactuals, pool.persons)
    cmmd = None
    if line.clip is not None and pool.clip_counterfactuals is not None:
        cmmd = pool.distances.cmmd(line.clip, pool.clip_counterfactuals, pool.persons)
    few = len(set(pool.persons)) < 2 and line.editor != COUNTERFACTUAL
    return {
        "editor": line.editor,
        "kind": line.kind,
        "strength": line.strength,
        "n": len(pool.cells),
        "persons": len(set(pool.persons)),
        "different": len(np.unique(line.frechet, axis=0)),
        name: pool.known_distance((line.editor, line.kind, line.strength), line.frechet),
        f"{name}_low": NOT_AVAILABLE if few else low,
        f"{name}_high": NOT_AVAILABLE if few else high,
        f"{name}_floor": floor,
        f"{name}_extrapolated": limit,
        "kid": pool.distances.kid(line.frechet, pool.counterfactuals, pool.persons),
        "cmmd": cmmd,
    }


def _block(run: Run, data: list[dict[str, Value]], pool: Pool) -> Block:
    name = run.manifest["frechet_name"]
    header = ("editor", "strength", f"{name} ↓", "95 %", "at N → ∞", "KID ↓", "CMMD ↓")
    rows = []
    for row in data:
        ends = (row[f"{name}_low"], row[f"{name}_high"])
        span = f"{_text(ends[0], 1)} to {_text(ends[1], 1)}" if _text(ends[0], 1) else ""
        strength = {"given": str(row["strength"]), "reference": ""}.get(str(row["kind"]), str(row["kind"]))
        mark = f" ({row['different']} different)" if _repeats(row) else ""
        figures = (_text(row[name], 1), span, _text(row[f"{name}_extrapolated"], 1))
        rows.append((f"{row['editor']}{mark}", strength, *figures, _text(row["kid"], 3), _text(row["cmmd"], 3)))
    return Block(f"{len(pool.cells)} pictures of {len(set(pool.persons))} persons each", header, tuple(rows), texts=2)


def _repeats(row: dict[str, Value]) -> bool:
    """Whether an editor gives one picture several times, so that N overstates what there is; references aside."""
    return row["kind"] != "reference" and int(row["different"] or 0) < int(row["n"] or 0)


def _text(value: Value, digits: int) -> str:
    if isinstance(value, str):
        return value
    return number(None if value is None else float(value), digits)


def _sizes_block(run: Run, points: list[dict[str, Value]]) -> Block:
    """One column an N."""
    sizes = sorted({int(point["n"] or 0) for point in points})
    lines = dict.fromkeys((str(p["editor"]), str(p["kind"]), str(p["strength"])) for p in points)
    rows = []
    for line in lines:
        known = {p["n"]: p["distance"] for p in points if (p["editor"], p["kind"], p["strength"]) == line}
        rows.append((line[0], {"reference": ""}.get(line[1], line[1]), *(_text(known.get(n), 1) for n in sizes)))
    title = f"{run.manifest['frechet_name']} of so many pictures, all of the same number of persons"
    return Block(title, ("editor", "strength", *(f"N {n}" for n in sizes)), tuple(rows), texts=2)


def _of_some(run: Run, pool: Pool) -> str:
    """Which persons they are of, where that is not all."""
    every, some = len(common_cells(run, len(run.rows))), len(pool.cells)
    return f" ({some:,} of {every:,}, those of the first {len(set(pool.persons)):,} persons)" if some < every else ""


def _notes(run: Run, pool: Pool, floor: float) -> tuple[str, ...]:
    name = run.manifest["frechet_name"]
    return (
        f"Only cells that all editors and strengths have{_of_some(run, pool)}, so N is equal: the edits pooled over "
        "prompts against the "
        "counterfactuals of the same cells. Both sides show the same persons, so a perfect editor scores 0.",
        f"Scale: counterfactuals of *other* persons score {number(floor, 1)} at this N. A distance below that is "
        "smaller than the chance of drawing persons; a good editor need not reach it.",
        "Oracle: the counterfactuals through the inversion, the best that an editor of this generator can score. "
        "Inversion: the reconstructions, what doing nothing scores; it can be better than what an editor scores, as an "
        "edit that fails adds its own errors, so read success first.",
        "95 %: bootstrap over persons, of the distance at this N. At N → ∞: line through the distances of smaller sets "
        "against 1/N; where it lies far below, N is small for these features and only rows of this table compare"
        + (f" (none with more than {MANY_SETTINGS} editors and strengths)." if _many(run) else "."),
        f"KID on the features of {name}, CMMD on those of the judge CLIP: over pairs of different persons, unbiased, 0 "
        "for a perfect editor."
        + ("" if pool.clip_counterfactuals is not None else " This run stored no CLIP features, so CMMD is blank."),
    )
