from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.editors.spec import EditorSpec
from eval.errors import UsageError
from eval.judging.recipes import recipes
from eval.prompts import Prompt
from eval.runs.failures import Failure, failure_lines
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.runner import Runner
from eval.runs.store import StorageError, Store

IMAGES, BATCH = 20, 8  # chunks of 8, 8 and 4; the kept images end inside none of them


class Nudge:
    """Moves every style by a fixed number; tells what it was asked to do."""

    name: ClassVar[str] = "nudge"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = "none"
    log: ClassVar[list[tuple[str, ...]]] = []

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def prepare(self, domain: EditingDomain) -> None:
        self.log.append(("prepare",))
        self.domain = domain

    def fit(self, prompt: Prompt) -> None:
        self.log.append(("fit", prompt.name))

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        self.log.append(("edit", prompt.name, f"{strength:g}", str(len(latents))))
        step = torch.sin(torch.arange(latents.s.shape[1]) * len(prompt.name))
        return latents.with_s(latents.s + self.gain * strength * step)


class Broken(Nudge):
    """Fails for one prompt, each verb in its own way."""

    name: ClassVar[str] = "broken"

    def __init__(self, verb: str = "edit") -> None:
        self.verb = verb

    def prepare(self, domain: EditingDomain) -> None:
        if self.verb == "prepare":
            raise RuntimeError("no weights")

    def fit(self, prompt: Prompt) -> None:
        if self.verb == "fit" and prompt.name == "smile":
            raise RuntimeError("cannot smile")

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        if self.verb == "in place":
            latents.s.zero_()
        if prompt.name == "smile":
            if self.verb == "edit":
                raise RuntimeError("no\nsmile")
            if self.verb == "shape":
                return latents.with_s(latents.s[:, :5])
            if self.verb == "nan":
                return latents.with_s(latents.s * float("nan"))
            if self.verb == "type":
                return latents.s  # type: ignore[return-value]
        return latents


class Optimising(Nudge):
    """Needs gradients to the codes, as latent optimisation does."""

    name: ClassVar[str] = "optimising"

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        w_plus = latents.w_plus.requires_grad_()
        (gradient,) = torch.autograd.grad(Latents.from_w_plus(self.domain.synthesis, w_plus).s.square().sum(), w_plus)
        return Latents.from_w_plus(self.domain.synthesis, w_plus - 0.01 * strength * gradient)


def arguments_for(domain: Any, labels: tuple[str, ...], strengths: str = "default,calibrated") -> Arguments:
    return Arguments("tiny", labels, domain.prompts, IMAGES, parse_strengths(strengths), 0, BATCH)


def run(domain: Any, folder: Path, specs: list[EditorSpec], strengths: str = "default,calibrated") -> list[Failure]:
    arguments = arguments_for(domain, tuple(spec.label for spec in specs), strengths)
    store = Store(folder)
    prompts = [asdict(prompt) for prompt in arguments.prompts]
    store.claim(manifest(domain, arguments, specs, recipes(domain)), prompts, domain.factors)
    return Runner(domain, arguments, specs, store).run(quiet=True)


NUDGE = EditorSpec("nudge", Nudge, {}, "nudge")


def broken(verb: str) -> EditorSpec:
    return EditorSpec("broken", Broken, {"verb": verb}, f"broken[verb={verb}]")


def cells(folder: Path) -> pd.DataFrame:
    parts = [pd.read_parquet(path) for path in sorted((folder / "chunks").glob("*.parquet"))]
    return pd.concat(parts, ignore_index=True)


def files(folder: Path) -> dict[str, bytes]:
    """Everything that must not depend on kills: rows, features, strengths."""
    names = ("chunks/*.parquet", "chunks/*.npz", "strengths/*.json", "counterfactuals/*.npz", "sources.npz")
    return {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.glob(name)}


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    Nudge.log.clear()


def test_a_run_holds_every_cell_once(tiny_domain: Any, tmp_path: Path) -> None:
    assert run(tiny_domain, tmp_path, [NUDGE], "default,calibrated,0.5") == []
    rows = cells(tmp_path)
    assert len(rows) == 3 * 3 * IMAGES
    assert not rows.duplicated(["editor", "prompt", "kind", "image"]).any()
    assert set(rows["kind"]) == {"default", "calibrated", "given"}
    assert rows[rows["kind"] == "default"]["strength"].eq(1.0).all()
    assert rows[rows["kind"] == "given"]["strength"].eq(0.5).all()
    for (prompt,), part in rows[rows["kind"] == "calibrated"].groupby(["prompt"]):
        chosen = json.loads((tmp_path / f"strengths/nudge--{prompt}.json").read_text())["chosen"]
        assert part["strength"].eq(chosen).all()


def test_the_same_images_are_judged_as_are_stored(tiny_domain: Any, tmp_path: Path) -> None:
    """Success, recomputed from the stored pictures of the kept cells."""
    run(tiny_domain, tmp_path, [NUDGE], "2")
    with np.load(tmp_path / "chunks/nudge--red-hair--2--00008.npz") as arrays:
        assert arrays["kept"].tolist() == [8, 9, 10, 11, 12, 13, 14, 15]
        assert arrays["images"].shape == (8, 16, 16, 3)
        assert arrays["images"].dtype == np.uint8
        assert arrays["latents_s"].shape == (8, tiny_domain.synthesis.s_size)
        pictures = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2).float() / 127.5 - 1
    with np.load(tmp_path / "chunks/nudge--red-hair--2--00016.npz") as arrays:
        assert arrays["images"].shape == (0, 16, 16, 3)
        assert arrays["frechet"].shape == (4, 6)
    rows = pd.read_parquet(tmp_path / "chunks/nudge--red-hair--2--00008.parquet")
    red = tiny_domain.judges.attributes(pictures)["hair"].argmax(1) == 2
    assert rows["success"].tolist() == red.tolist()
    assert rows["image"].tolist() == [f"test-{i:04d}" for i in range(8, 16)]


def test_the_run_folder_has_what_reports_read(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path, [NUDGE], "default")
    with np.load(tmp_path / "sources.npz") as sources:
        assert sources["images"].shape == sources["reconstructions"].shape == (IMAGES, 16, 16, 3)
        assert sources["logits"].shape == (IMAGES, 7)
        assert sources["frechet"].shape == sources["frechet_originals"].shape == (IMAGES, 6)
        assert sources["identity"].shape == (IMAGES, 5)
        assert sources["names"].tolist() == [f"test-{i:04d}" for i in range(IMAGES)]
    with np.load(tmp_path / "counterfactuals/smile.npz") as counterfactuals:
        assert counterfactuals["images"].shape == (IMAGES, 16, 16, 3)
        assert counterfactuals["visible"].shape == (IMAGES, 3)
        assert counterfactuals["region"].sum() == 16 * 8
    chunk = json.loads((tmp_path / "chunks/nudge--smile--default-1--00000.json").read_text())
    assert chunk["count"] == BATCH
    assert chunk["kind"] == "default"
    assert all(chunk[name] > 0 for name in ("edit_s", "synthesis_s", "judge_s", "peak_memory_mib"))
    costs = json.loads((tmp_path / "costs/nudge.json").read_text())
    assert costs["prepare_s"] == costs["prepare_here_s"] > 0
    assert set(costs["fit_s"]) == set(costs["fit_here_s"]) == {"glasses", "red-hair", "smile"}


def test_editors_prepare_once_and_fit_once_a_prompt(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path, [NUDGE], "default,2")
    assert Nudge.log.count(("prepare",)) == 1
    assert [entry[1] for entry in Nudge.log if entry[0] == "fit"] == ["glasses", "red-hair", "smile"]
    assert Nudge.log.count(("edit", "smile", "2", "8")) == 2
    assert Nudge.log.count(("edit", "smile", "2", "4")) == 1


def test_equal_strengths_of_two_kinds_are_edited_once(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path, [NUDGE], "default,1")
    assert len([entry for entry in Nudge.log if entry[0] == "edit"]) == 3 * 3
    rows = cells(tmp_path)
    assert rows["kind"].value_counts().to_dict() == {"default": 60, "given": 60}


def test_a_finished_run_does_nothing_again(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path, [NUDGE])
    before = files(tmp_path)
    Nudge.log.clear()
    run(tiny_domain, tmp_path, [NUDGE])
    assert Nudge.log == []
    assert files(tmp_path) == before


def test_a_missing_chunk_alone_is_made_again(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path, [NUDGE], "default,2")
    before = files(tmp_path)
    (tmp_path / "chunks/nudge--smile--default-1--00008.json").unlink()
    Nudge.log.clear()
    run(tiny_domain, tmp_path, [NUDGE], "default,2")
    assert [entry for entry in Nudge.log if entry[0] == "edit"] == [("edit", "smile", "1", "8")]
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("verb", "sentence", "chunks"),
    [
        ("prepare", "RuntimeError: no weights", 9),
        ("fit", "RuntimeError: cannot smile", 3),
        ("edit", "RuntimeError: no smile", 3),
        ("shape", "must return s of shape (8, ", 3),
        ("nan", "returned s with numbers that are not finite", 3),
        ("type", "must return Latents. Got Tensor instead", 3),
    ],
)
def test_a_failing_editor_does_not_stop_the_others(
    tiny_domain: Any, tmp_path: Path, verb: str, sentence: str, chunks: int
) -> None:
    failures = run(tiny_domain, tmp_path, [broken(verb), NUDGE], "default")
    assert len(failures) == chunks
    assert sentence in failures[0].sentence
    rows = cells(tmp_path)
    assert (rows["editor"] == "nudge").sum() == 3 * IMAGES
    assert (rows["editor"] != "nudge").sum() == (9 - chunks) * IMAGES / 3
    recorded = [json.loads(path.read_text()) for path in (tmp_path / "chunks").glob("*.error.json")]
    assert len(recorded) == chunks
    assert all("Traceback" in record["traceback"] and record["editor"] == f"broken[verb={verb}]" for record in recorded)
    lines = failure_lines(failures, tmp_path)
    assert all("\n" not in line for line in lines)
    assert f"broken[verb={verb}] failed in " in lines[0]


def test_a_failing_calibration_leaves_the_default_strength(tiny_domain: Any, tmp_path: Path) -> None:
    class Weak(Nudge):
        name: ClassVar[str] = "weak"

        def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
            if strength > 1:
                raise RuntimeError("too strong")
            return super().edit(latents, prompt, strength)

    failures = run(tiny_domain, tmp_path, [EditorSpec("weak", Weak, {}, "weak")])
    assert {failure.chunk.kind for failure in failures} == {"calibrated"}
    assert set(cells(tmp_path)["kind"]) == {"default"}


def test_a_failed_chunk_is_tried_again(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tiny_domain, tmp_path, [broken("edit")], "default")
    monkeypatch.setattr(Broken, "edit", lambda self, latents, prompt, strength: latents)
    assert run(tiny_domain, tmp_path, [broken("edit")], "default") == []
    assert not list((tmp_path / "chunks").glob("*.error.json"))
    assert len(cells(tmp_path)) == 3 * IMAGES


def test_an_editor_cannot_spoil_the_codes_of_the_next(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path / "alone", [NUDGE], "default")
    run(tiny_domain, tmp_path / "after", [broken("in place"), NUDGE], "default")
    names = [name for name in files(tmp_path / "alone") if name.startswith("chunks/")]
    assert {n: files(tmp_path / "after")[n] for n in names} == {n: files(tmp_path / "alone")[n] for n in names}


def test_codes_from_inference_mode_can_be_optimised(tiny_domain: Any, tmp_path: Path) -> None:
    sources = tiny_domain.test_sources

    def inferred(count: int) -> Any:
        with torch.inference_mode():
            return sources(count)

    tiny_domain.test_sources = tiny_domain.calibration_sources = inferred
    assert run(tiny_domain, tmp_path, [EditorSpec("optimising", Optimising, {}, "optimising")]) == []


def test_editors_get_the_editing_half_only(tiny_domain: Any, tmp_path: Path) -> None:
    given: list[object] = []

    class Curious(Nudge):
        def prepare(self, domain: EditingDomain) -> None:
            given.append(domain)

    run(tiny_domain, tmp_path, [EditorSpec("curious", Curious, {}, "curious")], "default")
    assert isinstance(given[0], EditingDomain)
    assert not any(hasattr(given[0], name) for name in ("judges", "counterfactuals", "test_sources", "visible"))


def test_a_full_disk_stops_the_run(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("No space left")

    monkeypatch.setattr(Store, "write_chunk", full)
    with pytest.raises(StorageError):
        run(tiny_domain, tmp_path, [NUDGE], "default")
    assert len([entry for entry in Nudge.log if entry[0] == "edit"]) == 1


# --- kills -------------------------------------------------------------------------------------------------------


def dying(real: Callable[..., Any], calls: int) -> Callable[..., Any]:
    """``real`` that ends the process, without any clean-up, at its call number ``calls``."""
    count = iter(range(calls))

    def call(*args: Any, **options: Any) -> Any:
        if next(count, None) is None:
            os._exit(9)
        return real(*args, **options)

    return call


PROCESSES = """
import json, os, sys
import open_clip, pandas, pyarrow.parquet  # once, not in every child
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

def load(name, path):
    spec = spec_from_file_location(name, path)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

def work(folder, moment, calls):
    domain = conftest.build_tiny_domain(Path(folder).parent / "artefacts")
    owner, name = {"replace": (os, "replace"), "fsync": (os, "fsync"), "edit": (runner.Nudge, "edit")}[moment]
    setattr(owner, name, runner.dying(getattr(owner, name), calls))
    domain.prompts = domain.prompts[:2]
    runner.run(domain, Path(folder), [runner.NUDGE], "matched,calibrated")

conftest, runner = (load(name, sys.argv[1] + "/" + path) for name, path in
                    (("tiny", "conftest.py"), ("runner_test", "eval/runs/test_runner.py")))
codes = []
for kill in json.loads(sys.argv[2]):
    child = os.fork()  # before any work: a process of its own without importing torch again
    if child == 0:
        work(*kill)
        os._exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""
NEVER = ("edit", 10_000)
KILLS = {
    "uninterrupted": [NEVER],
    "while editing": [("edit", 3), ("edit", 9), ("edit", 12), NEVER],
    "while writing": [("replace", 1), ("replace", 15), ("fsync", 60), NEVER],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of runs that were killed as ``KILLS`` says, each time in a process of its own, and gone on with."""
    folders = {name: tmp_path_factory.mktemp("kills") / "run" for name in KILLS}
    kills = [(str(folders[name]), *kill) for name, sequence in KILLS.items() for kill in sequence]
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROCESSES, str(root / "tests"), json.dumps(kills)]
    told = subprocess.run(command, env=environment, timeout=3600, check=True, capture_output=True, text=True)
    expected = [0 if kill == NEVER else 9 for sequence in KILLS.values() for kill in sequence]
    assert json.loads(told.stdout.splitlines()[-1]) == expected
    return folders


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("moment", [name for name in KILLS if name != "uninterrupted"])
def test_a_run_killed_and_resumed_equals_an_uninterrupted_one(finished: dict[str, Path], moment: str) -> None:
    resumed, whole = files(finished[moment]), files(finished["uninterrupted"])
    strengths = 1 + 4 + 1 + 1  # default, goals, calibrated, oracle
    assert len(whole) == 2 * strengths * 2 * 3 + 2 + 2 + 1  # rows and arrays; strengths; references; sources
    assert resumed.keys() == whole.keys()
    assert [name for name in resumed if resumed[name] != whole[name]] == []
    assert not list(finished[moment].rglob("*.tmp"))


def test_no_chunk_is_edited_twice_over_a_kill(
    tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    real, stored = Store.write_chunk, []

    def dies_once(self: Store, *args: Any) -> None:
        real(self, *args)
        stored.append(args[0].id)
        if len(stored) == 4:
            raise Killed

    monkeypatch.setattr(Store, "write_chunk", dies_once)
    with pytest.raises(Killed):
        run(tiny_domain, tmp_path, [NUDGE], "default,2")
    run(tiny_domain, tmp_path, [NUDGE], "default,2")
    assert len(stored) == len(set(stored)) == 3 * 2 * 3
    assert len([entry for entry in Nudge.log if entry[0] == "edit"]) == 3 * 2 * 3


def test_a_run_at_matched_strength_holds_every_goal_and_the_oracle(tiny_domain: Any, tmp_path: Path) -> None:
    assert run(tiny_domain, tmp_path, [NUDGE], "matched") == []
    rows = cells(tmp_path)
    assert len(rows) == 3 * (1 + 4 + 1) * IMAGES  # prompts x (default, goals, oracle)
    assert not rows.duplicated(["editor", "prompt", "kind", "effect_goal", "image"]).any()
    matched = rows[rows["kind"] == "matched"]
    assert sorted(matched["effect_goal"].unique()) == [0.25, 0.5, 0.75, 1.0]
    assert rows[rows["kind"] != "matched"]["effect_goal"].isna().all()
    for (prompt, goal), part in matched.groupby(["prompt", "effect_goal"]):
        stored = json.loads((tmp_path / f"strengths/nudge--{prompt}.json").read_text())["matched"]
        (found,) = [found for found in stored if found["goal"] == goal]
        assert part["strength"].eq(found["strength"]).all()


def test_the_oracle_is_the_counterfactual_through_the_inversion(tiny_domain: Any, tmp_path: Path) -> None:
    run(tiny_domain, tmp_path, [NUDGE], "matched")
    with np.load(tmp_path / "chunks/oracle--smile--oracle-1--00008.npz") as arrays:
        pictures = arrays["images"]
    counterfactuals = tiny_domain.counterfactuals("test", IMAGES, tiny_domain.prompts[2])[8:16]
    rounded = ((counterfactuals.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    w_plus = tiny_domain.editing.encoder(rounded)
    wanted = tiny_domain.synthesis(w_plus).clamp(-1, 1)
    wanted = ((wanted + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(pictures.astype(int) - wanted).max() <= 1


def test_a_domain_that_cannot_invert_has_no_oracle(tiny_domain: Any, tmp_path: Path) -> None:
    tiny_domain.editing = replace(tiny_domain.editing, encoder=None)
    assert run(tiny_domain, tmp_path, [NUDGE], "matched") == []
    assert set(cells(tmp_path)["kind"]) == {"default", "matched"}


def test_a_domain_without_counterfactuals_has_no_oracle(tiny_domain: Any, tmp_path: Path) -> None:
    tiny_domain.counterfactuals = lambda *_: None
    assert run(tiny_domain, tmp_path, [NUDGE], "matched") == []
    assert set(cells(tmp_path)["kind"]) == {"default", "matched"}


def test_calibrating_first_changes_no_cell(tiny_domain: Any, tmp_path: Path) -> None:
    arguments = arguments_for(tiny_domain, ("nudge",), "matched")
    store = Store(tmp_path / "two steps")
    prompts = [asdict(prompt) for prompt in arguments.prompts]
    store.claim(manifest(tiny_domain, arguments, [NUDGE], recipes(tiny_domain)), prompts, tiny_domain.factors)
    assert Runner(tiny_domain, arguments, [NUDGE], store).calibrate(quiet=True) == []
    assert not (store.folder / "chunks").exists()
    judged = len([entry for entry in Nudge.log if entry[0] == "edit"])
    assert judged >= 3 * 7
    Nudge.log.clear()
    run(tiny_domain, store.folder, [NUDGE], "matched")
    assert all(int(entry[3]) <= BATCH for entry in Nudge.log if entry[0] == "edit")  # no calibration image again
    run(tiny_domain, tmp_path / "one step", [NUDGE], "matched")
    assert files(store.folder) == files(tmp_path / "one step")


def test_an_editor_that_cannot_be_calibrated_fails_once_a_prompt(tiny_domain: Any, tmp_path: Path) -> None:
    arguments = arguments_for(tiny_domain, ("broken[verb=edit]",), "matched")
    store = Store(tmp_path)
    prompts = [asdict(prompt) for prompt in arguments.prompts]
    spec = broken("edit")
    store.claim(manifest(tiny_domain, arguments, [spec], recipes(tiny_domain)), prompts, tiny_domain.factors)
    failures = Runner(tiny_domain, arguments, [spec], store).calibrate(quiet=True)
    assert {failure.chunk.prompt for failure in failures} == {"smile"}
    assert len(failure_lines(failures, tmp_path)) == 1


def test_a_folder_of_another_version_of_an_editor_is_refused(
    tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny_domain, tmp_path, [NUDGE], "default")
    assert "version" not in json.loads((tmp_path / "manifest.json").read_text())["editors"]["nudge"]
    monkeypatch.setattr(Nudge, "version", 2, raising=False)
    with pytest.raises(UsageError, match=r"not the one that made its cells in .* \(version is missing there, 2 here\)"):
        run(tiny_domain, tmp_path, [NUDGE], "default")
