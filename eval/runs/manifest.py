"""What a run folder says about itself: arguments, code, packages, hardware and the sha256 of every network."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from deltaedit.tools.artefacts import hardware_name
from eval.domains.base import Domain
from eval.editors.identity import sources_of
from eval.editors.spec import EditorSpec
from eval.judging.inputs import inputs
from eval.runs.integrity.growth import NUMBERS_REST_ON, text_sums
from eval.runs.names import SCHEMA
from eval.runs.plan import Arguments

DETERMINISM = "determinism.json"  # verdicts of `deltabench run --deterministic`, which come after the manifest
_PACKAGES = (*NUMBERS_REST_ON, "pandas", "pyarrow")


def manifest(
    domain: Domain, arguments: Arguments, specs: Sequence[EditorSpec], recipes: dict[str, str]
) -> dict[str, Any]:
    """The contents of ``manifest.json``.

    Args:
        domain: of the run.
        arguments: of the run.
        specs: its editors.
        recipes: metric -> recipe id.
    """
    photographs = dict(getattr(domain, "photographs", {}))
    return {
        "schema": SCHEMA,
        "domain": domain.name,
        "arguments": arguments.as_json(),
        "editors": {spec.label: _editor(spec) for spec in specs},
        "fingerprints": dict(domain.fingerprints),
        "recipes": recipes,
        **({"photographs": photographs} if photographs else {}),
        "prompts": text_sums([asdict(prompt) for prompt in arguments.prompts]),
        "inputs": inputs(domain),
        "determinism": DETERMINISM,
        "frechet_name": domain.judges.frechet_name,
        "identity_floor": domain.judges.identity_floor,
        "identity_ceiling": domain.judges.identity_ceiling,
        "same_person": domain.judges.same_person,
        "packages": {"python": platform.python_version(), **_packages()},
        "commit": commit(),
        "device": domain.editing.device.type,
        "precision": domain.editing.precision,
        "hardware": hardware_name(domain.editing.device),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _editor(spec: EditorSpec) -> dict[str, Any]:
    editor: Any = spec.editor
    return {
        "class": f"{editor.__module__}:{editor.__qualname__}",
        "parameters": dict(spec.parameters),
        "space": editor.space,
        "paper": editor.paper,
        "sources": sources_of(spec.editor),
        **({"version": editor.version} if getattr(editor, "version", 1) != 1 else {}),  # 1 in folders without it
    }


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of the source tree that runs, with ``+`` if files differ from it; '' for an installed package."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return ""
    try:
        asked = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+"]
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
