from __future__ import annotations

import pytest
import torch

from deltaedit.tools.precision import computing, forbid_tf32
from eval.device import check_precision, chosen_device, device_sentence
from eval.errors import UsageError

CPU = torch.device("cpu")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.delenv("DELTABENCH_DEVICE", raising=False)


def test_without_a_gpu_auto_is_the_cpu_and_others_are_refused(no_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_device() == chosen_device("auto") == chosen_device("cpu") == CPU
    for name, reason in {
        "cuda": "needs a GPU",
        "cuda:1": "needs a GPU",
        "mps": "needs a Mac",
        "gpu": "must be",
    }.items():
        with pytest.raises(UsageError, match=f"^--device {'.*' if name == 'gpu' else name} ?{reason}") as caught:
            chosen_device(name)
        assert len(str(caught.value)) <= 300
    monkeypatch.setenv("DELTABENCH_DEVICE", "cuda")
    with pytest.raises(UsageError, match=r"^\$DELTABENCH_DEVICE cuda needs a GPU"):
        chosen_device()
    assert chosen_device("cpu") == CPU  # the option goes before the variable


def test_gpus_are_found_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("DELTABENCH_DEVICE", raising=False)
    assert chosen_device() == chosen_device("cuda") == torch.device("cuda", 0)
    assert chosen_device("cuda:1") == torch.device("cuda", 1) and chosen_device("CPU ") == CPU
    with pytest.raises(UsageError, match="cuda:2 does not exist: there is cuda:0 to cuda:1"):
        chosen_device("cuda:2")


def test_precisions_that_the_device_has_no_units_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_precision(CPU, "float32")
    with pytest.raises(UsageError, match="tf32 needs an NVIDIA GPU"):
        check_precision(CPU, "tf32")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    with pytest.raises(UsageError, match="bf16 needs a GPU or a processor with AVX-512"):
        check_precision(CPU, "bf16")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    check_precision(CPU, "bf16")
    with pytest.raises(UsageError, match="There is no precision 'fp16'"):
        check_precision(CPU, "fp16")


def test_a_precision_holds_inside_only() -> None:
    ones = torch.ones(2, 2)
    with computing(CPU, "bf16"):
        assert (ones @ ones).dtype == torch.bfloat16
    with computing(CPU, "float32"):
        assert (ones @ ones).dtype == torch.float32
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        forbid_tf32()
        with computing(CPU, "tf32"):
            assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    with pytest.raises(ValueError, match="must be one of float32, tf32, bf16"), computing(CPU, "fp8"):
        pass


def test_the_sentence_names_device_and_precision() -> None:
    assert device_sentence(CPU).startswith("Computing on cpu (") and device_sentence(CPU).endswith("), float32.")
