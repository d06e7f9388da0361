"""Published files in the place of artefacts, for the published hyper-parameters only."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from deltaedit.relevance import domain_relevance
from deltaedit.settings import Settings
from deltaedit.tools.artefacts import Artefacts


def published_only(artefacts: Artefacts) -> Artefacts:
    """The same artefacts, whose given files answer only an editor that asks with its default hyper-parameters.

    ``net_face.pth`` is one trained mapper: ``deltaedit[cosine_weight=0]`` must not get it, and is trained instead.
    """
    given = {name: replace(file, fits=partial(is_published, name)) for name, file in artefacts.given.items()}
    return Artefacts(artefacts.cache, artefacts.shipped, given, artefacts.device)


def is_published(name: str, key: Mapping[str, object]) -> bool:
    """Whether an artefact's key asks for what the published files hold.

    >>> is_published("relevance", {"domain": "…", "images": 16, "statistics": 500, "sigmas": 5.0, "seed": 0})
    True
    >>> is_published("delta-mapper", {**Settings(arm="raw").training_key(), "domain": "…"})
    False
    """
    asked = {parameter: value for parameter, value in key.items() if parameter != "domain"}
    if name == "delta-mapper":
        return asked == Settings().training_key()
    if name == "relevance":  # the statistics are measured in any case, with as many samples as are asked for
        defaults = inspect.signature(domain_relevance).parameters
        return all(asked[parameter] == defaults[parameter].default for parameter in ("images", "sigmas", "seed"))
    return True
