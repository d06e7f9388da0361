import pytest
import torch

from deltaedit.tools.precision import autocast, has_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(("capability", "dtype"), [("AVX512", torch.bfloat16), ("AVX2", torch.float32)])
def test_bfloat16_only_where_the_processor_has_it(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    with autocast(CPU, bfloat16=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_float32_when_it_is_wanted(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with autocast(CPU, bfloat16=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_graphics_processors_have_it():
    assert has_bfloat16(torch.device("cuda"))
