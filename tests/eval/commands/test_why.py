"""`deltabench why` on a run that the harness made of the tiny domain."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.cli import main
from eval.editors.spec import EditorSpec
from eval.judging.recipes import recipes
from eval.prompts import Prompt
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.reader import Run
from eval.runs.runner import Runner
from eval.runs.store import Store
from reports.tables import build_tables, write_tables
from reports.tables.columns import LABEL
from reports.tables.recipes import column_of, row
from reports.why.value import KEYS, read_table, written

pytestmark = pytest.mark.slow


class Wave:
    """Moves every style by a fixed wave; loads one artefact."""

    name: ClassVar[str] = "wave"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = "none"

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def prepare(self, domain: EditingDomain) -> None:
        self.step = domain.artefacts.get("wave", {"gain": self.gain}, lambda: {"step": torch.ones(1)}).tensors["step"]

    def fit(self, prompt: Prompt) -> None:
        self.size = len(prompt.name)

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        wave = torch.sin(torch.arange(latents.s.shape[1]) * self.size)
        return latents.with_s(latents.s + 3 * self.gain * strength * self.step * wave)


def build_tiny_domain(cache: Path) -> Any:
    """The fixture lives for one test; this one for the whole file."""
    specification = importlib.util.spec_from_file_location("tiny_world", Path(__file__).parents[2] / "conftest.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.build_tiny_domain(cache)


SPECS = (EditorSpec("wave", Wave, {}, "wave"), EditorSpec("wave", Wave, {"gain": 0.1}, "wave[gain=0.1]"))


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("why")
    domain = build_tiny_domain(folder / "artefacts")
    labels = tuple(spec.label for spec in SPECS)
    arguments = Arguments("tiny", labels, domain.prompts[:2], 7, parse_strengths("default,calibrated"), 0, 4)
    store = Store(folder / "run")
    prompts = [asdict(prompt) for prompt in arguments.prompts]
    store.claim(manifest(domain, arguments, SPECS, recipes(domain)), prompts, domain.factors)
    assert Runner(domain, arguments, SPECS, store).run(quiet=True) == []
    write_tables(store.folder)
    return store.folder


def told(run: Path, value: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["why", str(run), value, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("table", ["main", "prompts"])
def test_every_column_is_explained_and_recomputed(
    tiny_run: Path, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_table(tiny_run, table)
    for number, column in enumerate(name for name in rows[0] if name not in KEYS[table]):
        entry = rows[number % len(rows)]  # every row and every column, not every pair: tests/reports/why has those
        found = told(tiny_run, written(table, entry, column), capsys)
        described = column_of(table, column, "fd_tiny")
        assert described is not None
        assert found["value"]["text"] == entry[column]
        assert found["formula"]["text"]
        if described.kind != LABEL:
            assert found["recomputed"]["agrees"], (column, found["recomputed"])


def test_everything_is_told(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(tiny_run, "main:wave[gain=0.1]:calibrated:success", capsys)
    cells = pd.concat([pd.read_parquet(path) for path in (tiny_run / "chunks").glob("*.parquet")])
    mine = cells[(cells["editor"] == "wave[gain=0.1]") & (cells["kind"] == "calibrated")]
    assert found["cells"]["finished"] == len(mine) == 14
    assert found["cells"]["counted"] == int(mine["eligible"].sum())
    reasons = found["cells"]["excluded"]
    assert sum(reasons.values()) == 14 - found["cells"]["counted"]
    assert set(reasons) <= {
        "the judge reads the value on the reconstruction already",
        "the target factor cannot be seen",
    }
    assert found["editor"]["parameters"] == {"gain": 0.1}
    assert found["editor"]["class"].endswith(":Wave")
    (artefact,) = found["costs"]["artefacts"]
    assert artefact["file"].startswith("wave-")
    assert artefact["hardware"] == found["code"]["hardware"]
    chosen = mine.groupby("prompt")["strength"].first().to_dict()
    assert found["strengths"]["by_prompt"] == chosen
    assert "most clean success" in found["strengths"]["how"]["calibrated"]
    assert found["seeds"] == {"editors": 0, "bootstrap": 0, "draws": 2000}
    assert len(found["files"]) == 4
    assert all((tiny_run / name).is_file() for name in found["files"])
    assert found["code"]["packages"]["torch"] == version("torch")
    (network,) = found["networks"]
    assert len(network["sha256"]) == 12  # the tiny domain names no network like the metrics: digits of all judges


def test_the_text_has_the_verdict_and_long_lists_cut_short(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(tiny_run), "main.preservation[wave,default]"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("main:wave:default:1:preservation = ")
    assert "Formula    mean over eligible cells of: share of the other visible factors" in text
    assert text.rstrip().splitlines()[-1].startswith("Check ")
    assert "agrees" in text


def test_a_cell(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((tiny_run / "chunks").glob("wave--glasses--default-1--00004.parquet"))
    cell = pd.read_parquet(path).iloc[1]
    for column in (
        "identity",
        "success",
        "preservation",
        "counterfactual_identity",
        "counterfactual_psnr_db",
        "edit_l1",
    ):
        found = told(tiny_run, f"wave/glasses/default/{cell['image']}/{column}", capsys)
        text = found["value"]["text"]
        assert float(text == "True" if text in ("True", "False") else text) == pytest.approx(float(cell[column]))
        assert found["recomputed"]["agrees"], (column, found["recomputed"], cell[column])


def test_a_table_that_differs_from_the_cells_gives_exit_code_1(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    rows = read_table(run, "prompts")
    rows[0]["preservation"] = "0.123"
    with (run / "tables" / "prompts.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert main(["why", str(run), written("prompts", rows[0], "preservation")]) == 1
    assert "DIFFERS from the table" in capsys.readouterr().out


def test_mistakes_are_one_sentence(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run, value, said in (
        (tiny_run, "main:wvae:default:preservation", "did you mean 'wave'"),
        (tiny_run, "wave/glasses/test-9/preservation", "There is no image"),
        (tmp_path, "main:wave:preservation", "is not a run folder"),
    ):
        assert main(["why", str(run), value]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_without_a_value_the_tables_are_listed(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(tiny_run)]) == 0
    assert "main: for example main:wave:default:1:clean_success" in capsys.readouterr().out


def test_every_column_of_every_table_has_a_recipe(tiny_run: Path) -> None:
    run = Run(tiny_run)
    tables = build_tables(run)
    for table in tables:
        for column in table.columns:
            assert row(run, table, column)["id"], f"{table.name}: {column}"
    with (tiny_run / "tables" / "recipes.csv").open(newline="") as file:
        stored = {(entry["table"], entry["column"]): entry for entry in csv.DictReader(file)}
    assert len(stored) == sum(len(table.columns) for table in tables)
    assert stored["main", "success"]["draws"] == "2000"
    assert (stored["main", "success"]["images"], stored["main", "success"]["prompts"]) == ("7", "2")
    assert stored["main", "fd_tiny"]["n"] == "14"
    assert stored["main", "editor"]["id"] == "label"
    assert stored["main", "success"]["id"] == stored["prompts", "success"]["id"]
    assert stored["main", "success"]["id"] != stored["main", "preservation"]["id"]
