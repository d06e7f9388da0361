"""What a GPU reaches: one table, to be run once wherever a GPU can be had.

    PYTHONPATH=. python benchmarks/gpu.py                      # on cuda, 10 to 20 minutes; needs about 4 GB of disk
    PYTHONPATH=. python benchmarks/gpu.py --device cpu --tiny  # the same steps in small: is the script whole?

* main job: `deltabench run --methods deltaedit,styleclip`, tables included; at most 60 s;
* the layout of ffhq at 1024 px with random weights, 20 images x 16 prompts x {deltaedit, styleclip-global} at their
  default strength, with ViT-L/14 and Inception as judges; at most 10 minutes;
* a step of the Delta Mapper's training at 1024 px (64 pairs, bfloat16 where the device has it) against two cores;
  at least 10 times as fast;
* agreement with the CPU: the same small run on both, the largest difference of everything that is stored.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch

import deltabench
from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.settings import Settings
from deltaedit.tools.domain import TrainingSet
from deltaedit.train import Training
from eval.device import chosen_device, clock, device_sentence
from tests.eval.domains.photos import conftest as random_weights

# Of the same run on two devices: sums have another order, and a level of 8 bits may turn into its neighbour.
TOLERANCE = {"latents_s": 1e-3, "images": 2.0, "clip": 1e-2, "identity": 2e-2, "frechet": 5e-2, "logits": 1e-1}
ROWS = 2000  # of the mapper's training set


def run_s(folder, **arguments):
    """Seconds of a run."""
    began = perf_counter()
    run = deltabench.run(out=folder, **arguments)
    if run.failures:
        raise SystemExit(f"A chunk failed: {run.failures[0]}")
    return perf_counter() - began


def main_job(folder, device, tiny):
    """Seconds of the job that the README begins with."""
    few = {"prompts": "glasses", "images": 4, "strengths": "default"} if tiny else {}
    methods = "deltaedit,styleclip-global" if tiny else "deltaedit,styleclip"
    return run_s(folder / "main", methods=methods, device=device, **few)


def large_domain(folder, tiny):
    """The name or file of a domain of photographs with random weights."""
    if not tiny:
        random_weights.write_published_files(folder / "weights", 1024)
        os.environ |= {"DELTABENCH_WEIGHTS": str(folder / "weights"), "DELTABENCH_UNCHECKED": "1"}
        return "ffhq"
    import open_clip

    configuration = folder / f"{random_weights.ARCHITECTURE}.json"
    configuration.write_text(json.dumps(random_weights.SMALL_CLIP))
    open_clip.add_model_config(configuration)
    (folder / "weights").mkdir()
    with torch.no_grad():
        random_weights.write_small_files(folder / "weights")
    return str(folder / "weights" / "domain.toml")


def large_run(folder, device, tiny):
    """Seconds of the run at 1024 px."""
    with torch.no_grad():
        domain = large_domain(folder, tiny)
    few = {"images": 4} if tiny else {"images": 20}
    arguments = {"methods": "deltaedit,styleclip-global", "strengths": "default", "device": device, **few}
    return run_s(folder / "large", domain=domain, **arguments)


def step_s(device, tiny):
    """Seconds of a training step of the Delta Mapper."""
    with torch.device("meta"):
        layout = (StyleGAN2(64, (32, 32, 32, 16, 8), 32) if tiny else StyleGAN2(1024)).layout
    generator = torch.Generator().manual_seed(0)
    rows = ROWS // 10 if tiny else ROWS
    images = (torch.randn(rows, size, generator=generator) for size in (layout[-1].stop, 512))
    training = Training(TrainingSet(*images), layout, Settings(validation_pairs=2), device)
    times = []
    for _ in range(12):
        began = clock(device)
        training.advance()
        times.append(clock(device) - began)
    return median(times[2:])


def differences(folder, device, tiny):
    """Array -> the largest difference of two runs, one on the CPU."""
    methods = "identity,deltaedit,styleclip-global" + ("" if tiny else ",styleclip-mapper,interfacegan")
    few = {"prompts": "glasses" if tiny else "glasses,beard,smile", "images": 4 if tiny else 20}
    for name, place in (("there", device), ("here", "cpu")):
        run_s(folder / name, methods=methods, strengths="default", device=str(place), **few)
    found = dict.fromkeys(TOLERANCE, 0.0)
    for path in (folder / "here" / "chunks").glob("*.npz"):
        with np.load(path) as here, np.load(folder / "there" / "chunks" / path.name) as there:
            for name in found:
                apart = np.abs(here[name].astype(float) - there[name].astype(float))
                found[name] = max(found[name], float(np.nanmax(apart, initial=0.0)))
    return found


def row(what, limit, measured, reached):
    """One line of the table."""
    print(f"| {what} | {limit} | {measured} | {'yes' if reached else 'no'} |", flush=True)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks and few images")
    options = parser.parse_args()
    device = chosen_device(options.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("DELTABENCH_CACHE", str(folder / "cache"))
        print(f"{device_sentence(device)} PyTorch {torch.__version__}.{' Tiny.' if options.tiny else ''}\n")
        print("| check | wanted | measured | reached |\n|---|---|---|---|", flush=True)
        seconds = main_job(folder, options.device, options.tiny)
        row("main job", "60 s", f"{seconds:.0f} s", seconds <= 60)
        seconds = large_run(folder, options.device, options.tiny)
        row("ffhq layout, 1024 px, 20 x 16 x 2", "600 s", f"{seconds:.0f} s", seconds <= 600)
        torch.set_num_threads(2)
        there, here = (step_s(place, options.tiny) for place in (device, torch.device("cpu")))
        measured = f"{1e3 * there:.2f} ms, {here / there:.1f} x"
        row("Delta Mapper, a step against two cores", "10 x", measured, here / there >= 10)
        for array, apart in differences(folder, options.device, options.tiny).items():
            row(f"agreement with the CPU: {array}", f"{TOLERANCE[array]:g}", f"{apart:.2g}", apart <= TOLERANCE[array])


if __name__ == "__main__":
    main()
