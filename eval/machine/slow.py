"""What would make a run slow on this machine, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

LEAST_FREE_GIB = 2.0  # a run of avatars takes about 1 GiB
LEAST_DISK_GIB = 1.0


def slow_points(facts: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each thing that slows runs down; none where nothing does.

    Args:
        facts: of ``eval.machine.facts.facts``.
    """
    yield from _of_the_processor(facts["processor"], facts["threads"])
    yield from _of_memory(facts["memory"], facts["cache"])
    yield from _of_devices(facts["devices"], facts["versions"])
    blas = facts["blas"]
    if _family(blas["torch"]) != _family(blas["numpy"]):
        yield (
            f"PyTorch multiplies with {blas['torch']}, NumPy with {blas['numpy']}: each has threads of its own, which "
            "wait for each other; with other work beside, set OMP_NUM_THREADS=1."
        )


def _family(blas: str) -> str:
    """The library without its build: NumPy calls OpenBLAS ``scipy-openblas``."""
    return next((name for name in ("mkl", "openblas", "accelerate", "blis") if name in blas.lower()), blas.lower())


def _of_the_processor(processor: Mapping[str, Any], threads: Mapping[str, Any]) -> Iterator[str]:
    usable, load = processor["usable"], processor["load"]
    if "AVX2" not in processor["vectors"] and "AVX512" not in processor["vectors"]:
        yield f"PyTorch uses no AVX2 on this processor ({processor['vectors']}): networks take several times longer."
    if threads["torch"] > usable:
        most = max(1, int(usable))
        yield f"PyTorch has {threads['torch']} threads for {usable:g} usable cores: set OMP_NUM_THREADS={most}."
    if load is not None and load > 0.5 * usable:
        yield (
            f"Programs with {load:.1f} busy threads share {usable:g} cores: a run takes longer, and threads that wait "
            "for each other much longer; end them, or set OMP_NUM_THREADS=1."
        )


def _of_memory(memory: Mapping[str, Any], cache: Mapping[str, Any]) -> Iterator[str]:
    if memory["free_gib"] is not None and memory["free_gib"] < LEAST_FREE_GIB:
        yield f"Only {memory['free_gib']:.1f} GiB of memory are free: pictures are made in smaller blocks."
    if memory["swap_used_gib"]:
        yield f"{memory['swap_used_gib']:.1f} GiB are swapped out: what is read back from there is very slow."
    if cache["free_gib"] < LEAST_DISK_GIB:
        yield f"Only {cache['free_gib']:.1f} GiB are free in {cache['folder']}: artefacts may not be kept."


def _of_devices(devices: list[Mapping[str, Any]], versions: Mapping[str, str]) -> Iterator[str]:
    if all(device["device"] == "cpu" for device in devices):
        if shutil.which("nvidia-smi"):
            yield (
                f"There is an NVIDIA driver, but PyTorch {versions.get('torch', '')} cannot use it: install a build of "
                "PyTorch for CUDA (pytorch.org)."
            )
        else:
            yield "There is no GPU: domains of 1024 px take about a hundred times as long as on one."
