"""How fast is an image made from styles, against the released decoders?

    python benchmarks/synthesis.py --deltaedit CHECKOUT --stylegan3 CHECKOUT [--resolution 1024] [--batch 1 4]

CHECKOUT is a clone of github.com/Yueming6568/DeltaEdit and of github.com/NVlabs/stylegan3. All networks get the same
random weights, so that the images must agree. The networks take turns, so that a busy machine slows all of them; the
table gives the median of the times and the largest difference between images. `--clock cpu` counts the seconds that the
processor worked for this process instead of those on the wall: with OMP_NUM_THREADS=1 that is fair on a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import sys
import types
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch

from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from eval.weights.layouts import nvidia_name, rosinality_name


def import_from(checkout, module):
    """A module of a checkout, its folder first on the path, and forgotten afterwards."""
    sys.path.insert(0, str(checkout))
    try:
        return __import__(module, fromlist=["_"])
    finally:
        sys.path.remove(str(checkout))


def released_deltaedit(checkout, synthesis):
    """The decoder of DeltaEdit: w_plus -> image."""
    torch.Tensor.cuda = lambda self, *_, **__: self  # its activation moves everything to the GPU
    network = import_from(checkout, "models.stylegan2.model").Generator(synthesis.resolution, synthesis.w_dim, 8).eval()
    own = network.state_dict()
    for name, tensor in synthesis.state_dict().items():
        theirs = rosinality_name(f"synthesis.{name}")
        own[theirs].copy_(tensor.view(own[theirs].shape))
    return lambda w_plus: network([w_plus], input_is_latent=True, randomize_noise=False)[0]


def released_stylegan3(checkout, synthesis):
    """``networks_stylegan2`` of stylegan3: w_plus -> image."""
    if "pkg_resources" not in sys.modules:  # which current setuptools no longer have
        stub = types.ModuleType("pkg_resources")
        stub.parse_version = lambda text: tuple(int(part) for part in str(text).split("+")[0].split(".")[:2])
        sys.modules["pkg_resources"] = stub
    networks = import_from(checkout, "training.networks_stylegan2")
    network = networks.SynthesisNetwork(synthesis.w_dim, synthesis.resolution, 3, num_fp16_res=0, conv_clamp=None)
    network.eval()
    own = network.state_dict()
    for name, tensor in synthesis.state_dict().items():
        theirs = nvidia_name(f"synthesis.{name}").removeprefix("synthesis.")
        own[theirs].copy_(tensor.view(own[theirs].shape))
    return lambda w_plus: network(w_plus, noise_mode="const")


def measure(makers, w_plus, repetitions, clock=perf_counter):
    """Median seconds of each, taking turns; and each one's image after the first, unmeasured turn."""
    images = {name: make(w_plus) for name, make in makers.items()}
    times = {name: [] for name in makers}
    for _ in range(repetitions):
        for name, make in makers.items():
            began = clock()
            make(w_plus)
            times[name].append(clock() - began)
    return {name: median(all_times) for name, all_times in times.items()}, images


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deltaedit", type=Path, help="checkout of the released DeltaEdit")
    parser.add_argument("--stylegan3", type=Path, help="checkout of stylegan3")
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    options = parser.parse_args()
    clock = process_time if options.clock == "cpu" else perf_counter
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    synthesis = FastStyleGAN2(options.resolution).eval()
    makers = {"ours": lambda w_plus: synthesis.synthesize(*synthesis.styles(w_plus))}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.resolution} px")
    print("| network | batch | seconds | ours is faster by | largest difference |\n|---|---|---|---|---|")
    for batch in options.batch:
        w_plus = torch.randn(batch, 1, synthesis.w_dim).repeat(1, synthesis.latents, 1)
        makers["ours"](w_plus)
        alone_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if options.deltaedit and "DeltaEdit, released" not in makers:
            makers["DeltaEdit, released"] = released_deltaedit(options.deltaedit, synthesis)
        if options.stylegan3 and "stylegan3" not in makers:
            makers["stylegan3"] = released_stylegan3(options.stylegan3, synthesis)
        seconds, images = measure(makers, w_plus, options.repetitions, clock)
        for name in makers:
            difference = (images[name] - images["ours"]).abs().max().item()
            print(
                f"| {name} | {batch} | {seconds[name]:.2f} | {seconds[name] / seconds['ours']:.2f} | {difference:.1e} |"
            )
        if batch == options.batch[0]:
            print(f"(process peak with our network alone: {alone_mib} MiB)", file=sys.stderr)


if __name__ == "__main__":
    main()
