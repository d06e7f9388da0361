import csv
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from eval.commands.compare import _digits, _number, compare
from eval.errors import UsageError
from eval.runs.reader import Run
from eval.studies.compare import compare_runs
from reports.power import too_small_run

IMAGES = 12
PROMPTS = ("glasses", "beard", "hat", "smile")


def write_run(folder, *, skill, seed=0, images=IMAGES, prompts=PROMPTS, text="face with {}", **manifest):
    """A run folder with made-up cells: skill = chance of success per editor."""
    rng, pictures = np.random.default_rng(seed), np.random.default_rng(99)
    (folder / "chunks").mkdir(parents=True)
    about = {
        "schema": 1,
        "domain": "avatars",
        "arguments": {"methods": list(skill), "prompts": list(prompts), "images": images, "strengths": ["default"]},
        "fingerprints": {"generator": "aa", "attributes": "bb"},
        "recipes": {"success": "attributes-bb", "identity": "identity-cc"},
        **manifest,
    }
    (folder / "manifest.json").write_text(json.dumps(about))
    asked = [
        {"name": name, "source": "face", "target": text.format(name), "attribute": name, "value": "yes"}
        for name in prompts
    ]
    (folder / "prompts.json").write_text(json.dumps(asked))
    names = np.array([f"test-{row:03}" for row in range(images)])
    array = pictures.integers(0, 256, size=(images, 2, 2, 3), dtype=np.uint8)
    np.savez(folder / "sources.npz", names=names, images=array, reconstructions=array)
    for editor, chance in skill.items():
        for prompt in prompts:
            write_chunk(folder, editor, prompt, names, rng.random(images) < chance, 0.5 * rng.random(images))
    return folder


def write_chunk(folder, editor, prompt, names, success, identity):
    chunk = f"{editor}--{prompt}--default-1--00000"
    rows = {"editor": editor, "prompt": prompt, "strength": 1.0, "kind": "default", "image": names, "eligible": True}
    pd.DataFrame({**rows, "success": success, "identity": identity}).to_parquet(folder / "chunks" / f"{chunk}.parquet")
    np.savez(folder / "chunks" / f"{chunk}.npz", kept=np.arange(0))
    about = {"id": chunk, "editor": editor, "prompt": prompt, "strength": 1.0, "kind": "default"}
    (folder / "chunks" / f"{chunk}.json").write_text(json.dumps({**about, "first": 0, "count": len(names)}))


def test_a_run_does_not_differ_from_itself(tmp_path):
    run = write_run(tmp_path / "a", skill={"deltaedit": 0.7, "identity": 0.0})
    table = compare_runs(run, run).table
    assert len(table) == 4
    assert (table["difference"] == 0).all()
    assert (table["p_holm"] == 1).all()
    assert (table["verdict"] == "no difference found").all()


def test_two_seeds_do_not_differ(tmp_path):
    first = write_run(tmp_path / "a", skill={"deltaedit": 0.7}, seed=1)
    second = write_run(tmp_path / "b", skill={"deltaedit": 0.7}, seed=2)
    found = compare_runs(first, second)
    assert (found.table["difference"] != 0).all()
    assert (found.table["verdict"] == "no difference found").all()
    assert found.unpaired == 0


def test_two_editors_of_one_run_differ_where_they_do(tmp_path):
    run = write_run(tmp_path / "a", skill={"deltaedit": 0.9, "identity": 0.0})
    table = compare_runs(run, run, editors=("identity", "deltaedit")).table.set_index("metric")
    assert table["verdict"].to_dict() == {"success": "B higher", "identity": "no difference found"}
    cells = pd.concat([pd.read_parquet(path) for path in (run / "chunks").glob("*.parquet")])
    means = cells.groupby("editor")["success"].mean()
    assert table.loc["success", "difference"] == pytest.approx(means["identity"] - means["deltaedit"])
    assert table.loc["success", "cells"] == IMAGES * len(PROMPTS)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"domain": "ffhq"}, r"the domain \(avatars and ffhq\)"),
        ({"fingerprints": {"generator": "aa", "attributes": "xx"}}, "the weights of attributes"),
        ({"recipes": {"success": "attributes-xx"}}, r"the recipe of success \(attributes-bb and attributes-xx\)"),
        ({"prompts": PROMPTS[:3]}, r"the prompts \(smile\)"),
        ({"text": "a face with {}"}, r"the prompts \(glasses, beard, hat, smile\)"),
        ({"images": 10}, r"the number of images \(12 and 10\)"),
    ],
)
def test_runs_of_other_recipes_are_refused(tmp_path, changed, named):
    first = write_run(tmp_path / "a", skill={"deltaedit": 0.7})
    second = write_run(tmp_path / "b", skill={"deltaedit": 0.7}, **changed)
    with pytest.raises(UsageError, match=f"cannot be compared, as they differ in {named}\\."):
        compare_runs(first, second)


def test_other_pictures_of_the_same_names_are_refused(tmp_path):
    first, second = (write_run(tmp_path / name, skill={"deltaedit": 0.7}) for name in "ab")
    arrays = dict(np.load(second / "sources.npz"))
    arrays["images"] = 255 - arrays["images"]
    np.savez(second / "sources.npz", **arrays)
    with pytest.raises(UsageError, match=r"differ in the images\."):
        compare_runs(first, second)


def test_a_metric_of_one_side_only_and_a_mistyped_one(tmp_path):
    run = write_run(tmp_path / "a", skill={"deltaedit": 0.7})
    assert compare_runs(run, run, metrics=["identity"]).table["metric"].tolist() == ["identity"]
    with pytest.raises(UsageError, match="did you mean 'identity'"):
        compare_runs(run, run, metrics=["identty"])


def test_unfinished_chunks_are_left_out_and_counted(tmp_path):
    first, second = (write_run(tmp_path / name, skill={"deltaedit": 0.7}) for name in "ab")
    (second / "chunks" / "deltaedit--hat--default-1--00000.json").unlink()
    found = compare_runs(first, second)
    assert found.unpaired == IMAGES
    assert (found.table["prompts"] == len(PROMPTS) - 1).all()


def test_the_only_editors_of_two_runs_are_meant(tmp_path):
    first = write_run(tmp_path / "a", skill={"deltaedit": 0.7})
    second = write_run(tmp_path / "b", skill={"identity": 0.0})
    found = compare_runs(first, second).table
    assert set(found["editor_a"]) == {"deltaedit"}
    assert set(found["editor_b"]) == {"identity"}
    pd.testing.assert_frame_equal(found, compare_runs(first, second, editors=("deltaedit", "identity")).table)


def test_nothing_in_common(tmp_path):
    first = write_run(tmp_path / "a", skill={"deltaedit": 0.7, "tedigan": 0.2})
    second = write_run(tmp_path / "b", skill={"identity": 0.0})
    with pytest.raises(UsageError, match="share no editor"):
        compare_runs(first, second)
    with pytest.raises(UsageError, match=r"There is no editor in .* 'deltaedt'; did you mean 'deltaedit'"):
        compare_runs(first, second, editors=("deltaedt", "identity"))
    with pytest.raises(UsageError, match="not a run folder"):
        compare_runs(first, tmp_path / "none")


def test_command_prints_and_writes_the_table(tmp_path):
    run = write_run(tmp_path / "a", skill={"deltaedit": 0.9, "identity": 0.0})
    result = CliRunner().invoke(
        compare, [str(run), "--editors", "deltaedit,identity"], standalone_mode=False, env={"COLUMNS": "140"}
    )
    assert result.exception is None
    assert "A deltaedit against B identity, default" in result.output
    assert "A higher" in result.output
    with (run / "tables" / "compare--a.csv").open(newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    assert rows["success"]["verdict"] == "A higher"
    assert float(rows["success"]["low"]) > 0.5


@pytest.mark.parametrize("arguments", [[], ["--editors", "deltaedit"], ["--editors", "a,b,c"]])
def test_command_says_what_is_missing(tmp_path, arguments):
    run = write_run(tmp_path / "a", skill={"deltaedit": 0.9})
    result = CliRunner().invoke(compare, [str(run), *arguments], standalone_mode=False)
    assert isinstance(result.exception, UsageError)
    assert "A,B" in str(result.exception)


def test_numbers_for_people():
    assert _digits(0.1234, 0.1567, 0.14) == 3
    assert (_number(-0.00001, 2), _number(0.126, 2, sign=True), _number(float("nan"), 2)) == ("0.00", "+0.13", "n/a")


def test_two_versions_of_an_editor_are_told(tmp_path):
    first = write_run(tmp_path / "a", skill={"hat": 0.7, "other": 0.2}, editors={"hat": {}, "other": {"version": 3}})
    about = {"hat": {"version": 2}, "other": {"version": 3}}
    second = write_run(tmp_path / "b", skill={"hat": 0.7, "other": 0.2}, editors=about)
    assert compare_runs(first, second).versions == (("hat", 1, 2),)
    out = CliRunner().invoke(compare, [str(first), str(second)]).output
    assert "hat is version 1 in A and 2 in B" in out
    assert "is version" not in CliRunner().invoke(compare, [str(first), str(first)]).output


def test_too_few_images_to_show_anything_are_told(tmp_path):
    run = write_run(tmp_path / "a", skill={"deltaedit": 0.9, "identity": 0.0}, images=5)
    sentence = (
        "5 images cannot show any difference in 2 tests: the smallest p of their sign flips is 1/16, corrected 0.125. "
        "It takes 7 images."
    )
    assert compare_runs(run, run, editors=("deltaedit", "identity")).too_small == sentence
    printed = CliRunner().invoke(compare, [str(run), "--editors", "deltaedit,identity"]).output
    assert sentence in " ".join(printed.split())
    large = write_run(tmp_path / "b", skill={"deltaedit": 0.9, "identity": 0.0}, images=7)
    assert compare_runs(large, large, editors=("deltaedit", "identity")).too_small is None


def test_the_end_of_a_run_tells_it_for_the_pairs_of_editors_that_are_no_controls(tmp_path):
    skill = {"deltaedit": 0.9, "tedigan": 0.5, "styleclip-global": 0.5, "identity": 0.0}
    small, large = (Run(write_run(tmp_path / str(n), skill=skill, images=n)) for n in (7, 8))
    assert too_small_run(small).startswith("7 images cannot show any difference in 6 tests:")  # 3 pairs, 2 metrics
    assert too_small_run(large) is None
    assert too_small_run(Run(write_run(tmp_path / "one", skill={"deltaedit": 0.9}, images=2))) is None
