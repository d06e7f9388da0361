import pytest
import torch

from eval.edits.missing import PatientArtefacts, pictures
from eval.errors import UsageError


def test_pictures_by_hand(tiny_domain):
    domain = tiny_domain.editing  # 16 px, five convolutions of 8 styles each
    assert pictures("relevance", {"images": 3}, domain) == 2 * 3 * 40
    mapper = {"steps": 10, "batch": 4, "images": 7, "validate_every": 5}
    assert pictures("styleclip-mapper", mapper, domain) == 3 * 40 + 14 + 2 * 200
    assert pictures("stylemc", {"images": 5, "resolution": 8}, domain) == 15 / 4  # a quarter of the pixels
    assert pictures("stylemc", {"images": 5, "resolution": 256}, domain) == 15
    assert pictures("something else", {}, domain) is None


def test_what_is_there_is_not_announced_and_what_is_quick_is_computed(tiny_domain):
    said, key = [], {"domain": "d", "images": 2, "resolution": 16}
    artefacts = PatientArtefacts(tiny_domain.editing, 60.0, said.append, True)
    first = artefacts.get("stylemc", key, lambda: {"direction": torch.ones(3)})
    assert first.built_here and len(said) == 2
    assert said[0].startswith("The direction of this prompt is missing; it is computed now, which takes about")
    assert said[1].endswith(f"; it is kept in {first.path}.")
    again = artefacts.get("stylemc", key, lambda: {"direction": torch.zeros(3)})
    assert not again.built_here and torch.equal(again.tensors["direction"], torch.ones(3)) and len(said) == 2


def test_what_cannot_be_kept_is_not_said_to_be(tiny_domain, capsys):
    said = []
    tiny_domain.editing.artefacts.cache.parent.mkdir(parents=True, exist_ok=True)
    tiny_domain.editing.artefacts.cache.write_text("a file where the folder should be")
    artefacts = PatientArtefacts(tiny_domain.editing, 60.0, said.append, True)
    built = artefacts.get("stylemc", {"images": 2, "resolution": 16}, lambda: {"direction": torch.ones(3)})
    assert torch.equal(built.tensors["direction"], torch.ones(3))
    assert "kept" not in said[1] and "what is computed is not kept" in capsys.readouterr().err


def test_the_estimate_is_that_of_a_like_one_where_that_took_longer(tiny_domain):
    artefacts = PatientArtefacts(tiny_domain.editing, 0.0, lambda text: None, True)
    key = {"domain": "d", "images": 1, "steps": 1, "batch": 1}
    artefacts.cache.mkdir(parents=True, exist_ok=True)
    from safetensors.torch import save_file

    for number, cost in enumerate(("7000", "8000", "9000")):
        meta = {"cost_s": cost, "key": '{"domain": "d", "images": 1, "steps": 1, "batch": 1}'}
        save_file({"x": torch.ones(1)}, artefacts.cache / f"strange-{number}.safetensors", meta)
    assert artefacts.estimated_s("strange", key) == 8000
    assert artefacts.estimated_s("strange", {**key, "steps": 2}) is None
    with pytest.raises(UsageError, match="'strange' is missing, and computing it here would take about 2 h 13 min"):
        artefacts.get("strange", key, dict)
