"""A folder that grew holds the same bytes as one that was made at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eval import domains
from eval.errors import UsageError
from eval.runs.integrity.growth import check_same_run
from eval.runs.plan import SHARES
from eval.runs.reader import Run
from eval.runs.request import RunRequest, execute, plan_run
from eval.runs.store import Store
from tests.conftest import build_tiny_domain

EDITORS = """
import torch

class Nudge:
    name, space, paper = "nudge", "S", "none"
    edited = 0

    def prepare(self, domain): ...
    def fit(self, prompt): ...
    def edit(self, latents, prompt, strength):
        Nudge.edited += len(latents)
        return latents.with_s(latents.s * (1 + strength * len(prompt.name) / 10))

class Other(Nudge):
    name = "other"
    def edit(self, latents, prompt, strength):
        return latents.with_s(latents.s - strength)
"""
OLD_AND_NEW: tuple[dict[str, str], ...] = ({}, {"effects": SHARES})
WHOLE = RunRequest(["growing:Nudge", "growing:Other"], "tiny", ["glasses", "smile"], 6, batch=4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two editors, the tiny domain under its name, and the whole run in ``once``."""
    folder = tmp_path_factory.mktemp("growth")
    domain = build_tiny_domain(folder / "artefacts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(domains.DOMAINS, "tiny", lambda *_: domain)
        (folder / "growing.py").write_text(EDITORS)
        patch.syspath_prepend(folder)
        patch.delitem(sys.modules, "growing", raising=False)
        made(WHOLE, folder / "once")
        yield folder


@pytest.fixture
def here(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(place: Path, here: Path) -> Path:
    """A copy of the whole run."""
    return Path(shutil.copytree(place / "once", here / "run"))


def made(request: RunRequest, folder: Path) -> int:
    """Run; how many images ``nudge`` edited for it."""
    planned = plan_run(replace(request, out=folder), True)
    nudge = sys.modules["growing"].Nudge
    before = nudge.edited
    assert execute(planned, quiet=True) == []
    return int(nudge.edited - before)


def chunks(folder: Path) -> dict[str, int]:
    """When each finished chunk was finished."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("chunks/*.json")}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    names = {path.relative_to(folder).as_posix(): path for path in files}
    kept = {name: path.read_bytes() for name, path in names.items() if not name.startswith(("costs", "chunks/"))}
    kept |= {name: path.read_bytes() for name, path in names.items() if name.endswith((".npz", ".parquet"))}
    del kept["manifest.json"]
    return kept


PARTS: dict[str, Callable[[RunRequest], RunRequest]] = {
    "editor": lambda whole: replace(whole, methods=["growing:Other"]),
    "prompt": lambda whole: replace(whole, prompts=["smile"]),
    "strengths": lambda whole: replace(whole, strengths="default"),
    "everything": lambda whole: RunRequest(["growing:Nudge"], "tiny", ["glasses"], 5, "calibrated", batch=4),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_run_that_grew_is_the_run_made_at_once(place: Path, here: Path, part: str) -> None:
    made(PARTS[part](WHOLE), here / "grown")
    finished = chunks(here / "grown")
    made(WHOLE, here / "grown")
    assert contents(here / "grown") == contents(place / "once")
    if part != "everything":  # its last chunk holds one image instead of two
        assert finished and finished.items() <= chunks(here / "grown").items()
    assert made(WHOLE, here / "grown") == 0


def test_more_images_edit_the_new_ones_and_those_of_the_last_chunk(here: Path) -> None:
    plain = replace(WHOLE, methods=["growing:Nudge"], strengths="default,0.5")
    made(replace(plain, images=14), here / "once")
    assert made(replace(plain, images=10), here / "grown") == 10 * 2 * 2  # prompts, strengths
    assert made(replace(plain, images=14), here / "grown") == (4 + 2) * 2 * 2  # images 8 to 11 are one chunk now
    assert contents(here / "grown") == contents(here / "once")


def test_more_calibration_images_find_strengths_anew(here: Path) -> None:
    plain = replace(WHOLE, methods=["growing:Nudge"], prompts=["smile"], strengths="calibrated")
    made(replace(plain, images=24), here / "once")
    made(replace(plain, images=4), here / "grown")
    assert made(replace(plain, images=24), here / "grown") > 24
    assert contents(here / "grown") == contents(here / "once")


def test_an_editor_is_added_by_its_name_alone(place: Path, here: Path) -> None:
    made(replace(WHOLE, methods=["growing:Nudge"]), here / "grown")
    assert made(replace(WHOLE, methods=["growing:Other"]), here / "grown") == 0
    assert contents(here / "grown") == contents(place / "once")


def test_fewer_images_or_another_seed_are_another_run(run: Path) -> None:
    for change, difference in (({"images": 5}, "images is 6 there, 5 here"), ({"seed": 1}, "seed is 0 there, 1 here")):
        with pytest.raises(UsageError, match=difference):
            made(replace(WHOLE, **change), run)  # type: ignore[arg-type]


SMALL = ["factors.json", "prompts.json", "sources.npz", "counterfactuals/smile.npz", "costs/nudge.json"]


@pytest.mark.parametrize("contents_then", [None, b""], ids=["lost", "emptied"])
def test_lost_and_damaged_small_files_are_made_again(run: Path, contents_then: bytes | None) -> None:
    before, finished = contents(run), chunks(run)
    for name in [*SMALL, "strengths/nudge--smile.json"]:
        (run / name).unlink() if contents_then is None else (run / name).write_bytes(contents_then)
    made(WHOLE, run)
    assert contents(run) == before and chunks(run) == finished
    assert set(Store(run).read_json("costs/nudge.json")["fit_s"]) == {"glasses", "smile"}


def test_a_prompt_whose_name_lost_a_bit_is_told_and_made_again(run: Path) -> None:
    before = contents(run)
    text = (run / "prompts.json").read_text(encoding="utf-8")
    (run / "prompts.json").write_text(text.replace('"smile"', '"smide"', 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"prompts.json is damaged \('smile' is another\); give the same"):
        Run(run).prompts  # noqa: B018
    made(WHOLE, run)
    assert contents(run) == before


def test_counterfactuals_in_the_wrong_place_are_made_again(run: Path) -> None:
    before = contents(run)
    (run / "counterfactuals/smile.npz").write_bytes((run / "counterfactuals/glasses.npz").read_bytes())
    assert made(WHOLE, run) == 0
    assert contents(run) == before


def test_refresh_makes_an_editors_cells_anew(run: Path) -> None:
    before = contents(run)
    assert made(replace(WHOLE, refresh="other"), run) == 0
    assert made(replace(WHOLE, refresh="nudge"), run) >= 2 * 6
    assert made(replace(WHOLE, refresh="all"), run) >= 2 * 6
    assert contents(run) == before
    with pytest.raises(UsageError, match=r"There is no editor in --methods that --refresh could make anew 'nugde'"):
        made(replace(WHOLE, refresh="nugde"), run)


def test_effects_in_sigma_and_in_shares_never_come_together(run: Path) -> None:
    """A folder of an earlier version that matched effects in σ is read, and not gone on with."""
    there, here_ = ({"arguments": {"strengths": ["default", "matched 0.5"], **effects}} for effects in OLD_AND_NEW)
    with pytest.raises(UsageError, match="another run: effects is σ there, shares of the right effect here"):
        check_same_run(run, there, here_)
    check_same_run(run, here_, here_)
    check_same_run(run, {"arguments": {"strengths": ["default"]}}, here_)
