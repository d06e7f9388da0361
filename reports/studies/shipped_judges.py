"""What is known of the judges that come with the package, for every run that they score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.domains.measured import shipped_quality
from eval.runs.store import Store

if TYPE_CHECKING:
    from reports.writers.layout import Table

FILE = "judges.json"  # of a run folder


def place_judges(folder: Path, figures: bool) -> list[Path]:
    """Put the quality of a run's judges beside its tables: what was measured for the run, or else what is known.

    Args:
        folder: of a run.
        figures: draw the figure as well.

    Returns:
        The files written; none where the run was scored by other weights than those that were measured.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    own = Store(folder).read_json(FILE)
    found = own or shipped_quality(str(manifest.get("domain")), manifest.get("fingerprints", {}))
    return store_judges(folder, found, figures)[1] if found else []


def store_judges(folder: Path, found: Mapping[str, Any], figures: bool = True) -> tuple[tuple[Table, ...], list[Path]]:
    """Write ``judges.json``, its tables and, if wanted, its figure into a folder that exists: the tables, all files."""
    from reports.studies.judges import write_judges

    Store(folder).write_json(FILE, found)
    tables, written = write_judges(folder, found, figures)
    return tables, [folder / FILE, *written]
