import shutil

import pytest

from reports.tables import write_tables
from reports.why.value import find_value, overview


@pytest.fixture(scope="module")
def reported(matched_run, gaps, tmp_path_factory):
    folder = shutil.copytree(matched_run, tmp_path_factory.mktemp("value") / "run")
    write_tables(folder)
    return folder


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("main:deltaedit:calibrated:success", "main:deltaedit:calibrated:per prompt:success"),
        ("main:success:calibrated:deltaedit", "main:deltaedit:calibrated:per prompt:success"),
        ("main.success[deltaedit,calibrated]", "main:deltaedit:calibrated:per prompt:success"),
        (
            "main.success_low[deltaedit[threshold=0.05], default]",
            "main:deltaedit[threshold=0.05]:default:1:success_low",
        ),
        ("main:identity:default:identity", "main:identity:default:1:identity"),
        ("main:editor=deltaedit:kind=default:preservation", "main:deltaedit:default:1:preservation"),
        ("main:counterfactual:identity", "main:counterfactual:reference:identity"),
        ("prompts:deltaedit:calibrated:glasses:preservation", "prompts:deltaedit:calibrated:0.5:glasses:preservation"),
        ("runtime:deltaedit:per_edit_s", "runtime:deltaedit:per_edit_s"),
        ("matched:1:deltaedit:ad_mean", "matched:1:deltaedit:ad_mean"),
        ("matched:0.5σ:identity:identity", "matched:0.5:identity:identity"),
        ("pareto:ad_mean:deltaedit:2:area", "pareto:ad_mean:deltaedit:2:area"),
    ],
)
def test_what_a_user_would_write(reported, text, name):
    assert find_value(reported, text).name == name
    assert find_value(reported, name).name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mian:deltaedit:success", "There is no table 'mian'; did you mean 'main'?"),
        ("main:deltaedt:default:success", "There is no column or row in the table main 'deltaedt'; did you mean"),
        ("main:deltaedit:default:sucess", "'sucess'; did you mean 'success'?"),
        (
            "main:deltaedit",
            "main:deltaedit names no column; there are cells, .*, for example main:deltaedit:default:1:",
        ),
        ("main:deltaedit:success", "fits 2 values: main:deltaedit:default:1:success, main:deltaedit:calibrated:per"),
        ("main", "main names no column"),
        (
            "prompts:glasses:smile:preservation",
            r"No row of the table prompts has all of glasses, smile, preservation; its rows are ",
        ),
        ("", "There is no table ''"),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_candidates(reported, text, said):
    with pytest.raises(ValueError, match=said) as caught:
        find_value(reported, text)
    assert "\n" not in str(caught.value)


def test_a_folder_without_tables_names_the_command(matched_run):
    with pytest.raises(ValueError, match="has no tables; write them with `deltabench report"):
        find_value(matched_run, "main:deltaedit:success")


def test_the_overview_lists_examples_that_work(reported):
    found = overview(reported)
    assert [table for table, _, _ in found][:2] == ["main", "prompts"]
    for table, example, columns in found:
        assert find_value(reported, example).table == table
        assert "success_low" not in columns
