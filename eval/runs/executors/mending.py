"""Small files that a finished folder has lost, or holds damaged, are made again; the chunks beside them stay."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from eval.domains.base import Domain
from eval.editors.spec import EditorSpec
from eval.prompts import Prompt
from eval.runs.arrays import about_counterfactuals, about_sources
from eval.runs.executors.worker import Worker
from eval.runs.names import file_name
from eval.runs.plan import Arguments
from eval.runs.store import SOURCES, Store


def mend(domain: Domain, arguments: Arguments, specs: Sequence[EditorSpec], store: Store) -> None:
    """Make sources, counterfactuals and costs of editors again where finished chunks lack them; call it after the run.

    Args:
        domain: of the run.
        arguments: of the run.
        specs: its editors.
        store: its folder, claimed.

    Raises:
        StorageError: the folder cannot be written.
    """
    worker: Worker | None = None
    for prompt in arguments.prompts:
        labels = [spec.label for spec in specs if _has_chunks(store, spec.label, prompt)]
        unknown = [label for label in labels if prompt.name not in _fits(store, label)]
        about = {
            SOURCES: about_sources(arguments.images),
            store.counterfactual_file(prompt.name): about_counterfactuals(prompt.name, arguments.images),
        }
        if not labels or not (unknown or [name for name in about if not store.holds(name, about[name])]):
            continue
        worker = worker or Worker(domain, arguments, specs, store)
        worker.describe(prompt)
        costs: dict[str, dict[str, Any]] = {}
        for label in unknown:
            with suppress(Exception):  # an editor that fails now: its cells are there, what they cost is not known
                costs[label] = worker.costs(label, prompt)
        for label, found in costs.items():
            store.write_json(store.costs_file(label), found)


def _has_chunks(store: Store, label: str, prompt: Prompt) -> bool:
    return any(store.folder.glob(f"chunks/{file_name(label)}--{file_name(prompt.name)}--*.json"))


def _fits(store: Store, label: str) -> dict[str, float]:
    found: dict[str, float] = (store.read_json(store.costs_file(label)) or {}).get("fit_s", {})
    return found
