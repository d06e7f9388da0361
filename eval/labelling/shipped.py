"""Labels of edits that come with the package, and of which networks' edits they speak.

``data/<domain>.csv`` is what ``deltabench label --export`` writes; ``data/<domain>.json`` says how the edits are made
again, and the sha256 of the networks that made them.
"""

from __future__ import annotations

import json
from pathlib import Path

from eval.labelling.edits import Labelled, read_export
from eval.runs.reader import Run

FOLDER = Path(__file__).with_name("data")


def shipped_labels(run: Run) -> list[Labelled]:
    """Those that are about edits of this run's networks; none where they are others, or the domain has none."""
    path = FOLDER / f"{run.manifest['domain']}.json"
    if not path.exists():
        return []
    made_by = json.loads(path.read_text(encoding="utf-8"))["fingerprints"]
    own = run.manifest.get("fingerprints", {})
    if any(own.get(name) != digest for name, digest in made_by.items()):
        return []
    return read_export(path.with_suffix(".csv"))
