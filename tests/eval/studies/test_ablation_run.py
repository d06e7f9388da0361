from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from deltaedit.editor import DeltaEdit
from eval.domains.guard import protect
from eval.errors import UsageError
from eval.judging.cells import judge_edits, judge_sources
from eval.judging.counterfactuals import judge_counterfactuals
from eval.runs.store import Store
from eval.studies.ablation.plan import Ablation, Arm
from eval.studies.ablation.run import COLUMNS, AblationRunner, claim_ablation, jobs, record

pytestmark = pytest.mark.slow

SETTINGS = {
    **{"steps": 12, "batch": 8, "relevance_images": 2, "relevance_statistics": 20},
    **{"templates": False, "bfloat16": False, "threshold": 0},
}
ARMS = (Arm("delta"), Arm("τ high", {"threshold": 0.3}), Arm("raw", {"arm": "raw"}, subject="person"))
TOY = Ablation("toy", "?", "delta", ARMS, (0, 4), 6, 0.05, ("glasses", "smile"), SETTINGS, calibration=8)


def run(domain, folder, ablation=TOY):
    store = Store(folder)
    claim_ablation(store, record(domain, ablation))
    return store, AblationRunner(domain, ablation, store).run(quiet=True)


@pytest.fixture
def trainings(monkeypatch):
    """Settings of every training that really runs."""
    import deltaedit.editor

    seen, train = [], deltaedit.editor.train_mapper
    monkeypatch.setattr(
        deltaedit.editor,
        "train_mapper",
        lambda *args: (seen.append((args[2].arm, args[2].training_seed)), train(*args))[1],
    )
    return seen


def test_every_arm_seed_and_prompt_is_stored_and_mappers_are_shared(tiny_domain, tmp_path, trainings):
    store, failures = run(tiny_domain, tmp_path / "run")
    assert failures == []
    assert trainings == [("delta", 0), ("raw", 0), ("delta", 4), ("raw", 4)]  # the mask is no matter of training
    results = [store.read_json(job.file) for job in jobs(TOY, [p for p in tiny_domain.prompts if p.name != "red-hair"])]
    assert [(r["seed"], r["arm"], r["prompt"]) for r in results] == [
        (seed, arm, prompt) for seed in (0, 4) for arm in ("delta", "τ high", "raw") for prompt in TOY.prompts
    ]
    assert results[4]["texts"]["target"] == "person with glasses"
    assert any(r["match"]["met"] for r in results)
    for result in results:
        assert set(result["cells"]) == (set(COLUMNS) if result["match"]["met"] else set())
        assert [point["strength"] for point in result["sweep"]][-7:] == [0.25, 0.5, 0.75, 1, 1.5, 2, 3]


def test_it_says_what_is_to_do_before_it_begins(tiny_domain, tmp_path, capsys):
    store = Store(tmp_path / "run")
    claim_ablation(store, record(tiny_domain, TOY))
    runner = AblationRunner(tiny_domain, TOY, store)
    assert runner.run() == []
    # 2 arms x 2 seeds are trained for 12 steps; 3 arms x 2 seeds x 2 prompts edit 7 strengths x 8 images and 6 images.
    assert "to do: 48 steps in 4 trainings, 744 edited pictures or a few more" in capsys.readouterr().err
    runner.run()
    assert "to do" not in capsys.readouterr().err


def test_cells_are_those_of_the_editor_at_the_matched_strength(tiny_domain, tmp_path):
    store, _ = run(tiny_domain, tmp_path / "run")
    prompts = [prompt for prompt in tiny_domain.prompts if prompt.name in TOY.prompts]
    job = next(job for job in jobs(TOY, prompts) if store.read_json(job.file)["match"]["met"])
    result = store.read_json(job.file)
    editor = DeltaEdit(**{**SETTINGS, **job.arm.settings, "training_seed": job.seed})
    editor.prepare(tiny_domain.editing)
    asked = job.arm.prompt(job.prompt)
    editor.fit(asked)
    sources = tiny_domain.test_sources(6)
    with torch.inference_mode():
        edited = editor.edit(sources.latents, asked, result["match"]["strength"])
        judged, counterfactuals = (
            judge_sources(tiny_domain, sources, 6),
            judge_counterfactuals(tiny_domain, "test", 6, job.prompt, 6),
        )
        pictures = tiny_domain.editing.images(edited)
        rows, _ = judge_edits(tiny_domain, judged, counterfactuals, job.prompt, slice(0, 6), pictures)
    for name in COLUMNS:
        stored = [np.nan if value is None else value for value in result["cells"][name]]
        assert stored == pytest.approx([float(row[name]) for row in rows], rel=1e-4, abs=1e-5, nan_ok=True), name


def test_a_killed_ablation_goes_on_and_ends_alike(tiny_domain, tmp_path, monkeypatch, trainings):
    whole, _ = run(tiny_domain, tmp_path / "whole")
    expected = {path.name: path.read_bytes() for path in (whole.folder / "cells").iterdir()}
    trainings.clear()
    written, write = [], Store.write_json

    def killed(self, name, value):
        if len(written) == 6:
            raise KeyboardInterrupt
        written.append(name)
        write(self, name, value)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Store, "write_json", killed)
        run(tiny_domain, tmp_path / "killed")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "cells").iterdir()}
    assert 0 < len(before) < len(expected)
    store, _ = run(tiny_domain, tmp_path / "killed")
    assert {path.name: path.read_bytes() for path in (store.folder / "cells").iterdir()} == expected
    assert all((store.folder / "cells" / name).stat().st_mtime_ns == when for name, when in before.items())
    assert trainings == []


def test_a_finished_ablation_does_nothing(tiny_domain, tmp_path, monkeypatch):
    run(tiny_domain, tmp_path / "run")
    monkeypatch.setattr(DeltaEdit, "prepare", lambda *_: pytest.fail("nothing is missing"))
    assert run(tiny_domain, tmp_path / "run")[1] == []


def test_a_failing_arm_leaves_the_others_alone(tiny_domain, tmp_path):
    tiny_domain.editing = replace(
        tiny_domain.editing, training_set=lambda: replace(tiny_domain._training_set(), w_plus=None)
    )
    ablation = replace(TOY, arms=(Arm("delta"), Arm("W+", {"output": "W+"})), seeds=(0,), prompts=("smile",))
    store, failures = run(tiny_domain, tmp_path / "run", ablation)
    assert len(failures) == 1 and failures[0].startswith("The arm 'W+' with seed 0 failed: ValueError: ")
    assert [json.loads(path.read_text())["arm"] for path in (store.folder / "cells").iterdir()] == ["delta"]


ONE = replace(TOY, arms=(Arm("delta"),), seeds=(0,), prompts=("smile",))


def test_an_arm_edits_a_variant_of_the_domain(tiny_domain, tmp_path, trainings):
    editing, seen = tiny_domain.editing, []

    def fewer():
        made = tiny_domain._training_set()
        seen.append(len(made.s))
        return replace(made, s=made.s[:20], features=made.features[:20], origin=(), w_plus=None)

    variant = replace(editing, training_set=fewer, training_key={"samples": 20})
    tiny_domain.editing = replace(editing, variants={"20 samples": lambda: variant})
    ablation = replace(ONE, arms=(Arm("delta"), Arm("few", variant="20 samples")))
    store, failures = run(tiny_domain, tmp_path / "run", ablation)
    assert failures == [] and seen == [len(tiny_domain._training_set().s)]
    assert trainings == [("delta", 0), ("delta", 0)]  # two mappers, although the settings are the same
    assert json.loads((store.folder / "ablation.json").read_text())["ablation"]["arms"][1]["variant"] == "20 samples"
    with pytest.raises(UsageError, match=r"variant .*'5 samples'"):
        run(tiny_domain, tmp_path / "other", replace(ONE, variant="5 samples"))


def test_an_arm_that_holds_weights_of_a_judge_fails(tiny_domain, tmp_path, monkeypatch):
    prepare, weight = DeltaEdit.prepare, tiny_domain.judges.clip.model.conv.weight

    def peeks(self, domain):
        prepare(self, domain)
        self.held = weight.detach().clone()

    monkeypatch.setattr(DeltaEdit, "prepare", peeks)
    store, failures = run(tiny_domain, tmp_path / "run", ONE)
    assert failures == [
        "The arm 'delta' with seed 0 failed: JudgeTouched: The editor delta touched 'clip (it holds the weights)'; "
        "judges only score: an editor may use the networks of its EditingDomain and others of its own."
    ]
    assert not (store.folder / "cells").exists()


def test_a_training_that_asks_a_judge_fails(tiny_domain, tmp_path, monkeypatch):
    import deltaedit.editor

    clip = tiny_domain.judges.clip
    monkeypatch.setattr(deltaedit.editor, "train_mapper", lambda *_: clip.encode_images(torch.zeros(1, 3, 16, 16)))
    for thing in (clip, clip.model):
        protect(thing, "clip")
    failures = run(tiny_domain, tmp_path / "run", ONE)[1]
    assert len(failures) == 1 and "JudgeTouched: The editor delta touched 'clip'" in failures[0]


def test_a_domain_whose_editors_and_judges_share_weights_is_refused(tiny_domain, tmp_path):
    tiny_domain.editing = replace(tiny_domain.editing, identity=tiny_domain.judges.identity)
    with pytest.raises(UsageError, match=r"judge 'identity' .*they share a tensor"):
        run(tiny_domain, tmp_path / "run", ONE)


def test_a_folder_belongs_to_one_ablation(tiny_domain, tmp_path):
    claim_ablation(Store(tmp_path / "a"), record(tiny_domain, TOY))
    claim_ablation(Store(tmp_path / "a"), {**record(tiny_domain, TOY), "commit": "another"})
    with pytest.raises(UsageError, match=r"another ablation: images is 6 there, 7 here; choose another --out"):
        claim_ablation(Store(tmp_path / "a"), record(tiny_domain, replace(TOY, images=7)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no ablation"):
        claim_ablation(Store(tmp_path / "b"), record(tiny_domain, TOY))
