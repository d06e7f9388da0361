from __future__ import annotations

import dataclasses
from typing import Any

from eval.judging.inputs import inputs


def test_every_network_gets_the_whole_picture_of_the_generator(tiny_domain: Any) -> None:
    found = inputs(tiny_domain)
    assert set(found) == {"editing-clip", "judge-clip", "judge"}
    whole = {"image_px": 16, "range": "[-1, 1]", "bits": 8, "crop": "none", "resize": "none"}
    assert found["judge"] == whole
    assert found["judge-clip"] == whole  # this CLIP takes 16 px


def test_a_clip_of_another_size_resizes(tiny_domain: Any) -> None:
    tiny_domain.judges.clip.resolution = 8
    assert inputs(tiny_domain)["judge-clip"]["resize"] == "bicubic, antialiased, to 8 px"
    assert inputs(tiny_domain)["editing-clip"]["resize"] == "none"


def test_a_domain_states_what_its_judges_do(tiny_domain: Any) -> None:
    tiny_domain.judges = dataclasses.replace(tiny_domain.judges, protocols={"judge": "bilinear to 299 px"})
    assert inputs(tiny_domain)["judge"]["resize"] == "bilinear to 299 px"
