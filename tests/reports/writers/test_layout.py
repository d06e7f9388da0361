import csv
import io

from eval.statistics import Interval
from reports.writers.layout import Block, Table, interval_text

TABLE = Table(
    "t",
    "Which?",
    ("editor", "x", "y"),
    ({"editor": "a,b", "x": 0.1 + 0.2, "y": None}, {"editor": "c_d", "x": float("nan"), "y": "n/a"}),
    (Block("First", ("editor", "x ↑ (%)"), (("a_b", "**1.0**"), ("c|d", ""))),),
    ("A note.",),
)


def test_csv_keeps_every_digit_and_leaves_blanks():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows == [["editor", "x", "y"], ["a,b", "0.30000000000000004", ""], ["c_d", "", "n/a"]]


def test_markdown():
    assert TABLE.markdown() == (
        "# Which?\n\n## First\n\n| editor | x ↑ (%) |\n| --- | ---: |\n| a_b | **1.0** |\n| c\\|d |  |\n\nA note.\n"
    )


def test_latex_uses_booktabs_and_escapes():
    text = TABLE.latex()
    assert "\\begin{tabular}{lr}\n\\toprule\neditor & x $\\uparrow$ (\\%) \\\\\n\\midrule" in text
    assert "a\\_b & \\textbf{1.0} \\\\" in text
    assert text.count("\\begin") == text.count("\\end") == 1


def test_files_are_written(tmp_path):
    assert [path.name for path in TABLE.write(tmp_path)] == ["t.csv", "t.md", "t.tex"]
    assert (tmp_path / "t.md").read_text(encoding="utf-8") == TABLE.markdown()


def test_intervals_as_text():
    assert interval_text(Interval(2.0, 1.0, 4.0, 9, 9), 1) == "2.0 ±1.5"
    assert interval_text(Interval(None, None, None, 0, 0), 1) == ""
    assert interval_text(Interval(float("inf"), 3.0, float("inf"), 9, 9), 1) == "∞"
