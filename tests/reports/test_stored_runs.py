"""Run folders that older versions wrote stay readable: tables, figures and exports come out of them."""

import csv
import json
import shutil

import numpy as np
import pandas
import pytest

from eval.runs.names import SCHEMA
from eval.runs.reader import Run
from reports.export.cells import export_files
from reports.tables import build_tables, summary, write_tables


@pytest.fixture
def folder(stored_run, tmp_path):
    return shutil.copytree(stored_run, tmp_path / "run-schema-1")


def test_the_stored_folder_is_of_the_schema_it_says(stored_run):
    assert json.loads((stored_run / "manifest.json").read_text())["schema"] == 1 <= SCHEMA


def test_cells_sources_and_strengths_are_read(stored_run):
    run = Run(stored_run)
    assert run.editors == ("styleclip-global", "identity")
    assert len(run.rows) == 2 * 2 * 2 * 2  # editors, prompts, kinds, images
    assert run.sources("images").shape == (2, 16, 16, 3)
    assert [sweep["prompt"] for sweep in run.sweeps] == ["glasses", "smile"] * 2
    cell = run.rows[(run.rows["editor"] == "styleclip-global") & (run.rows["kind"] == "calibrated")].iloc[0]
    assert (cell["prompt"], cell["image"]) == ("glasses", "test-0000")
    assert cell["target_effect"] == pytest.approx(1.834544, abs=1e-6)
    assert np.isnan(cell["effect_goal"])


def test_tables_come_out_of_it(folder):
    write_tables(folder)
    with (folder / "tables" / "main.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["editor"], row["kind"]): row for row in csv.DictReader(file)}
    # one eligible cell: its own number, and no interval
    assert float(rows["styleclip-global", "default"]["target_effect"]) == pytest.approx(3.290182, abs=1e-6)
    assert rows["styleclip-global", "default"]["target_effect_low"] == "n/a"
    # over all four cells, by hand
    mean = (0.705451 + 0.623393 + 0.700072 + 0.628276) / 4
    assert float(rows["styleclip-global", "default"]["identity"]) == pytest.approx(mean, abs=1e-6)
    assert summary(Run(folder), build_tables(Run(folder)))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_it_can_be_exported(folder, tmp_path, ending):
    path = export_files(Run(folder), tmp_path / "out", ending)[0]
    cells = pandas.read_csv(path) if ending == "csv" else pandas.read_parquet(path)
    assert len(cells) == 16
    assert json.loads((tmp_path / "out" / "cells.schema.json").read_text())["run_schema"] == 1


def test_a_newer_schema_is_refused_with_the_command_that_helps(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "schema": SCHEMA + 1}))
    with pytest.raises(ValueError, match="pip install --upgrade deltabench"):
        Run(folder)


def test_names_of_schema_1_are_read_under_todays(stored_run):
    """Its files say ``kept``, ``kept.<factor>`` and ``references/``."""
    run = Run(stored_run)
    raw = pandas.read_parquet(next((stored_run / "chunks").glob("*.parquet")))
    assert "kept" in raw and not [name for name in run.rows if name.startswith("kept")]
    assert [name for name in run.rows if name.startswith("preservation")] == [
        name.replace("kept", "preservation") for name in raw if name.startswith("kept")
    ]
    first = run.rows[run.rows["chunk"] == run.chunks[0]["id"]]
    stored = pandas.read_parquet(stored_run / "chunks" / f"{run.chunks[0]['id']}.parquet")
    assert first["preservation"].tolist() == stored["kept"].tolist()
    swept = json.loads((stored_run / "strengths" / "styleclip-global--glasses.json").read_text())["sweep"]
    assert [point["preservation"] for point in run.sweeps[0]["sweep"]] == [point["kept"] for point in swept]
    assert run.counterfactual("glasses", "region").shape == (16, 16)
    assert "preservation" in run.manifest["recipes"] and "kept" not in run.manifest["recipes"]
