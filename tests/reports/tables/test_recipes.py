import csv
import json
import shutil

import numpy as np
import pytest

from eval.errors import UsageError
from eval.runs.reader import Run
from eval.studies.comparable import recipe_difference, refuse_mixture
from reports.tables import build_tables, write_tables
from reports.tables.recipes import COLUMNS, row

ABOUT = {
    "recipes": {
        "success": "one-vs-rest-log-odds,8-bit@attribute-judge:aaaaaaaaaaaa",
        "clip_score_judge": "bicubic-antialias,79-templates,8-bit@judge-clip:bbbbbbbbbbbb",
        "fd_avatars": "float64,unbiased-covariance,8-bit@frechet-features:cccccccccccc",
    },
    "fingerprints": {"attribute-judge": "a" * 64, "judge-clip": "b" * 64, "frechet-features": "c" * 64},
    "inputs": {"judge-clip": {"image_px": 64, "range": "[-1, 1]", "crop": "none", "resize": "none"}},
}


def copied(run, folder, **changes):
    folder = shutil.copytree(run, folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **ABOUT, **changes}))
    return folder


@pytest.mark.parametrize("kind", ["small_run", "matched_run"])
def test_every_column_of_every_table_has_a_recipe(kind, gaps, request, tmp_path):
    run = Run(copied(request.getfixturevalue(kind), tmp_path / "run"))
    (run.folder / "determinism.json").write_text(
        json.dumps(
            {
                **{"prompt": "glasses", "strength": 1.0, "images": 8, "batches": [8, 4], "threads": 1},
                **{"tolerance": {"latents": 1e-3, "images": 0.01}, "torch": "2", "hardware": "2 cores"},
                "editors": {"deltaedit": {"verdict": "failed", "error": "none"}},
            }
        )
    )
    tables = build_tables(run)
    assert "determinism" in [table.name for table in tables]
    assert [f"{t.name}: {c}" for t in tables for c in t.columns if not row(run, t, c)["id"]] == []


def test_the_file_names_network_sum_inputs_n_and_interval(small_run, gaps, tmp_path):
    folder = copied(small_run, tmp_path / "run")
    write_tables(folder)
    with (folder / "tables" / "recipes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    found = {(entry["table"], entry["column"]): entry for entry in rows}
    clip = found["main", "clip_score_judge"]
    assert clip["recipe"] == "clip_score_judge: bicubic-antialias,79-templates,8-bit@judge-clip:bbbbbbbbbbbb"
    assert clip["networks"] == "judge-clip " + "b" * 64
    assert clip["inputs"] == "judge-clip: image_px 64, range [-1, 1], crop none, resize none"
    assert (clip["images"], clip["prompts"], clip["over"]) == ("4", "2", "all cells")
    assert (clip["interval"].split(",")[0], clip["draws"], clip["seed"]) == ("95 %", "2000", "0")
    assert found["main", "fd_avatars"]["n"] == "8"
    ids = {name: found["main", name]["id"] for name in ("success", "success_low", "preservation", "editor")}
    assert ids["editor"] == "label"
    assert len(set(ids.values())) == 4


def test_kid_and_cmmd_have_recipes_of_their_own(small_run, gaps, tmp_path):
    own = {"kid": "cubic,8-bit@frechet-features:cccccccccccc", "cmmd": "gaussian,8-bit@judge-clip:bbbbbbbbbbbb"}
    run = Run(copied(small_run, tmp_path / "run", recipes={**ABOUT["recipes"], **own}))
    table = next(table for table in build_tables(run) if table.name == "frechet")
    found = {column: row(run, table, column) for column in ("kid", "cmmd", "fd_avatars")}
    assert found["kid"]["recipe"] == f"kid: {own['kid']}"
    assert found["cmmd"]["recipe"] == f"cmmd: {own['cmmd']}"
    assert found["kid"]["networks"] == "frechet-features " + "c" * 64
    assert found["cmmd"]["networks"] == "judge-clip " + "b" * 64
    older = Run(copied(small_run, tmp_path / "older"))  # whose manifest names neither
    assert row(older, table, "kid")["recipe"] == f"fd_avatars: {ABOUT['recipes']['fd_avatars']}"
    assert row(older, table, "cmmd")["networks"] == "judge-clip " + "b" * 64


@pytest.mark.parametrize(
    "changes",
    [
        {"recipes": {**ABOUT["recipes"], "success": "softmax,8-bit@attribute-judge:aaaaaaaaaaaa"}},
        {"fingerprints": {**ABOUT["fingerprints"], "attribute-judge": "d" * 64}},
        {"inputs": {"attribute-judge": {"resize": "nearest"}}},
    ],
)
def test_another_recipe_has_another_id_and_the_same_one_the_same(small_run, gaps, tmp_path, changes):
    first, same = (Run(copied(small_run, tmp_path / name)) for name in "ab")
    other = Run(copied(small_run, tmp_path / "c", **changes))
    ids = [row(run, build_tables(run)[0], "success")["id"] for run in (first, same, other)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"recipes": {**ABOUT["recipes"], "success": "softmax,8-bit@attribute-judge:aaaaaaaaaaaa"}},
            r"the recipe of success \(one-vs-rest-log-odds and softmax\)",
        ),
        ({"fingerprints": {**ABOUT["fingerprints"], "judge-clip": "d" * 64}}, "the weights of judge-clip"),
        (
            {"inputs": {"judge-clip": {**ABOUT["inputs"]["judge-clip"], "crop": "centre"}}},
            r"the crop of the images for judge-clip \(none and centre\)",
        ),
        ({"domain": "ffhq"}, r"the domain \(avatars and ffhq\)"),
    ],
)
def test_runs_of_other_recipes_are_refused_in_one_sentence(small_run, tmp_path, changes, said):
    first, other = Run(copied(small_run, tmp_path / "a")), Run(copied(small_run, tmp_path / "b", **changes))
    refuse_mixture(first, first)
    refuse_mixture(first, Run(copied(small_run, tmp_path / "c")))
    with pytest.raises(UsageError, match=rf"cannot be compared, as they differ in {said}\.$") as caught:
        refuse_mixture(first, other)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("levels", [-1, 1, 2])
def test_other_reconstructions_are_refused_but_not_another_rounding(small_run, tmp_path, levels):
    first, other = (Run(copied(small_run, tmp_path / name)) for name in "ab")
    arrays = dict(np.load(other.folder / "sources.npz"))
    arrays["reconstructions"][0, 0, 0, :2] = 100
    np.savez(first.folder / "sources.npz", **arrays)
    arrays["reconstructions"][0, 0, 0, 0] = 100 + levels
    np.savez(other.folder / "sources.npz", **arrays)
    if abs(levels) == 1:
        refuse_mixture(first, Run(other.folder))
        return
    with pytest.raises(UsageError, match=r"differ in the reconstructions of the images\."):
        refuse_mixture(first, Run(other.folder))


def test_old_runs_without_inputs_can_be_compared_with_new_ones(small_run, tmp_path):
    old = Run(copied(small_run, tmp_path / "a", inputs={}))
    refuse_mixture(old, Run(copied(small_run, tmp_path / "b")))


def test_the_difference_of_two_recipes():
    assert recipe_difference("a,b@n:1", "a@n:2") == ("b, n:1", "n:2")
    assert recipe_difference("a,b", "a") == ("b", "nothing")
