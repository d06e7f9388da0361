"""What `deltabench judges` found of the judges that come with the package.

``judges.json`` beside this file: domain -> what ``deltabench judges --images 200`` stored of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).with_name("judges.json")
FALSE_MATCHES = 0.01  # share of strangers that may pass for the same person


def shipped_quality(domain: str, fingerprints: Mapping[str, str]) -> dict[str, Any] | None:
    """What was measured of these judges, or None."""
    found: dict[str, Any] | None = json.loads(SHIPPED.read_text(encoding="utf-8")).get(domain)
    if found is None or any(fingerprints.get(name) != digest for name, digest in found["fingerprints"].items()):
        return None
    return found


def same_person_cosine(domain: str, fingerprints: Mapping[str, str]) -> float | None:
    """The cosine that one stranger in a hundred exceeds, on pictures of the generator; None if it was not measured."""
    found = shipped_quality(domain, fingerprints)
    if found is None:
        return None
    points = found["identity"]["inverted"]["at"]
    return next(float(point["threshold"]) for point in points if point["false_match_rate"] == FALSE_MATCHES)
