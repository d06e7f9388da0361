"""How far are the edits to a value, as a set, from real pictures that show it? For domains without counterfactuals.

Nobody knows the right picture of a person there, but pictures of other people who have a beard or a hat are known. An
edit that only pulls everybody towards the average face, or destroys the picture, does not come nearer to these.
"""

from __future__ import annotations

import numpy as np

from eval.metrics.book import metric_of
from eval.runs.reader import Run, Setting
from reports.means import eligible
from reports.pool import Pool
from reports.tables.columns import EDITOR, FRECHET, KIND, STRENGTH, Column, count, label, names
from reports.writers.layout import Block, Table, Value, number

NAME = "real_values"
QUESTION = "How far are the edits, as a set, from real pictures that show the value?"
FEWEST_SAMPLES, FEWEST_EDITS = 20, 5  # for a distance
SPLITS = 8  # of the real pictures into two sets of N, over which distances are averaged
MEAN = "mean"  # of the prompts that have a number
_CELLS = "eligible cells that all editors and kinds of strength have, as many as half of the real pictures at most"
_SETS = {
    "distance": "edits and real pictures that show the value",
    "unedited": "the same images unedited and these pictures",
    "floor": "two sets of these pictures, of nobody twice",
}
COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "strength": STRENGTH,
    "prompt": label("name of the prompt; 'mean': over those that have a number"),
    "n": count("number of pictures on either side", _CELLS),
    "samples": count("number of real pictures that are known to show the value", "prompt"),
    **{
        name: Column(
            *(FRECHET, f"Fréchet distance of {sets}, mean of {SPLITS} draws", metric_of("frechet").source, "frechet"),
            *(f"{sets}: {_CELLS}", ("frechet",)),
        )
        for name, sets in _SETS.items()
    },
    "missing": label("why there is no number"),
}


def real_values_table(run: Run, pool: Pool) -> Table | None:
    """Fréchet distances by prompt; None where counterfactuals are known, or no real pictures that show a value."""
    samples = {prompt["name"]: run.counterfactual(prompt["name"], "samples") for prompt in run.prompts}
    if pool.known or len(pool.cells) < 2 or all(features is None for features in samples.values()):
        return None
    lacking = _lacking(run, run.settings[0])
    rows = {
        name: np.array([i for i, cell in enumerate(pool.cells) if cell[0] == name and cell in lacking], dtype=int)
        for name in samples
    }
    fixed = {name: _fixed(run, pool, rows[name], samples[name]) for name in samples}
    data: list[dict[str, Value]] = []
    for setting in run.settings:
        found = [_entry(pool, setting, name, rows[name], samples[name], fixed[name]) for name in samples]
        data += [*found, _mean(setting, found)]
    return Table(NAME, QUESTION, names(COLUMNS), tuple(data), (_block(run, data),), _notes())


def _lacking(run: Run, setting: Setting) -> set[tuple[str, int]]:
    """The (prompt, source) whose image lacked the value: the same for every editor."""
    cells = eligible(run.rows.loc[setting.rows])
    return set(zip(cells["prompt"], cells["source"].astype(int), strict=True))


def _fixed(run: Run, pool: Pool, rows: np.ndarray, samples: np.ndarray | None) -> dict[str, Value]:
    """What a prompt's rows of the csv share: all but the distance of the edits, or why there is none."""
    known = 0 if samples is None else len(samples)
    entry: dict[str, Value] = {"n": min(len(rows), known // 2), "samples": known}
    if samples is None or known < FEWEST_SAMPLES:
        return {**entry, "missing": f"{known} real pictures show it; it takes {FEWEST_SAMPLES}"}
    if len(rows) < FEWEST_EDITS:
        return {**entry, "missing": f"{len(rows)} eligible edits that all editors have; it takes {FEWEST_EDITS}"}
    sources = run.sources("frechet")[[pool.persons[row] for row in rows[: known // 2]]]
    unedited, floor = _distance(pool, samples, len(sources), sources), _distance(pool, samples, len(sources))
    return {**entry, "unedited": unedited, "floor": floor, "missing": ""}


def _entry(
    pool: Pool,
    setting: Setting,
    prompt: str,
    rows: np.ndarray,
    samples: np.ndarray | None,
    fixed: dict[str, Value],
) -> dict[str, Value]:
    """One row of the csv."""
    labels: dict[str, Value] = {name: getattr(setting, name) for name in ("editor", "kind", "strength")}
    entry = {**labels, "prompt": prompt, **fixed}
    if samples is None or fixed["missing"]:
        return entry
    edits = pool.edits(setting)[rows[: len(samples) // 2]]
    return {**entry, "distance": _distance(pool, samples, len(edits), edits)}


def _distance(pool: Pool, samples: np.ndarray, n: int, features: np.ndarray | None = None) -> float:
    """Mean distance of N rows, or of N other real pictures, to N of the real pictures; always by the same draws."""
    samples, rng = samples.astype(np.float32), np.random.default_rng(0)
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(len(samples))
        first, second = samples[order[:n]], samples[order[n : 2 * n]]
        found.append(float(pool.distances.distance(second if features is None else features, first)))
    return float(np.mean(found))


def _mean(setting: Setting, found: list[dict[str, Value]]) -> dict[str, Value]:
    """Over the prompts that have a number."""
    there = [entry for entry in found if not entry["missing"]]
    means = {name: float(np.mean([float(str(entry[name])) for entry in there])) if there else None for name in _SETS}
    labels = {name: getattr(setting, name) for name in ("editor", "kind", "strength")}
    return {**labels, "prompt": MEAN, **means, "missing": "" if there else "no prompt has a number"}


def _block(run: Run, data: list[dict[str, Value]]) -> Block:
    """One row a prompt, one column an editor and strength."""
    lines = list(dict.fromkeys((str(row["editor"]), str(row["kind"]), str(row["strength"])) for row in data))
    header = ("prompt", "N", "floor", "unedited", *(f"{e}, {s if k == 'given' else k}" for e, k, s in lines))
    rows = []
    for prompt in dict.fromkeys(str(row["prompt"]) for row in data):
        here = [row for row in data if row["prompt"] == prompt]
        shown = [_text(here[0], name) for name in ("floor", "unedited")]
        size = here[0].get("n")
        cells = [str(row["missing"]) if row is here[0] and row["missing"] else _text(row, "distance") for row in here]
        rows.append((prompt, "" if size is None else str(size), *shown, *cells))
    return Block(f"{run.manifest['frechet_name']} ↓ to real pictures that show the value", header, tuple(rows))


def _text(row: dict[str, Value], name: str) -> str:
    value = row.get(name)
    return "" if value is None else number(float(str(value)), 1)


def _notes() -> tuple[str, ...]:
    return (
        "Edits of images that lacked the value, against as many real pictures of other people that show it, by people "
        "who looked. Floor: two sets of such pictures. Unedited: what doing nothing scores; an editor above it made "
        "pictures that are less like real ones with the value than their sources are.",
        f"Means of {SPLITS} draws of the real pictures, the same for every editor. N is small for these features: "
        "compare numbers of one row only, and small differences not at all, for there is no interval.",
    )
