import webbrowser

import pytest
from click.testing import CliRunner

from eval.commands.report import _open_in_browser, report
from eval.errors import UsageError


def test_the_page_is_opened_as_a_file(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    _open_in_browser(tmp_path / "a run" / "report.html")
    assert opened == [f"file://{tmp_path}/a%20run/report.html"]


def test_no_browser_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with pytest.raises(UsageError, match=r"No browser was found to open .*report\.html; open the file yourself\."):
        _open_in_browser(tmp_path / "report.html")


def test_open_without_the_page_is_refused(tmp_path):
    result = CliRunner().invoke(report, [str(tmp_path), "--open", "--no-figures"])
    assert result.exit_code == 2 or isinstance(result.exception, UsageError)
    assert "give one of the two" in str(result.exception) + result.output
