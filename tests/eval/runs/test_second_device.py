"""Everything that a run does, on a device that is not the CPU: no tensor there may meet one of the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.editors.registry import parse_methods
from eval.editors.spec import EditorSpec
from eval.judging.apart import held_weights, judge_weights
from eval.judging.recipes import recipes
from eval.prompts import Prompt
from eval.runs.manifest import manifest
from eval.runs.plan import Arguments, parse_strengths
from eval.runs.runner import Runner
from eval.runs.store import Store
from tests.conftest import build_tiny_domain
from tests.pretend_device import PRETEND, MixedDevices, PretendDevice, is_marked

pytestmark = pytest.mark.slow

EDITORS = (
    "identity,random-direction,deltaedit[steps=2,batch=4,validation_pairs=8],"
    "deltaedit[arm=centred,steps=2,batch=4,validation_pairs=8],styleclip-global,interfacegan,"
    "styleclip-mapper[steps=2,images=32],styleclip-mapper[variant=s,steps=2,images=32],stylemc[images=16],"
    "styleclip-optimization[steps=2],tedigan[steps=2],tedigan[preset=demo,steps=2]"
)


class Careless:
    """Makes its step where the codes are not."""

    name: ClassVar[str] = "careless"
    space: ClassVar[str] = "S"
    paper: ClassVar[str] = "none"
    knob: ClassVar[str] = "none"

    def prepare(self, domain: EditingDomain) -> None: ...

    def fit(self, prompt: Prompt) -> None: ...

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        return latents.with_s(latents.s + torch.zeros(latents.s.shape[1]))


def run(domain: Any, specs: tuple[EditorSpec, ...], folder: Path) -> tuple[list[Any], dict[str, dict[str, np.ndarray]]]:
    """The failures of a small run, and the arrays of its chunks."""
    labels = tuple(spec.label for spec in specs)
    strengths = parse_strengths("default,calibrated")
    arguments = Arguments("tiny", labels, domain.prompts[:1], 4, strengths, 0, 4)
    store = Store(folder)
    store.claim(manifest(domain, arguments, specs, recipes(domain)), [], domain.factors)
    failures = Runner(domain, arguments, specs, store).run(quiet=True)
    paths = sorted((folder / "chunks").glob("*.npz"))
    return failures, {path.name: dict(np.load(path)) for path in paths}


def specs_of(text: str) -> tuple[EditorSpec, ...]:
    specs, problems = parse_methods(text)
    assert not problems
    small = {"relevance_images": 2, "relevance_statistics": 20}
    wide = {"deltaedit", "styleclip-global"}
    return tuple(
        replace(spec, parameters={**spec.parameters, **small}) if spec.name in wide else spec for spec in specs
    )


def test_every_editor_and_judge_works_there_and_has_the_numbers_of_the_cpu(tmp_path: Path) -> None:
    specs = specs_of(EDITORS)
    with PretendDevice():
        domain = build_tiny_domain(tmp_path / "there", PRETEND)
        failures, there = run(domain, specs, tmp_path / "run-there")
    assert failures == []
    failures, here = run(build_tiny_domain(tmp_path / "here"), specs, tmp_path / "run-here")
    assert failures == [] and sorted(there) == sorted(here) and len(here) == 2 * len(specs)
    for name, arrays in here.items():
        for key, values in arrays.items():
            np.testing.assert_allclose(there[name][key], values, rtol=1e-4, atol=1e-4, err_msg=f"{name} {key}")


def test_an_editor_that_forgets_the_device_fails(tmp_path: Path) -> None:
    with PretendDevice():
        domain = build_tiny_domain(tmp_path, PRETEND)
        failures, arrays = run(domain, (EditorSpec("careless", Careless, {}, "careless"),), tmp_path / "run")
    assert arrays == {} and "same device" in failures[0].sentence


def test_weights_of_judges_are_recognised_there(tmp_path: Path) -> None:
    with PretendDevice():
        domain = build_tiny_domain(tmp_path, PRETEND)
        weights = judge_weights(domain.judges)
        copy = domain.judges.clip.model.conv.weight.detach().clone()
        assert is_marked(copy)
        assert held_weights([copy], weights) == ["clip"]
        assert held_weights([copy.cpu()], weights) == ["clip"]
        assert held_weights([copy + 1e-3], weights) == []


@pytest.mark.parametrize(
    "work",
    [
        lambda here, there: here + there,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: there.numpy(),
        lambda here, there: here[there.long()],
        lambda here, there: torch.nn.functional.linear(there[None], here[None]),
        lambda here, there: torch.randn(3, generator=torch.Generator(), device=PRETEND),
    ],
)
def test_the_pretended_device_refuses_what_a_gpu_refuses(work: Any) -> None:
    with PretendDevice():
        here, there = torch.zeros(3), torch.zeros(3, device=PRETEND)
        with pytest.raises(MixedDevices):
            work(here, there)
        assert (there + torch.tensor(1.0)).device == there[torch.tensor([0])].device == PRETEND  # as a GPU allows
