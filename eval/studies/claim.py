"""The folder of a study belongs to one study: the same command goes on in it, another one is refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from eval.errors import UsageError
from eval.runs.integrity.growth import first_difference
from eval.runs.store import Store


def claim(store: Store, record: str, study: str, wanted: Mapping[str, Any], free: Collection[str] = ()) -> None:
    """Make the folder this study's, or check that it is.

    Args:
        store: of the folder.
        record: name of the JSON file that says what the folder holds.
        study: what it is, for the sentences: ``ablation``.
        wanted: what the record must say.
        free: names in it that may differ.

    Raises:
        UsageError: the folder holds something else.
    """
    if not store.has(record):
        if any(path for path in store.folder.glob("*") if not path.name.startswith(".")):
            raise UsageError(f"{store.folder} is not empty and holds no {study}; choose another --out.")
        store.write_json(record, wanted)
        return
    there = store.read_json(record)
    if not isinstance(there, dict):
        raise UsageError(
            f"{store.folder / record} is damaged; put back the one that was there, or choose another --out."
        )
    for name in (name for name in wanted if name not in free):
        if difference := first_difference(name, there.get(name), json.loads(json.dumps(wanted[name]))):
            raise UsageError(f"{store.folder} holds another {study}: {difference}; choose another --out.")
    for leftover in store.folder.rglob(".*.tmp"):
        leftover.unlink(missing_ok=True)
