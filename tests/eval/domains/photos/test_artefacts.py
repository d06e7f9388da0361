from pathlib import Path

import torch

from deltaedit.settings import Settings
from deltaedit.tools.artefacts import Artefacts, GivenFile
from eval.domains.photos.artefacts import published_only


def test_published_files_answer_for_default_settings_only(tmp_path):
    given = {name: GivenFile(Path(name), lambda key: {"x": torch.zeros(1)}) for name in ("delta-mapper", "relevance")}
    artefacts = published_only(Artefacts(tmp_path, given=given))

    def computed(name, key):
        return artefacts.get(name, {"domain": "d", **key}, lambda: {"x": torch.ones(1)}).built_here

    relevance = {"images": 16, "statistics": 10_000, "sigmas": 5.0, "seed": 0}
    assert not computed("delta-mapper", Settings().training_key())
    assert computed("delta-mapper", Settings(cosine_weight=0.0).training_key())
    assert computed("delta-mapper", Settings(output="W+").training_key())
    assert not computed("relevance", relevance) and not computed("relevance", {**relevance, "statistics": 7})
    assert computed("relevance", {**relevance, "images": 3})
