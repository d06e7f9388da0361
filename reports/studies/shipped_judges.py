"""What is known of the judges that come with the package, for every run that they score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.domains.measured import shipped_quality

if TYPE_CHECKING:
    from reports.writers.layout import Table

FILE = "judges.json"  # of a run folder


def place_judges(folder: Path, figures: bool) -> list[Path]:
    """Put the quality of a run's judges beside its tables, where it is known and the run has none of its own.

    Args:
        folder: of a run.
        figures: draw the figure as well.

    Returns:
        The files written; none where the run was scored by other weights than those that were measured.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found = shipped_quality(str(manifest.get("domain")), manifest.get("fingerprints", {}))
    if found is None or (folder / FILE).exists():
        return []
    return store_judges(folder, found, figures)[1]


def store_judges(folder: Path, found: Mapping[str, Any], figures: bool = True) -> tuple[tuple[Table, ...], list[Path]]:
    """Write ``judges.json``, its tables and, if wanted, its figure into a folder that exists: the tables, all files."""
    from eval.runs.store import Store
    from reports.studies.judges import write_judges

    Store(folder).write_json(FILE, found)
    tables, written = write_judges(folder, found, figures)
    return tables, [folder / FILE, *written]
