from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from deltaedit.relevance import BATCH_PIXELS, domain_relevance
from deltaedit.tools.artefacts import Artefacts
from eval.commands.machine.prepare import parsed_shard
from eval.errors import UsageError
from eval.machine import relevance_parts
from eval.machine.relevance_parts import RelevanceParts


def test_shards_joined_are_the_whole_bit_for_bit(tiny_domain: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(relevance_parts, "FEWEST_CHANNELS", 1)
    monkeypatch.setattr("deltaedit.relevance.BATCH_PIXELS", 8 * 16 * 16)  # 8 pictures at once: 4 images, 1 channel
    monkeypatch.setattr(relevance_parts, "BATCH_PIXELS", 8 * 16 * 16)
    whole = domain_relevance(tiny_domain.editing, images=6, statistics=20).tensors
    elsewhere = dataclasses.replace(tiny_domain.editing, artefacts=Artefacts(tmp_path / "elsewhere"))
    parts = RelevanceParts(elsewhere, images=6, statistics=20)
    assert [part.first for part in parts.parts[1:]] == [part.stop for part in parts.parts[:-1]]  # without gaps
    shards = [parts.of_shard(number, 3) for number in (1, 2, 3)]
    assert sorted(part.first for shard in shards for part in shard) == [part.first for part in parts.parts]
    counted: list[int] = []
    parts.compute(shards[1], counted.append)
    assert parts.of_shard(2, 3) == [] and sum(counted) == sum(part.stop - part.first for part in shards[1])
    with pytest.raises(UsageError, match=r"of \d+ parts of R_s are missing"):
        parts.joined()
    assert parts.found() is None
    for number in (1, 3):  # by other processes
        again = RelevanceParts(elsewhere, images=6, statistics=20)
        again.compute(again.of_shard(number, 3))
    joined = parts.joined().tensors
    assert all(torch.equal(joined[name], whole[name]) for name in ("relevance", "mean", "std"))
    found = parts.found()
    assert found is not None and torch.equal(found.tensors["relevance"], whole["relevance"])


def test_parts_hold_whole_groups_of_channels(tiny_domain: Any) -> None:
    parts = RelevanceParts(tiny_domain.editing, images=16).parts
    together = BATCH_PIXELS // 16**2 // 32  # 16 images, two values each
    assert all((part.stop - part.first) % together == 0 or part.stop - part.first < together for part in parts)


def test_shards_are_read(tiny_domain: Any) -> None:
    assert parsed_shard(None) == (1, 1)
    for text in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        with pytest.raises(UsageError, match="--shard must be I/N"):
            parsed_shard(text)
    derived = dataclasses.replace(tiny_domain.editing, relevance_by_derivative=2)
    with pytest.raises(UsageError, match="made of derivatives and has no parts"):
        RelevanceParts(derived)
