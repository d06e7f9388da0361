import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deltaedit.tools.artefacts import Artefacts, GivenFile, check_shipped, hardware_name, record_sums
from deltaedit.tools.errors import CheckpointError

KEY = {"domain": "abc", "images": 3}


def test_address_is_the_hash_of_name_and_key():
    text = json.dumps({"domain": "abc", "images": 3, "name": "relevance"}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert Artefacts.address("relevance", KEY) == f"relevance-{digest}.safetensors"
    assert Artefacts.address("relevance", {"images": 3, "domain": "abc"}) == Artefacts.address("relevance", KEY)
    assert Artefacts.address("relevance", {**KEY, "images": 4}) != Artefacts.address("relevance", KEY)


def test_computed_once_then_loaded_with_its_cost(tmp_path):
    artefacts, calls = Artefacts(tmp_path / "cache"), []

    def build():
        calls.append(1)
        return {"matrix": torch.arange(6.0).view(2, 3).t()}

    first, second = (artefacts.get("relevance", KEY, build) for _ in range(2))
    assert calls == [1]
    assert (first.built_here, second.built_here) == (True, False)
    assert torch.equal(second.tensors["matrix"], torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))
    assert second.cost_s == pytest.approx(first.cost_s, abs=1e-3)
    assert second.hardware == hardware_name()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [Artefacts.address("relevance", KEY)]


def test_a_shipped_artefact_is_used_before_the_cache(tmp_path):
    Artefacts(tmp_path / "shipped").get("relevance", KEY, lambda: {"value": torch.ones(1)})
    record_sums(tmp_path / "shipped")
    both = Artefacts(tmp_path / "cache", tmp_path / "shipped")
    found = both.get("relevance", KEY, lambda: {"value": torch.zeros(1)})
    assert found.tensors["value"].item() == 1
    assert not (tmp_path / "cache").exists()
    assert both.find("relevance", {**KEY, "images": 4}) is None


def spoil(how, path, artefacts):
    """Change a stored file in one way."""
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:60])
    if how == "emptied":
        path.write_bytes(b"")
    if how == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    if how == "swapped":
        other = artefacts.get("relevance", {**KEY, "images": 4}, lambda: {"value": torch.zeros(100)}).path
        path.write_bytes(other.read_bytes())
    if how == "not finite":
        save_file({"value": torch.full((100,), torch.nan)}, path)


@pytest.mark.parametrize("how", ["truncated", "emptied", "changed", "swapped", "not finite"])
def test_a_damaged_file_is_told_and_made_again(tmp_path, how, capsys):
    artefacts = Artefacts(tmp_path)
    path = artefacts.get("relevance", KEY, lambda: {"value": torch.ones(100)}).path
    spoil(how, path, artefacts)
    again = artefacts.get("relevance", KEY, lambda: {"value": torch.ones(100)})
    assert again.built_here and capsys.readouterr().err.startswith(f"{path} is made again: it")
    loaded = artefacts.get("relevance", KEY, lambda: {"value": torch.zeros(100)})
    assert torch.equal(loaded.tensors["value"], torch.ones(100)) and not loaded.built_here


def test_a_damaged_shipped_file_is_refused(tmp_path):
    shipped = Artefacts(tmp_path / "shipped")
    path = shipped.get("relevance", KEY, lambda: {"value": torch.ones(100)}).path
    spoil("truncated", path, shipped)
    with pytest.raises(
        ValueError, match=r"is damaged \(its sha256 is not the recorded one\); install the package again"
    ):
        Artefacts(tmp_path / "cache", tmp_path / "shipped").get("relevance", KEY, dict)


def test_a_computation_that_fails_leaves_nothing(tmp_path):
    def build():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Artefacts(tmp_path).get("relevance", KEY, build)
    assert list(tmp_path.iterdir()) == []


def test_a_given_file_answers_only_where_it_fits(tmp_path):
    published = GivenFile(tmp_path / "net.pth", lambda key: {"x": torch.zeros(1)}, lambda key: key["steps"] == 7)
    artefacts = Artefacts(tmp_path, given={"mapper": published})
    given = artefacts.get("mapper", {"steps": 7}, lambda: {"x": torch.ones(1)})
    computed = artefacts.get("mapper", {"steps": 8}, lambda: {"x": torch.ones(1)})
    assert given.tensors["x"] == 0 and given.path.name == "net.pth"
    assert computed.tensors["x"] == 1 and computed.built_here


def test_a_single_changed_bit_of_a_shipped_file_is_told_by_name(tmp_path):
    path = Artefacts(tmp_path).get("relevance", KEY, lambda: {"value": torch.ones(100)}).path
    record_sums(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  {path.name}\n"
    shipped = Artefacts(tmp_path / "cache", tmp_path)
    assert shipped.get("relevance", KEY, dict).tensors["value"].sum() == 100
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"{path.name} is damaged .* install the package again"):
        shipped.get("relevance", KEY, dict)


@pytest.mark.parametrize("domain", ["avatars", "faces"])
def test_what_is_shipped_is_what_was_recorded(domain):
    folder = Path(__file__).parents[3] / "eval" / "domains" / domain / "weights" / "artefacts"
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) >= 2
    for path in files:
        check_shipped(path)
