from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.editors.spec import EditorSpec
from eval.judging.recipes import recipes
from eval.pixels import to_uint8
from eval.prompts import Prompt
from eval.runs.determinism import (
    LATENT_TOLERANCE,
    THREADS,
    Drift,
    Probe,
    check_editors,
    deterministic_mode,
    drift,
    line,
    stored_drift,
)
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, Chunk, parse_strengths
from eval.runs.runner import Runner
from eval.runs.store import Store


class Steady:
    """Adds the same offset to every image, whoever else is in the batch."""

    name: ClassVar[str] = "steady"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = "none"
    made: ClassVar[list[str]] = []

    def prepare(self, domain: EditingDomain) -> None:
        self.made.append(self.name)

    def fit(self, prompt: Prompt) -> None:
        pass

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return latents.with_s(latents.s + strength * self.offset(latents.s))

    def offset(self, s: torch.Tensor) -> torch.Tensor:
        return torch.sin(torch.arange(s.shape[1]))


class Unseeded(Steady):
    """Draws from a generator of its own, which the system seeds; the global ones are put back after every call."""

    name: ClassVar[str] = "unseeded"

    def offset(self, s: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator()
        generator.seed()
        return torch.randn(s.shape, generator=generator)


class Centring(Steady):
    """Moves by half of what tells an image from the mean of its batch."""

    name: ClassVar[str] = "centring"

    def offset(self, s: torch.Tensor) -> torch.Tensor:
        return (s - s.mean(0)) / 2


class Counting(Steady):
    """Edits more with every call of the process."""

    name: ClassVar[str] = "counting"
    calls: ClassVar[list[int]] = []

    def offset(self, s: torch.Tensor) -> torch.Tensor:
        self.calls.append(1)
        return torch.full_like(s, 0.1 * len(self.calls))


class Broken(Steady):
    """Cannot edit."""

    name: ClassVar[str] = "broken"

    def offset(self, s: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no\nedit")


def spec(editor: type) -> EditorSpec:
    return EditorSpec(editor.name, editor, {}, editor.name)  # type: ignore[attr-defined]


def arguments_for(domain: Any, editors: list[type], images: int = 8, batch: int = 5) -> Arguments:
    labels = tuple(spec(editor).label for editor in editors)
    return Arguments("tiny", labels, domain.prompts[:2], images, parse_strengths("default"), 0, batch)


def run(domain: Any, folder: Path, editors: list[type], images: int = 8) -> tuple[Arguments, Store]:
    arguments, store = arguments_for(domain, editors, images), Store(folder)
    specs = [spec(editor) for editor in editors]
    prompts = [asdict(prompt) for prompt in arguments.prompts]
    store.claim(manifest(domain, arguments, specs, recipes(domain)), prompts, domain.factors)
    Runner(domain, arguments, specs, store).run(quiet=True)
    return arguments, store


def checked(domain: Any, folder: Path, editors: list[type], images: int = 8) -> tuple[dict[str, Any], list[str]]:
    arguments, store = run(domain, folder, editors, images)
    lines: list[str] = []
    check_editors(domain, arguments, [spec(editor) for editor in editors], store, lines.append)
    named = json.loads((folder / "manifest.json").read_text())["determinism"]
    return json.loads((folder / named).read_text()), lines


def test_planted_editors_are_told_apart(tiny_domain: Any, tmp_path: Path) -> None:
    found, lines = checked(tiny_domain, tmp_path / "run", [Steady, Unseeded, Centring, Broken])
    verdicts = {label: entry["verdict"] for label, entry in found["editors"].items()}
    assert verdicts == {
        "steady": "deterministic",
        "unseeded": "not repeatable",
        "centring": "batch-dependent",
        "broken": "failed",
    }
    assert found["images"] == 5
    assert found["batches"] == [5, 3]
    assert [line.split(":")[0] for line in lines] == ["steady", "unseeded", "centring", "broken"]
    assert found["editors"]["broken"]["error"] == "RuntimeError: no edit"


def test_the_drift_of_the_batch_dependent_editor_is_what_arithmetic_says(tiny_domain: Any, tmp_path: Path) -> None:
    found, _ = checked(tiny_domain, tmp_path / "run", [Centring])
    s = tiny_domain.test_sources(8).latents.s[:5].double()
    whole, parts = s.mean(0), torch.cat([s[:3].mean(0).expand(3, -1), s[3:].mean(0).expand(2, -1)])
    expected = ((whole - parts) / 2).abs().max().item()
    entry = found["editors"]["centring"]
    assert entry["batch"]["latents"] == pytest.approx(expected, rel=1e-3)
    assert entry["batch"]["latents"] > LATENT_TOLERANCE
    assert entry["batch"]["metrics"] > 0
    assert entry["repeat"] == {"latents": 0.0, "images": 0.0, "metrics": 0.0, "metric": ""}
    assert entry["stored"]["latents"] == 0.0


def test_an_editor_that_changes_between_calls_is_caught_by_the_folders_own_chunk(
    tiny_domain: Any, tmp_path: Path
) -> None:
    Counting.calls.clear()
    found, lines = checked(tiny_domain, tmp_path / "run", [Counting])
    entry = found["editors"]["counting"]
    assert entry["verdict"] == "not repeatable"
    # calls: two prompts of two chunks each in the run (1 to 4), then 5 and 6; the folder's first chunk was call 1
    assert entry["repeat"]["latents"] == pytest.approx(0.1, rel=1e-4)
    assert entry["stored"]["latents"] == pytest.approx(0.4, rel=1e-4)
    assert "the folder's chunk differs by codes by 0.4" in lines[0]


def test_the_same_command_again_checks_nothing_twice_but_failures(tiny_domain: Any, tmp_path: Path) -> None:
    editors = [Steady, Broken]
    arguments, store = run(tiny_domain, tmp_path / "run", editors)
    specs = [spec(editor) for editor in editors]
    first: list[str] = []
    check_editors(tiny_domain, arguments, specs, store, first.append)
    before = (tmp_path / "run" / "determinism.json").read_text()
    Steady.made.clear()
    again: list[str] = []
    check_editors(tiny_domain, arguments, specs, store, again.append)
    assert again == first
    assert "steady" not in Steady.made
    assert "broken" in Steady.made
    assert (tmp_path / "run" / "determinism.json").read_text() == before


def test_one_image_has_no_other_batch(tiny_domain: Any, tmp_path: Path) -> None:
    found, lines = checked(tiny_domain, tmp_path / "run", [Centring], images=1)
    assert found["batches"] == [1]
    assert found["editors"]["centring"]["batch"] is None
    assert found["editors"]["centring"]["verdict"] == "deterministic"
    assert "batches" not in lines[0]


def test_the_mode_is_set_and_set_back() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="stop"), deterministic_mode():
        assert torch.get_num_threads() == THREADS
        assert torch.are_deterministic_algorithms_enabled()
        raise RuntimeError("stop")
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_the_mode_gives_the_same_cells(tiny_domain: Any, tmp_path: Path) -> None:
    import pandas as pd

    _, plain = run(tiny_domain, tmp_path / "plain", [Steady])
    with deterministic_mode():
        _, exact = run(tiny_domain, tmp_path / "exact", [Steady])
    names = sorted(path.name for path in (plain.folder / "chunks").glob("*.parquet"))
    assert names == sorted(path.name for path in (exact.folder / "chunks").glob("*.parquet"))
    for name in names:
        pd.testing.assert_frame_equal(
            pd.read_parquet(plain.folder / "chunks" / name), pd.read_parquet(exact.folder / "chunks" / name), rtol=1e-4
        )


def test_a_changed_picture_in_the_folder_shows(tiny_domain: Any, tmp_path: Path) -> None:
    arguments, store = run(tiny_domain, tmp_path / "run", [Steady])
    chunk = Chunk("steady", arguments.prompts[0].name, "default", 1.0, 0, 5)
    made = Probe(tiny_domain, arguments).run(spec(Steady), 0, 5)
    assert stored_drift(made, store, chunk) == Drift(0.0, 0.0, 0.0, "")
    images = made.images.clone()
    images[0, 0, 0, 0] = -1.0 if images[0, 0, 0, 0] > 0 else 1.0
    moved = int(to_uint8(images)[0, 0, 0, 0]) - int(to_uint8(made.images)[0, 0, 0, 0])
    changed = stored_drift(replace(made, images=images), store, chunk)
    assert changed is not None and abs(moved) > 100
    assert changed.images == pytest.approx(abs(moved) / 127.5)
    path = store.folder / "chunks" / f"{chunk.id}.npz"
    path.write_bytes(path.read_bytes()[:-1])  # a damaged chunk is made again, and not compared
    assert stored_drift(made, store, chunk) is None
    assert stored_drift(made, store, Chunk("steady", "none", "default", 1.0, 0, 5)) is None


def test_drift_is_the_largest_difference(tiny_domain: Any, tmp_path: Path) -> None:
    one = Probe(tiny_domain, arguments_for(tiny_domain, [Steady])).run(spec(Steady), 0, 5)
    numbers = {name: values.copy() for name, values in one.numbers.items()}
    numbers["identity"][2] += 0.25
    other = type(one)(one.latents.with_s(one.latents.s + 0.5), one.images, numbers)
    found = drift(one, other)
    assert found.latents == pytest.approx(0.5, rel=1e-5)
    assert (found.images, found.metric) == (0.0, "identity")
    assert found.metrics == pytest.approx(0.25)


def test_lines_for_people() -> None:
    none = {"latents": 0.0, "images": 0.0, "metrics": 0.0, "metric": ""}
    small = {"latents": 2e-6, "images": 3e-7, "metrics": 1e-5, "metric": "ad_mean"}
    entry = {"verdict": "deterministic", "repeat": none, "batch": small, "stored": none}
    assert line("deltaedit", entry, [50, 25]) == (
        "deltaedit: deterministic: twice the same bits; batches of 25 instead of 50 change codes by 2e-06, images by "
        "3e-07, ad_mean by 1e-05"
    )
