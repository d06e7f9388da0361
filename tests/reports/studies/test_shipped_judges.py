"""Every run of the shipped judges has their quality beside its tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.domains.avatars.networks import WEIGHTS
from eval.domains.measured import SHIPPED
from reports.studies.shipped_judges import place_judges


def run_of(folder: Path, **fingerprints: str) -> Path:
    measured = json.loads(SHIPPED.read_text())["avatars"]["fingerprints"]
    about = {"domain": "avatars", "fingerprints": {**measured, "generator": "0" * 64, **fingerprints}}
    (folder / "manifest.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("figures", [True, False])
def test_a_run_gets_the_tables_and_the_figure_if_asked_for(tmp_path: Path, figures: bool) -> None:
    written = {path.relative_to(tmp_path).as_posix() for path in place_judges(run_of(tmp_path), figures)}
    assert {"judges.json", "tables/judges.csv", "tables/judges_identity.csv"} <= written
    assert ("figures/judges.png" in written) is figures
    before = (tmp_path / "judges.json").read_bytes()
    for name in written - {"judges.json"}:
        (tmp_path / name).write_bytes(b"")  # as after a full disk
    place_judges(tmp_path, figures)
    assert (tmp_path / "judges.json").read_bytes() == before
    assert all((tmp_path / name).stat().st_size for name in written)


def test_other_judges_get_nothing(tmp_path: Path) -> None:
    assert place_judges(run_of(tmp_path, **{"judge-clip": "f" * 64}), True) == []
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_what_is_shipped_is_of_the_shipped_weights() -> None:
    sums = {line.split()[1].removesuffix(".safetensors"): line.split()[0] for line in (WEIGHTS / "SHA256SUMS").open()}
    measured = json.loads(SHIPPED.read_text())["avatars"]["fingerprints"]
    assert measured
    assert {name: sums[name] for name in measured} == measured
