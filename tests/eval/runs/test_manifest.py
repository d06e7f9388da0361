from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from eval.runs.manifest import commit

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_the_commit_is_that_of_the_checkout() -> None:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    assert commit().removesuffix("+").endswith(head)
