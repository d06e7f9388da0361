"""How `report`, `why` and `export` bear large runs: time, memory and sizes on folders multiplied out of a small one.

    python -m benchmarks.growth RUN --prompts 100 --images 4

Cells are drawn with replacement from those of the first editor and prompt of RUN, their numbers moved a little, so that
every table and figure has as much to do as with a run of that size; what they say means nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from pandas import DataFrame

from eval.runs.integrity.finished import chunk_table
from eval.runs.integrity.growth import text_sums
from eval.runs.integrity.seals import ABOUT, SUMS
from eval.runs.names import counterfactual_file
from eval.runs.plan import Chunk
from eval.runs.reader import Run

KEPT_IMAGES = 16
BATCH = 200
MEASURED = """
import resource, sys
from eval.cli import main
code = main(sys.argv[1:])
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
seconds = sum(each.ru_utime + each.ru_stime for each in used)
print("measured", round(seconds, 1), used[0].ru_maxrss // 1024, file=sys.stderr)
sys.exit(code)
"""


def multiply(template: Path, out: Path, editors: int, prompts: int, images: int) -> None:
    """Write a run folder with so many of each."""
    run = Run(template)
    rng = np.random.default_rng(0)
    for part in ("chunks", "counterfactuals", "strengths", "costs"):
        (out / part).mkdir(parents=True)
    rows = rng.integers(0, len(run.names), images)
    with np.load(template / "sources.npz") as arrays:
        sources = _drawn(arrays, rows, len(run.names))
    sources["names"] = np.array([f"test-{number:05d}" for number in range(images)])
    np.savez(out / "sources.npz", **sources)
    first = run.prompts[0]
    names = [f"{first['name']}-{number:04d}" for number in range(prompts)]
    labels = [f"{run.editors[0]}-{number:02d}" for number in range(editors)]
    asked_prompts = [{**first, "name": name} for name in names]
    (out / "prompts.json").write_text(json.dumps(asked_prompts))
    (out / "factors.json").write_text((template / "factors.json").read_text())
    asked = {**run.manifest["arguments"], "methods": labels, "prompts": names, "images": images, "batch": BATCH}
    known = {"arguments": asked, "prompts": text_sums(asked_prompts)}
    (out / "manifest.json").write_text(json.dumps({**run.manifest, **known}))
    with np.load(counterfactual_file(template, first["name"])) as arrays:
        answers = _drawn(arrays, rows, len(run.names))
    for name in names:
        np.savez(counterfactual_file(out, name), **answers)
    cost, kinds = next(iter(run.costs.values()), {}), _kinds(run)
    for label in labels:
        (out / "costs" / f"{label}.json").write_text(json.dumps({**cost, "editor": label}))
        for name in names:
            _write_cells(kinds, out, label, name, rows, rng)


def _drawn(arrays, rows: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """The arrays of a file with the rows that were drawn of those that have one an image."""
    whole = {name: arrays[name] for name in arrays if name != ABOUT}
    return {name: array[rows] if len(array) == count else array for name, array in whole.items()}


def _kinds(run: Run) -> list[tuple[dict[str, Any], DataFrame, dict[str, np.ndarray]]]:
    """The template's first editor and prompt at every strength: what the chunk says, its cells, its arrays."""
    mine = [c for c in run.chunks if (c["editor"], c["prompt"]) == (run.editors[0], run.prompts[0]["name"])]
    found = []
    for about in {(c["kind"], c["strength"]): c for c in mine}.values():
        with np.load(run.folder / "chunks" / f"{about['id']}.npz") as arrays:
            whole = {name: arrays[name] for name in arrays if name != ABOUT}
        found.append((about, chunk_table(run.folder, about).to_pandas(ignore_metadata=True), whole))
    return found


def _write_cells(
    kinds: list[tuple[dict[str, Any], DataFrame, dict[str, np.ndarray]]],
    out: Path,
    label: str,
    prompt: str,
    rows: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """The chunks of one editor and prompt, of every kind and strength of the template's first pair."""
    for about, table, whole in kinds:
        numbers = table.select_dtypes("floating").columns.drop("strength")
        for first in range(0, len(rows), BATCH):
            taken = rows[first : first + BATCH] % len(table)
            count, kept = len(taken), max(0, min(KEPT_IMAGES - first, len(taken)))
            cells = table.iloc[taken].reset_index(drop=True)
            cells[numbers] *= 1 + 0.05 * rng.standard_normal((count, len(numbers)))
            cells = cells.assign(editor=label, prompt=prompt, image=[f"test-{first + n:05d}" for n in range(count)])
            chunk = Chunk(label, prompt, about["kind"], about["strength"], first, count, about.get("effect_goal"))
            path = out / "chunks" / chunk.id
            cells.to_parquet(path.with_name(f"{chunk.id}.parquet"), index=False)
            parts = {name: array[taken % len(array)] for name, array in whole.items() if name not in ("images", "kept")}
            pictures = whole["images"][np.arange(kept) % len(whole["images"])]
            np.savez(path.with_name(f"{chunk.id}.npz"), images=pictures, kept=np.arange(first, first + kept), **parts)
            known = {key: value for key, value in about.items() if key != SUMS}
            written = {**known, "id": chunk.id, "editor": label, "prompt": prompt, "first": first, "count": count}
            path.with_name(f"{chunk.id}.json").write_text(json.dumps(written))


def main() -> None:
    """Multiply, then measure each command in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--editors", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="Write the folder here and keep it.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = options.keep or Path(temporary) / "run"
        began = perf_counter()
        multiply(options.run, out, options.editors, options.prompts, options.images)
        print(f"{options.editors} editors, {options.prompts} prompts, {options.images} images:")
        print(f"  written in {perf_counter() - began:.0f} s, {_megabytes(out):.0f} MB")
        label, prompt = f"{Run(options.run).editors[0]}-00", f"{Run(options.run).prompts[0]['name']}-0000"
        value = f"{label}/{prompt}/test-00000/default/success"
        for command in (["report", out], ["why", out, value], ["export", out, "--to", "parquet"]):
            began = perf_counter()
            words = [sys.executable, "-c", MEASURED, *map(str, command)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            lines = done.stderr.splitlines()
            _, used, peak = next((line.split() for line in lines if line.startswith("measured")), ("", "?", "?"))
            print(
                f"  {command[0]:7} {used:>7} s of the processor, {perf_counter() - began:6.1f} s on the clock, "
                f"peak {peak} MiB, exit code {done.returncode}"
            )
            for line in [line for line in lines if not line.startswith("measured")][-4:]:
                print(f"          {line[:200]}")
        page = out / "report.html"
        print(f"  report.html {page.stat().st_size / 1e6 if page.exists() else 0:.1f} MB")
        for path in sorted((out / "figures").glob("*.png")):
            print(f"  {path.name} {path.stat().st_size / 1e6:.2f} MB")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
