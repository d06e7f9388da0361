import errno

import pytest

from eval.errors import UsageError
from reports.report import write_report


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("reports.report.tables_of", full)
    (tmp_path / "manifest.json").write_text('{"schema": 1}')
    with pytest.raises(UsageError, match=r"No space left to write .*; make room"):
        write_report(tmp_path, figures=False)
