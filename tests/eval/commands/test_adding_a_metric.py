"""The file of docs/adding_a_metric.md, added: its numbers are in chunks, tables, explorer, export and `why`."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eval.cli import main
from eval.judging.recipes import recipes
from eval.metrics import cells
from eval.metrics.book import metric_of, metrics
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.reader import Run
from eval.runs.runner import Runner
from eval.runs.store import Store
from reports.explorer.page import write_explorer
from reports.export.cells import schema, wide_cells
from reports.tables import write_tables
from tests.eval.commands.test_why import SPECS, build_tiny_domain

PAGE = Path(__file__).parents[3] / "docs" / "adding_a_metric.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one editor with the page's metric in the book."""
    folder = tmp_path_factory.mktemp("added")
    first_block = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    (folder / "sharpness.py").write_text(first_block, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cells, "__path__", [*cells.__path__, str(folder)])
        metrics.cache_clear()
        domain = build_tiny_domain(folder / "artefacts")
        arguments = Arguments("tiny", ("wave",), domain.prompts[:1], 4, parse_strengths("default"), 0, 4)
        store = Store(folder / "run")
        prompts = [asdict(prompt) for prompt in arguments.prompts]
        store.claim(manifest(domain, arguments, SPECS[:1], recipes(domain)), prompts, domain.factors)
        assert Runner(domain, arguments, SPECS[:1], store).run(quiet=True) == []
        write_tables(store.folder)
        write_explorer(store.folder)
        yield Run(store.folder)
    metrics.cache_clear()


def test_the_book_has_its_record(run: Run) -> None:
    record = metric_of("sharpness")
    assert (record.title, record.meaning) == (
        "sharpness ↑",
        "How sharp the edit is: 1 is as sharp as the reconstruction.",
    )
    assert run.manifest["recipes"]["sharpness"] == "horizontal-differences,8-bit"


def test_a_cell_has_the_number_of_its_pictures(run: Run) -> None:
    chunk = run.chunks[0]["id"]
    stored = pd.read_parquet(run.folder / "chunks" / f"{chunk}.parquet")["sharpness"]
    edits, before = run.chunk_array(chunk, "images").astype(float), run.sources("reconstructions").astype(float)
    by_hand = [
        np.abs(edit[:, 1:] - edit[:, :-1]).mean() / np.abs(other[:, 1:] - other[:, :-1]).mean()
        for edit, other in zip(edits, before, strict=False)
    ]
    assert stored.tolist() == pytest.approx(by_hand, rel=1e-4)


def test_tables_explorer_and_export_show_it(run: Run) -> None:
    with (run.folder / "tables" / "main.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    mean = run.rows["sharpness"].mean()
    assert float(row["sharpness"]) == pytest.approx(mean)
    assert float(row["sharpness_low"]) <= mean <= float(row["sharpness_high"])
    assert "sharpness ↑" in (run.folder / "tables" / "main.md").read_text(encoding="utf-8")
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert '"sharpness":{"label":"sharpness","digits":2,"better":1' in page
    entries = {entry["name"]: entry for entry in schema(run, wide_cells(run), "wide")["columns"]}
    assert (entries["sharpness"]["better"], entries["sharpness"]["recipe"]) == ("more", "horizontal-differences,8-bit")


def test_why_explains_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(run.folder), "main:wave:default:sharpness", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "moved by one pixel" in found["formula"]["text"] and found["recomputed"]["agrees"]
