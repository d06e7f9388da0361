from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eval.prompts import Prompt
from eval.runs.store import Store
from eval.statistics.crossed import crossed_estimate
from eval.studies.ablation.plan import Ablation, Arm
from eval.studies.ablation.run import COLUMNS, RECORD, Job
from reports.studies.ablation import read_results
from reports.studies.ablation_table import ablation_table

PROMPTS = tuple(Prompt(name, "face", f"face with {name}", "x", name) for name in ("one", "two"))
ARMS = (Arm("base"), Arm("worse"), Arm("alike"))
TOY = Ablation("toy", "?", "base", ARMS, (3, 5, 8), images=6)


@pytest.fixture
def folder(tmp_path):
    """Cells with known differences: `worse` keeps 0.2 less, `alike` the same; one job of `worse` is not matched."""
    rng = np.random.default_rng(0)
    store, frames = Store(tmp_path / "run"), []
    store.write_json(RECORD, {"schema": 1, "domain": "toy", "ablation": TOY.as_json()})
    for seed in TOY.seeds:
        for prompt in PROMPTS:
            shared = {name: rng.normal(0.5, 0.05, TOY.images) for name in COLUMNS}
            shared["eligible"] = (rng.random(TOY.images) < 0.7).astype(float)
            for arm in ARMS:
                met = (arm.label, seed, prompt.name) != ("worse", 5, "two")
                cells = {name: values.copy() for name, values in shared.items()}
                cells["preservation"] += {"base": 0, "worse": -0.2, "alike": 0}[arm.label] + rng.normal(
                    0, 0.01, TOY.images
                )
                result = {
                    "arm": arm.label,
                    "seed": seed,
                    "prompt": prompt.name,
                    "match": {"goal": 1.0, "strength": seed / 10, "effect": 1.0, "reached": met, "met": met},
                    "sweep": [
                        {"strength": s, "success": s / 4, "preservation": 1 - s / 4, "effect": s * seed}
                        for s in ((0.5, 1.0) if met else (0.25, 0.5, 1.0))  # one was judged below the sweep too
                    ],
                    "cells": {name: list(map(float, values)) for name, values in cells.items()} if met else {},
                }
                store.write_json(Job(arm, seed, prompt).file, result)
                if met:
                    place = {"arm": arm.label, "seed": seed, "prompt": prompt.name}
                    frames.append(pd.DataFrame(cells).rename_axis("image").reset_index().assign(**place))
    return store, pd.concat(frames)


def test_means_and_paired_differences_are_those_of_the_cells(folder):
    store, cells = folder
    arms = {arm.label: arm for arm in read_results(store, TOY, PROMPTS)}
    eligible = cells[cells["eligible"] == 1]
    for label, arm in arms.items():
        mine = cells[cells["arm"] == label]
        assert arm.means["identity"].mean == pytest.approx(mine["identity"].mean())
        assert arm.means["preservation"].mean == pytest.approx(
            eligible[eligible["arm"] == label]["preservation"].mean()
        )
    wide = eligible.pivot_table(index=["seed", "prompt", "image"], columns="arm", values="preservation")
    for label in ("worse", "alike"):
        shared = (wide[label] - wide["base"]).dropna()
        assert arms[label].differences["preservation"].mean == pytest.approx(shared.mean())
        assert arms[label].differences["preservation"].cells == len(shared)
    assert arms["base"].differences == {}


def test_what_is_different_is_found_and_corrected_over_the_whole_table(folder):
    arms = {arm.label: arm for arm in read_results(folder[0], TOY, PROMPTS)}
    worse, alike = arms["worse"].differences, arms["alike"].differences
    assert worse["preservation"].high < -0.15 and worse["preservation"].p_holm < 0.05
    assert alike["preservation"].low < 0 < alike["preservation"].high and alike["preservation"].p_holm > 0.05
    assert worse["identity"].mean == worse["identity"].low == 0  # the same numbers in both arms
    tests = [value.p for arm in (worse, alike) for value in arm.values() if not np.isnan(value.p)]
    assert worse["preservation"].p_holm == pytest.approx(min(1, min(tests) * len(tests)))


def test_strengths_and_curve(folder):
    worse = read_results(folder[0], TOY, PROMPTS)[1]
    assert (worse.jobs, worse.matched) == (6, 5)
    assert worse.strength == pytest.approx(0.5)  # median of 0.3, 0.3, 0.5, 0.8, 0.8
    assert worse.effect_at_one == pytest.approx((3 + 5 + 8) / 3)
    assert worse.curve.effect == pytest.approx((16 / 6, 16 / 3))
    assert worse.curve.preservation == pytest.approx((0.875, 0.75))


def test_an_unfinished_ablation_shows_what_is_there(folder, tmp_path):
    store, _ = folder
    for path in (store.folder / "cells").glob("alike--*"):
        path.unlink()
    assert [arm.label for arm in read_results(store, TOY, PROMPTS)] == ["base", "worse"]
    for path in (store.folder / "cells").glob("base--*"):
        path.unlink()
    assert read_results(store, TOY, PROMPTS)[0].differences == {}


def test_one_training_leaves_intervals_for_images_and_prompts(folder):
    store, cells = folder
    arms = {arm.label: arm for arm in read_results(store, replace(TOY, seeds=(3,)), PROMPTS)}
    mine = cells[(cells["arm"] == "base") & (cells["seed"] == 3)].pivot(
        index="image", columns="prompt", values="identity"
    )
    expected = crossed_estimate(mine.to_numpy()[None], (1, 2))
    found = arms["base"].means["identity"]
    assert found.low < found.mean < found.high
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    note = ablation_table("toy", "?", 1.0, "base", list(arms.values()), trainings=1).notes[1]
    assert "interval for other images and prompts like these; each arm was trained once" in note
