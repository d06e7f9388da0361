import torch

from deltaedit.backbones.latents import Latents
from eval.editors.known_features import MOST_KNOWN, KnownFeatures


def latents(number):
    return Latents(torch.zeros(2, 1, 4), torch.full((2, 4), float(number)), torch.ones(2, 3))


def test_the_same_codes_are_computed_once_and_what_that_spared_is_counted(monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr("eval.editors.known_features.clock", lambda device: float(next(ticks)))
    asked = []

    def compute():
        asked.append(None)
        return torch.full((2, 5), float(len(asked)))

    known = KnownFeatures(torch.device("cpu"))
    with torch.inference_mode():
        first = known(latents(1), compute)
        first += 7  # what an editor does to its copy stays with it
        assert known(latents(2), compute).tolist() == [[2.0] * 5] * 2
        assert known(latents(1), compute).tolist() == [[1.0] * 5] * 2
    assert len(asked) == 2 and known.spared_s == 1.0  # one tick of the clock from begin to end
    known(latents(1), compute)  # gradients may be wanted: nothing is kept
    assert len(asked) == 3


def test_only_so_many_are_kept():
    known = KnownFeatures(torch.device("cpu"))
    with torch.inference_mode():
        for number in range(MOST_KNOWN + 1):
            known(latents(number), lambda: torch.zeros(2, 5))
        asked = []
        known(latents(MOST_KNOWN), lambda: asked.append(None) or torch.zeros(2, 5))
        known(latents(0), lambda: asked.append(None) or torch.zeros(2, 5))
    assert len(asked) == 1
