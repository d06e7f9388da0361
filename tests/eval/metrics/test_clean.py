"""Clean success: what was asked for, nothing else, the same person."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from eval.domains import measured
from eval.domains.measured import same_person_cosine, shipped_quality
from eval.metrics.book import ELIGIBLE, metric_of


def chunk(success, preservation, cosines, same_person):
    """Cells whose originals lie on the first axis and whose edits have these cosines to them."""
    edits = torch.tensor([[cosine, math.sqrt(1 - cosine**2)] for cosine in cosines])
    return SimpleNamespace(
        success=torch.tensor(success),
        attributes=SimpleNamespace(preservation=torch.tensor(preservation)),
        identity_originals=torch.tensor([[1.0, 0.0]]).repeat(len(cosines), 1),
        identity_edits=edits,
        counterfactuals=None,
        same_person=same_person,
    )


def test_all_three_must_hold():
    cells = chunk(
        success=[True, False, True, True, True],
        preservation=[1.0, 1.0, 0.8, 0.9, 1.0],
        cosines=[0.9, 0.9, 0.9, 0.6, 0.4],
        same_person=0.5,
    )
    assert metric_of("clean_success").values(cells).tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize(("others", "changed", "clean"), [(10, 1, 1), (14, 1, 1), (14, 2, 0), (7, 1, 0), (9, 1, 0)])
def test_nine_tenths_of_the_others_are_enough(others, changed, clean):
    preservation = torch.tensor([0.0] * changed + [1.0] * (others - changed)).nanmean()
    cells = chunk([True], [float(preservation)], [1.0], 0.5)
    assert metric_of("clean_success").values(cells).tolist() == [clean]


def test_blank_where_nobody_knows():
    unknown = metric_of("clean_success").values(chunk([True, False], [1.0, 1.0], [0.9, 0.9], None))
    assert unknown.isnan().all() and len(unknown) == 2
    hidden = metric_of("clean_success").values(chunk([True], [math.nan], [0.9], 0.5))
    assert hidden.isnan().all()


def test_it_is_a_share_of_eligible_cells():
    record = metric_of("clean_success")
    assert record.is_share and record.population == ELIGIBLE and record.title == "clean success ↑"


def test_the_cosine_of_one_person_is_that_of_the_measured_judge():
    """As docs/protocol.md says: .51; and none for other weights than those that were measured."""
    fingerprints = json.loads(measured.SHIPPED.read_text())["avatars"]["fingerprints"]
    found = same_person_cosine("avatars", fingerprints)
    assert found is not None and round(found, 2) == 0.51
    assert same_person_cosine("avatars", {**fingerprints, "identity": "f" * 64}) is None
    assert same_person_cosine("church", fingerprints) is None and shipped_quality("church", fingerprints) is None
    assert ".51 on `avatars`" in (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
