"""The table of Fréchet distances: the same cells for everybody, and nothing where they are not."""

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from eval.runs.integrity import finished
from eval.runs.reader import Run
from reports.pool import Pool, common_cells
from reports.report import write_report
from reports.tables import write_tables
from reports.tables.frechet import frechet_tables

pytestmark = pytest.mark.slow

PROMPTS = ("glasses", "smile", "blond-hair")


def read(folder, name):
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(finished_run, gaps, tmp_path_factory):
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("frechet") / "run")
    write_tables(folder)
    return folder


def test_main_and_frechet_measure_a_distance_once(finished_run):
    run, asked = Run(finished_run), []
    distances = SimpleNamespace(distance=lambda edits, counterfactuals: asked.append(edits) or float(edits.mean()))
    pool = Pool(run)
    pool.distances = distances
    lines = {(line.editor, line.kind): line for line in pool.lines()}
    for setting in run.settings:
        first = pool.distance(setting)
        line = lines[setting.editor, setting.kind]
        assert pool.known_distance((line.editor, line.kind, line.strength), line.frechet) == first
        assert np.array_equal(asked[-1], pool.features(setting.rows, "frechet"))
    assert pool.unedited() == pool.unedited()
    assert len(asked) == len(run.settings) + 1


def test_one_report_reads_every_file_of_cells_once(small_run, tmp_path, monkeypatch):
    """Tables, figures, page and summary are made of one opened run."""
    folder, read_chunks, original = shutil.copytree(small_run, tmp_path / "run"), [], finished.chunk_table
    monkeypatch.setattr(
        finished, "chunk_table", lambda at, chunk: read_chunks.append(chunk["id"]) or original(at, chunk)
    )
    write_report(folder, figures=True)
    assert (folder / "report.html").is_file() and (folder / "figures" / "grid.png").is_file()
    assert sorted(read_chunks) == sorted(chunk["id"] for chunk in Run(folder).chunks)


def counterfactuals_of(folder, key="frechet"):
    return np.concatenate([np.load(folder / "counterfactuals" / f"{prompt}.npz")[key] for prompt in PROMPTS])


def edits_of(folder, editor, kind, key="frechet"):
    edits = {prompt: [None] * 12 for prompt in PROMPTS}
    for path in (folder / "chunks").glob("*.json"):
        info = json.loads(path.read_text())
        if (info["editor"], info["kind"]) == (editor, kind):
            for position, features in enumerate(np.load(path.with_suffix(".npz"))[key]):
                edits[info["prompt"]][info["first"] + position] = features
    return np.array([row for prompt in PROMPTS for row in edits[prompt]])


def gap(first, second):
    return float(np.abs(first.mean(0) - second.mean(0)).sum())


def test_the_edits_are_pooled_against_the_answers_to_the_same_cells(written):
    rows = {(row["editor"], row["kind"]): row for row in read(written, "frechet")}
    assert len(rows) == 3 * 2 + 2
    expected = gap(edits_of(written, "styleclip-global", "calibrated"), counterfactuals_of(written))
    row = rows["styleclip-global", "calibrated"]
    assert float(row["fd_avatars"]) == pytest.approx(expected, rel=1e-5)
    assert [float(row[f"fd_avatars_{end}"]) for end in ("low", "high")] == pytest.approx([expected / 2, expected * 2])
    assert (row["n"], row["persons"], row["fd_avatars_floor"]) == ("36", "12", "36.12")
    assert float(row["kid"]) == pytest.approx(10 * expected, rel=1e-5)
    assert (row["fd_avatars_extrapolated"], row["cmmd"]) == ("-1.5", "")  # this folder holds no CLIP features
    main = {(row["editor"], row["kind"]): row for row in read(written, "main")}
    assert main["styleclip-global", "calibrated"]["fd_avatars"] == row["fd_avatars"]
    assert main["styleclip-global", "calibrated"]["fd_avatars_n"] == "36"


def test_references_are_the_inversion_and_the_counterfactuals(written):
    rows = {row["editor"]: row for row in read(written, "frechet") if row["kind"] == "reference"}
    unedited = np.concatenate([np.load(written / "sources.npz")["frechet"]] * 3)
    assert float(rows["inversion"]["fd_avatars"]) == pytest.approx(gap(unedited, counterfactuals_of(written)), rel=1e-5)
    assert (rows["counterfactual"]["fd_avatars"], rows["counterfactual"]["fd_avatars_low"]) == ("0.0", "")


def test_the_smaller_sets_are_listed(written):
    rows = [row for row in read(written, "frechet_sizes") if (row["editor"], row["kind"]) == ("deltaedit", "default")]
    assert [row["n"] for row in rows] == ["3", "36"]
    edits, counterfactuals = edits_of(written, "deltaedit", "default"), counterfactuals_of(written)
    assert float(rows[0]["distance"]) == pytest.approx(gap(edits[::12], counterfactuals[::12]), rel=1e-5)
    assert float(rows[1]["distance"]) == pytest.approx(gap(edits, counterfactuals), rel=1e-5)


def test_only_cells_that_all_editors_have(written, gaps, tmp_path):
    folder = shutil.copytree(written, tmp_path / "run")
    (folder / "chunks" / "deltaedit--smile--default-1--00008.json").unlink()
    write_tables(folder)
    assert {row["fd_avatars_n"] for row in read(folder, "main")} == {"32"}
    assert {row["n"] for row in read(folder, "frechet")} == {"32"}
    assert {row["persons"] for row in read(folder, "frechet")} == {"12"}


def test_clip_features_give_cmmd_and_the_oracle_its_row(matched_run, gaps, tmp_path):
    folder = shutil.copytree(matched_run, tmp_path / "run")
    rng = np.random.default_rng(3)
    for path in [
        *(folder / "chunks").glob("*.npz"),
        *(folder / "counterfactuals").glob("*.npz"),
        folder / "sources.npz",
    ]:
        arrays = dict(np.load(path))
        np.savez(path, **arrays, clip=rng.standard_normal((len(arrays["frechet"]), 4)).astype(np.float32))
    write_tables(folder)
    rows = {(row["editor"], row["kind"]): row for row in read(folder, "frechet")}
    expected = 100 * gap(edits_of(folder, "deltaedit", "default", "clip"), counterfactuals_of(folder, "clip"))
    assert float(rows["deltaedit", "default"]["cmmd"]) == pytest.approx(expected, rel=1e-5)
    oracle = gap(edits_of(folder, "oracle", "oracle"), counterfactuals_of(folder))
    assert float(rows["oracle", "reference"]["fd_avatars"]) == pytest.approx(oracle, rel=1e-5)


def test_pictures_that_repeat_are_marked(written, gaps, tmp_path):
    folder = shutil.copytree(written, tmp_path / "run")
    for path in (folder / "chunks").glob("deltaedit--*--default-*.npz"):
        arrays = dict(np.load(path))
        arrays["frechet"][:] = 1.0
        np.savez(path, **arrays)
    write_tables(folder)
    row = next(row for row in read(folder, "frechet") if (row["editor"], row["kind"]) == ("deltaedit", "default"))
    assert (row["n"], row["different"]) == ("36", "1")
    assert "deltaedit (1 different)" in (folder / "tables" / "frechet.md").read_text()


def test_a_chunk_of_other_n_is_refused(written, gaps, tmp_path):
    folder = shutil.copytree(written, tmp_path / "run")
    path = next((folder / "chunks").glob("deltaedit--*--default-*--00008.npz"))
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "frechet": arrays["frechet"][:2]})
    with pytest.raises(ValueError, match=r"00008\.npz must hold 4 rows of 'frechet', got 2; delete"):
        write_tables(folder)


def test_without_counterfactuals_there_is_no_table(finished_run, gaps, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    for path in (folder / "counterfactuals").glob("*.npz"):
        arrays = dict(np.load(path))
        np.savez(path, region=arrays["region"])
    run = Run(folder)
    assert common_cells(run) and not Pool(run).known
    assert frechet_tables(run, Pool(run)) == ()


def test_of_many_settings_distances_are_over_fewer_cells_and_no_line_is_drawn(finished_run, monkeypatch):
    run = Run(finished_run)
    every = len(common_cells(run))
    monkeypatch.setattr("reports.tables.frechet.MANY_SETTINGS", 1)
    monkeypatch.setattr("reports.pool.FEWEST_CELLS", 2)
    monkeypatch.setattr("reports.pool.MOST_ROWS", every // 2 * len(run.settings))
    pool = Pool(run)
    assert 0 < len(pool.cells) <= every // 2
    (table,) = frechet_tables(run, pool)  # without that of the sizes
    name = run.manifest["frechet_name"]
    assert {row["n"] for row in table.data} == {len(pool.cells)}
    first = table.data[0]
    assert first[name] == pytest.approx(pool.distances.distance(pool.edits(run.settings[0]), pool.counterfactuals))
    assert "none with more than 1 editors and strengths" in " ".join(table.notes)
