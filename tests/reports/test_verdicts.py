"""How often verdicts differ and how they order editors, by hand."""

import math

import pandas
import pytest

from reports.verdicts import disagreement, orders


def test_disagreement_counts_eligible_cells_with_two_verdicts():
    cells = pandas.DataFrame(
        {
            "eligible": [True] * 5 + [False],
            "success_by_attributes": [True, True, False, True, True, True],
            "success_by_second": [True, False, False, True, math.nan, False],
            "success_by_counterfactual": [1.0, 1.0, 0.0, 0.0, math.nan, 0.0],
            "source": range(6),
            "prompt": "smile",
        }
    )
    found = disagreement(cells)
    assert found.mean == pytest.approx(2 / 4) and found.cells == 4  # second and fourth of four; the fifth has one
    assert disagreement(cells.drop(columns=["success_by_second", "success_by_counterfactual"])).mean is None


def row(editor, first, second, kind="default", success=None):
    verdicts = {"success_by_attributes": first, "success_by_second": second}
    return {"editor": editor, "kind": kind, "success": first if success is None else success, **verdicts}


def test_orders_are_told():
    same = orders(
        [row("a", 0.9, 0.8), row("b", 0.7, 0.6), row("identity", 0.0, 0.0), row("x", None, None, "reference")]
    )
    assert same == ("default: both verdicts order the editors' means alike: a > b.",)
    (stricter,) = orders([row("a", 0.9, 0.8, success=0.3), row("b", 0.7, 0.6, success=0.4)])
    assert stricter.endswith("alike: a > b; success, which asks for more, orders them b 0.40 > a 0.30.")
    (other,) = orders([row("a", 0.9, 0.5), row("b", 0.7, 0.6)])
    assert "by attribute judge a 0.90 > b 0.70; by second judge b 0.60 > a 0.50" in other
    assert orders([row("a", 0.9, 0.5)]) == () and orders([row("a", 0.9, None), row("b", 0.7, None)]) == ()
