"""Editors that cheat, run through the whole harness: what the tables at equal effect say of them."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from baselines.controls import Identity
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.files import file_sha256
from eval.editors.spec import EditorSpec
from eval.errors import UsageError
from eval.judging.cells import judge_sources
from eval.judging.recipes import recipes
from eval.prompts import Prompt
from eval.runs.integrity.seals import SUMS, read_sealed, sealed
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.runner import Runner
from eval.runs.store import Store
from reports.tables import write_tables

IMAGES = 50


class Honest:
    """Adds the generator's own direction of what is asked for, the same for every image."""

    name: ClassVar[str] = "honest"
    space: ClassVar[str] = "W+"
    paper: ClassVar[str] = "none"
    world: ClassVar[Any]  # the tiny domain, which the cheats look into

    def prepare(self, domain: EditingDomain) -> None:
        self.domain = domain

    def fit(self, prompt: Prompt) -> None:
        factors = self.world.factors
        names = list(factors)
        row = sum(len(factors[name]) for name in names[: names.index(prompt.attribute)])
        block = self.world.mapping[row : row + len(factors[prompt.attribute])]
        chosen = factors[prompt.attribute].index(prompt.value)
        self.direction = block[chosen] - block.mean(0)

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return self._moved(latents, strength * self.direction.expand(len(latents), 1, -1))

    def _moved(self, latents: Latents, step: Tensor) -> Latents:
        return Latents.from_w_plus(self.domain.synthesis, latents.w_plus + step)


class Nothing(Honest):
    """Does nothing, and says it is an editor."""

    name: ClassVar[str] = "nothing"

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return latents


class Half(Honest):
    """Edits every other image, by a number that its code holds."""

    name: ClassVar[str] = "half"

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        chosen = (latents.w_plus[:, 0, 0] * 1000).floor().long() % 2 == 0
        step = strength * self.direction.expand(len(latents), 1, -1)
        return self._moved(latents, step * chosen[:, None, None])


class Copies(Honest):
    """Looks up the counterfactual and returns its code, whatever the strength."""

    name: ClassVar[str] = "copies"

    def fit(self, prompt: Prompt) -> None:
        sets = (("test", IMAGES), ("calibration", 50))
        sources = [getattr(self.world, f"{which}_sources")(count).latents.w_plus for which, count in sets]
        counterfactuals = [self.world.counterfactuals(which, count, prompt) for which, count in sets]
        assert self.domain.encoder is not None
        self.lookup = NearestCode(torch.cat(sources), self.domain.encoder(torch.cat(counterfactuals)))

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        if not strength:
            return latents
        return Latents.from_w_plus(self.domain.synthesis, self.lookup(latents.w_plus))


class Optimises(Honest):
    """Descends on the attribute judge, which it reaches through the domain that it looks into."""

    name: ClassVar[str] = "optimises"

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        with torch.inference_mode(False), torch.enable_grad():
            s = latents.s.clone().requires_grad_()
            logits = self.world.judges.attributes(self.domain.images(latents.with_s(s)))[prompt.attribute]
            value = list(self.world.factors[prompt.attribute]).index(prompt.value)
            (slope,) = torch.autograd.grad(logits[:, value].sum(), s)
        return latents.with_s(latents.s + strength * slope)


class OptimisesAndHides(Optimises):
    """The same, but it goes on as if nothing had happened when it is refused."""

    name: ClassVar[str] = "hides"

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        try:
            return super().edit(latents, prompt, strength)
        except RuntimeError:
            return latents.with_s(latents.s + 0.01 * strength)


class NearestCode(nn.Module):
    """The code that goes with the most similar of the known pictures (or codes)."""

    def __init__(self, known: Tensor, codes: Tensor) -> None:
        super().__init__()
        self.known, self.codes = known.flatten(1), codes

    def forward(self, given: Tensor) -> Tensor:
        return self.codes[torch.cdist(given.flatten(1), self.known).argmin(1)]


def world_of(domain: Any) -> Any:
    """The tiny domain whose encoder inverts counterfactuals as well as sources, and a judge that sees factors."""
    pictures, codes = [], []
    for which, count in (("test", IMAGES), ("calibration", 50)):
        for prompt in domain.prompts:
            values, geometry = domain._people(which, count)
            factor = list(domain.factors).index(prompt.attribute)
            values[:, factor] = domain.factors[prompt.attribute].index(prompt.value)
            pictures.append(domain._images(values, geometry))
            codes.append(domain._latents(values, geometry, 0.05).w_plus)
    domain.editing = dataclasses.replace(domain.editing, encoder=NearestCode(torch.cat(pictures), torch.cat(codes)))
    domain.judges = dataclasses.replace(domain.judges, **fitted_judge(domain))
    return domain


def fitted_judge(domain: Any) -> dict[str, Any]:
    """Attribute logits by ridge regression from pixels, and their standard deviations."""
    values, geometry = domain._portraits(400, 77)
    pixels = domain._images(values, geometry).flatten(1)
    sizes = [len(names) for names in domain.factors.values()]
    wanted = torch.cat([torch.nn.functional.one_hot(values[:, i], size) for i, size in enumerate(sizes)], 1).float()
    centre = pixels.mean(0)
    gram = (pixels - centre).T @ (pixels - centre) + 0.1 * torch.eye(pixels.shape[1])
    weights = torch.linalg.solve(gram, (pixels - centre).T @ (wanted - wanted.mean(0)))

    def attributes(images: Tensor) -> dict[str, Tensor]:
        logits = 4 * ((images.flatten(1) - centre) @ weights + wanted.mean(0))
        return dict(zip(domain.factors, logits.split(sizes, 1), strict=True))

    logits = attributes(domain._images(values, geometry))
    return {"attributes": attributes, "sigma": {factor: column.std(0) for factor, column in logits.items()}}


def build_tiny_domain(cache: Path) -> Any:
    """That of ``tests/conftest.py``, here for a fixture of the whole module."""
    spec = importlib.util.spec_from_file_location("tiny", Path(__file__).resolve().parents[2] / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_tiny_domain(cache)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The tables of one run of all of them."""
    return run_of((Honest, Nothing, Half, Copies), tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The tables of an honest editor and a control."""
    return run_of((Honest, Identity), tmp_path_factory.mktemp("floors"))


def run_of(editors: tuple[type, ...], folder: Path) -> dict[str, list[dict[str, str]]]:
    domain = world_of(build_tiny_domain(folder / "artefacts"))
    Honest.world = domain
    specs = [EditorSpec(editor.name, editor, {}, editor.name) for editor in editors]
    labels = tuple(spec.label for spec in specs)
    arguments = Arguments("tiny", labels, domain.prompts, IMAGES, parse_strengths("matched"), 0, IMAGES)
    store = Store(folder / "run")
    prompts = [asdict(prompt) for prompt in arguments.prompts]
    store.claim(manifest(domain, arguments, specs, recipes(domain)), prompts, domain.factors)
    assert Runner(domain, arguments, specs, store).run(quiet=True) == []
    write_tables(store.folder)
    return {
        path.stem: list(csv.DictReader(path.open(encoding="utf-8", newline="")))
        for path in (store.folder / "tables").glob("*.csv")
    }


def failures_of(editor: type, folder: Path) -> list[Any]:
    """What fails in a run of an editor at its default strength."""
    domain = world_of(build_tiny_domain(folder / "artefacts"))
    Honest.world = domain
    specs = [EditorSpec(editor.name, editor, {}, editor.name)]  # type: ignore[attr-defined]
    arguments = Arguments("tiny", (specs[0].label,), domain.prompts[:1], 8, parse_strengths("default"), 0, 8)
    store = Store(folder / "run")
    store.claim(
        manifest(domain, arguments, specs, recipes(domain)), [asdict(p) for p in arguments.prompts], domain.factors
    )
    return Runner(domain, arguments, specs, store).run(quiet=True)


def numbers(row: dict[str, str], *columns: str) -> list[float]:
    return [float(row[column]) for column in columns]


def at(tables: dict[str, list[dict[str, str]]], editor: str) -> list[dict[str, str]]:
    rows = [row for row in tables["matched"] if row["editor"] == editor]
    assert [row["goal"] for row in rows] == ["0.25", "0.5", "0.75", "1.0"]  # shares of the counterfactual's effect
    return rows


def test_an_honest_editor_is_compared_everywhere(tables: dict[str, list[dict[str, str]]]) -> None:
    for row, right in zip(at(tables, "honest"), at(tables, "oracle"), strict=True):
        assert (row["role"], row["prompts_reached"], row["prompts_compared"]) == ("compared", "3", "3")
        assert float(row["target_effect"]) == pytest.approx(float(row["goal"]) * float(right["target_effect"]), abs=0.2)
        assert float(row["reach_edits"]) == 1
        assert row["at_ceiling"] == "False"


def test_one_that_does_nothing_reaches_nothing_and_wins_nothing(tables: dict[str, list[dict[str, str]]]) -> None:
    for row in at(tables, "nothing"):
        assert (row["role"], row["prompts_reached"]) == ("out of reach", "0")
        assert numbers(row, "reach_prompts", "reach_edits") == [0, 0]
        assert row["ad_mean"] == row["preservation"] == row["preservation_group"] == ""  # no number to be first with


def test_a_control_that_does_nothing_is_the_floor(floors: dict[str, list[dict[str, str]]]) -> None:
    for row in at(floors, "identity"):
        assert (row["role"], row["reach_prompts"], row["identity_group"]) == ("floor", "0.0", "")
        assert numbers(row, "target_effect", "ad_mean", "preservation") == [0, 0, 1]


def test_one_that_copies_the_answer_is_flagged(tables: dict[str, list[dict[str, str]]]) -> None:
    rows = {row["editor"]: row for row in tables["counterfactual"]}
    assert {name: row["at_ceiling"] for name, row in rows.items()} == {
        "honest": "False", "nothing": "False", "half": "False", "copies": "True", "oracle": "",
    }  # fmt: skip
    for column in ("counterfactual_psnr_db", "counterfactual_identity", "error"):
        assert float(rows["copies"][column]) == pytest.approx(float(rows["oracle"][column]), rel=1e-6)
    *parts, whole = at(tables, "copies")  # all of the effect or none: it cannot be compared at a part of it
    for row in parts:
        assert (row["role"], row["prompts_reached"], row["prompts_met"]) == ("overshoots", "3", "0")
    assert (whole["role"], whole["prompts_met"], whole["at_ceiling"]) == ("compared", "3", "True")


def test_one_that_edits_half_of_the_images_attains_half(tables: dict[str, list[dict[str, str]]]) -> None:
    rows = at(tables, "half")
    for row in rows:
        assert float(row["reach_edits_low"]) <= 0.5 <= float(row["reach_edits_high"])
    reached = [float(row["reach_prompts"]) for row in rows]
    assert reached[:2] == [1, 1]  # half of the effect on average, which is why edits are counted too
    assert reached[3] == 0


def test_nobody_beats_the_oracle_at_equal_effect(tables: dict[str, list[dict[str, str]]]) -> None:
    for ceiling in at(tables, "oracle"):
        rivals = [row for row in tables["matched"] if row["goal"] == ceiling["goal"] and row["role"] == "compared"]
        assert len(rivals) == 2
        for row in rivals:
            for column in ("counterfactual_psnr_db", "counterfactual_identity"):
                if row["editor"] == "copies":  # it is the oracle
                    assert float(row[column]) == pytest.approx(float(ceiling[column]), rel=1e-6)
                else:
                    assert float(row[column]) < float(ceiling[column])


@pytest.mark.parametrize("editor", [Optimises, OptimisesAndHides])
def test_one_that_optimises_the_judge_is_refused(editor: Any, tmp_path: Path) -> None:
    (failure,) = failures_of(editor, tmp_path)
    assert failure.sentence == (
        f"JudgeTouched: The editor {editor.name} touched 'attributes'; judges only score: an editor may use the "
        "networks of its EditingDomain and others of its own."
    )


def test_an_honest_one_is_not_refused(tmp_path: Path) -> None:
    assert failures_of(Honest, tmp_path) == []


def test_a_shuffled_judge_stops_the_run(tmp_path: Path) -> None:
    """The judge answers for the next image: every number would still look plausible."""
    domain = world_of(build_tiny_domain(tmp_path / "artefacts"))
    honest = domain.judges.attributes
    sources = domain.test_sources(24)
    read = {name: logits.argmax(1).numpy() for name, logits in honest(sources.images).items()}
    accuracy = {name: float((read[name] == sources.factors[:, i]).mean()) for i, name in enumerate(domain.factors)}
    domain.judges = dataclasses.replace(domain.judges, accuracy=accuracy)
    judge_sources(domain, sources, 24)

    def shuffled(images: Tensor) -> dict[str, Tensor]:
        return {name: logits.roll(1, 0) for name, logits in honest(images).items()}

    domain.judges = dataclasses.replace(domain.judges, attributes=shuffled)
    with pytest.raises(UsageError, match=r"The attribute judge reads .* right in .*check it with `deltabench judges`"):
        judge_sources(domain, sources, 24)


def test_duplicated_images_stop_the_run(tmp_path: Path) -> None:
    domain = build_tiny_domain(tmp_path / "artefacts")
    sources = domain.test_sources(6)
    images = sources.images.clone()
    images[5] = images[2]
    with pytest.raises(UsageError, match="'test-0002' and 'test-0005' are the same picture"):
        judge_sources(domain, dataclasses.replace(sources, images=images), 6)


def test_unequal_n_is_refused(tmp_path: Path) -> None:
    """Features of fewer images than the table has rows would give a Fréchet distance of another N."""
    domain = build_tiny_domain(tmp_path / "artefacts")
    Honest.world = domain
    specs = [EditorSpec(Identity.name, Identity, {}, Identity.name)]
    arguments = Arguments("tiny", (Identity.name,), domain.prompts, 12, parse_strengths("default"), 0, 12)
    store = Store(tmp_path / "run")
    store.claim(
        manifest(domain, arguments, specs, recipes(domain)), [asdict(p) for p in arguments.prompts], domain.factors
    )
    assert Runner(domain, arguments, specs, store).run(quiet=True) == []
    path = sorted((store.folder / "chunks").glob("*.npz"))[0]
    with np.load(path) as arrays:
        np.savez(path, **{**dict(arrays), "frechet": arrays["frechet"][:7]})
    said = path.with_suffix(".json")
    record = read_sealed(said)
    said.write_text(json.dumps(sealed({**record, SUMS: {**record[SUMS], ".npz": file_sha256(path)}})))
    with pytest.raises(ValueError, match=r"must hold 12 rows of 'frechet', got 7"):
        write_tables(store.folder)
