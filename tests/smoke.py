"""The whole way in a minute, without pytest: a run, its report, its tables in Python. For slow lanes of CI.

python -P tests/smoke.py
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import deltabench
from eval.cli import main


def smoke() -> None:
    """Run two editors on five pictures and look at what came out."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = str(Path(folder) / "a run, with spaces")
        options = ["--methods", "deltaedit,identity", "--prompts", "glasses,smile", "--limit", "5", "--out", place]
        for command in (["--version"], ["methods"], ["run", *options], ["report", place, "--json"]):
            if main(command) != 0:
                raise SystemExit(f"deltabench {' '.join(command)} failed")
        table = deltabench.load_run(place).tables["main"]
        effects = dict(zip(table["editor"] + " " + table["kind"], table["target_effect"], strict=True))
        if not (effects["deltaedit default"] > 0 and math.isclose(effects["identity default"], 0, abs_tol=1e-6)):
            raise SystemExit(f"DeltaEdit must have an effect and identity none, got {effects}")
        for name in ("report.html", "tables/main.csv", "figures/grid.png"):
            if not (Path(place) / name).stat().st_size:
                raise SystemExit(f"{name} is empty")
    print("smoke: all right")


if __name__ == "__main__":
    smoke()
