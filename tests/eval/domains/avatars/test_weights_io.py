import hashlib
import json

import pytest
import torch

from eval.domains.avatars.networks import AttributeNetwork, IdentityNetwork
from eval.domains.avatars.weights_io import Weights
from eval.errors import UsageError

CARD = {"what": "A test.", "seed": 7, "widths": [8, 8, 8, 8], "measured": {"accuracy": 0.987654, "count": 3}}


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    weights = Weights(tmp_path / "weights")
    weights.write("perceptual", AttributeNetwork((8, 8, 8, 8)).state_dict(), CARD)
    return tmp_path / "weights"


def test_a_network_comes_back_in_half_precision(folder):
    torch.manual_seed(0)
    expected = AttributeNetwork((8, 8, 8, 8)).state_dict()
    tensors, card = Weights(folder).read("perceptual")
    assert card == CARD
    assert all(torch.equal(tensors[key], value.half().float()) for key, value in expected.items() if "num" not in key)
    features = Weights(folder).features("perceptual")
    assert not features.training and not any(parameter.requires_grad for parameter in features.parameters())


def test_sums_are_those_that_sha256sum_prints(folder):
    (line,) = (folder / "SHA256SUMS").read_text().splitlines()
    digest, name = line.split("  ")
    assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert Weights(folder).fingerprints() == {"perceptual": digest}


def test_the_cards_name_what_was_measured(folder):
    text = (folder / "CARDS.md").read_text()
    assert "## perceptual" in text and "| accuracy | 0.9877 |" in text and "| seed | 7 |" in text


def test_a_second_network_keeps_the_first(folder):
    Weights(folder).write("identity", IdentityNetwork().state_dict(), CARD)
    assert set(Weights(folder).fingerprints()) == {"perceptual", "identity"}


def test_a_damaged_file_is_one_sentence(folder):
    path = folder / "perceptual.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"perceptual\.safetensors is damaged"):
        Weights(folder).read("perceptual")


def test_a_missing_file_and_a_missing_folder_are_one_sentence(folder, tmp_path):
    (folder / "perceptual.safetensors").unlink()
    with pytest.raises(UsageError, match="is missing"):
        Weights(folder).read("perceptual")
    with pytest.raises(UsageError, match="no weights of the domain"):
        Weights(tmp_path / "nowhere").read("perceptual")


def test_the_card_is_in_the_header_of_the_file(folder):
    data = (folder / "perceptual.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["card"]) == CARD
