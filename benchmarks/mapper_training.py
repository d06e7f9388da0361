"""How fast does the Delta Mapper train, against the released loader and loop, and in how much memory?

    OMP_NUM_THREADS=1 python benchmarks/mapper_training.py --deltaedit CHECKOUT [--rows 258000]

CHECKOUT is a clone of github.com/Yueming6568/DeltaEdit. Random rows of a 1024 px generator (6048 styles, 512 CLIP
features; 258,000 of them are 6.8 GB) are shared by both. The two loops take turns of a few steps, so that a busy
machine slows both; the table gives the median over turns of the seconds a step takes: of the processor, our own and the
loader's workers together (`--clock cpu`, the default), or on the wall.

The released data set also holds W+ of every image (9.5 GB more) and doubles everything when it starts; neither is
needed by its loop, and here a view of one row stands in for W+. `matrix products` are the products of one step alone,
in the shapes that both need: no float32 training with the same products can be faster.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.settings import Settings
from deltaedit.tools.domain import TrainingSet
from deltaedit.train import Training, train_mapper

RESOLUTION, EMBEDDING = 1024, 512
BLOCK = 2000


def peak_mib():
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def synthetic(rows):
    """A training set of random numbers, made in place, and the layers that it belongs to."""
    with torch.device("meta"):
        layout = StyleGAN2(RESOLUTION).layout
    generator = torch.Generator().manual_seed(0)
    s, features = torch.empty(rows, layout[-1].stop), torch.empty(rows, EMBEDDING)
    some_s = torch.randn(BLOCK, layout[-1].stop, generator=generator)
    some_features = F.normalize(torch.randn(BLOCK, EMBEDDING, generator=generator), dim=1)
    for start in range(0, rows, BLOCK):  # the same block again and again: what the numbers are costs no time
        s[start : start + BLOCK] = some_s[: rows - start]
        features[start : start + BLOCK] = some_features[: rows - start]
    return TrainingSet(s, features), layout


def released(checkout, images, batch, workers):
    """The released data set, loader, network and optimizer; a generator that yields after every step."""
    torch.Tensor.cuda = lambda self, *_, **__: self  # its activation moves everything to the GPU
    sys.path.insert(0, str(checkout))
    try:
        from datasets.train_dataset import TrainLatentsDataset
        from delta_mapper import DeltaMapper
    finally:
        sys.path.remove(str(checkout))
    data = object.__new__(TrainLatentsDataset)  # its constructor reads files
    data.style_latents, data.clip_latents = images.s, images.features
    data.wplus_latents = torch.zeros(1, 18, 512).expand(len(images.s), 18, 512)
    data.dataset_size, data.cycle = len(images.s), True
    loader = DataLoader(data, batch_size=batch, shuffle=True, num_workers=workers, drop_last=True)
    net = DeltaMapper()
    optimizer = torch.optim.Adam(list(net.parameters()), lr=0.5)
    for styles, condition, wanted in loader:  # as in its scripts/train.py
        predicted = net(styles, condition)
        optimizer.zero_grad()
        cosine = 1 - torch.mean(torch.nn.CosineSimilarity(dim=-1)(predicted, wanted))
        loss = torch.nn.MSELoss()(predicted, wanted) + cosine
        loss.backward()
        optimizer.step()
        yield loss.detach()


def ours(images, layout, batch):
    """Our loop; a generator that yields after every step."""
    settings = Settings(batch=batch, schedule="constant", bfloat16=False)
    training = Training(images, layout, settings, torch.device("cpu"))
    while True:
        yield training.advance()


def matrix_products(layout, batch):
    """The products of every layer in one step, forward and backward; a generator that yields after every step."""
    fine = layout[-1].stop - 7 * 512
    chains = [(fine, 1, 4 * [fine], False), (2 * EMBEDDING, 1, 4 * [fine], False), (2 * fine, 1, 4 * [fine], True)]
    for count in (3, 4):
        chains += [(512, count, 4 * [512], False), (2 * EMBEDDING, 1, 4 * [512], False), (1024, count, 4 * [512], True)]
    shapes = []
    for inputs, count, outputs, wanted in chains:
        for place, (first, last) in enumerate(zip([inputs, *outputs[:-1]], outputs, strict=True)):
            shapes.append((batch * count, first, last, wanted or place > 0))
    made = [(torch.randn(n, i), torch.randn(o, i), torch.randn(n, o), back) for n, i, o, back in shapes]
    while True:
        for x, weight, gradient, back in made:
            F.linear(x, weight)
            torch.mm(gradient.t(), x)
            if back:
                torch.mm(gradient, weight)
        yield


def cpu_seconds():
    """Processor seconds of this process and of its living children (the loader's workers)."""
    seconds = process_time()
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def take_turns(loops, turns, steps, clock):
    """Median seconds a step of each loop, in turns of ``steps``; the first turn does not count."""
    seconds = {name: [] for name in loops}
    for turn in range(turns + 1):
        for name, loop in loops.items():
            began = clock()
            for _ in range(steps):
                next(loop)
            if turn:
                seconds[name].append((clock() - began) / steps)
    return {name: median(values) for name, values in seconds.items()}


def our_memory(images, layout, batch):
    """Peak of this process after a whole training of a few steps with validations and stored states, MiB."""
    settings = Settings(steps=4, evaluate_every=2, batch=batch, bfloat16=False)
    with tempfile.TemporaryDirectory() as folder:
        train_mapper(images, layout, settings, Path(folder) / "state.pt")
    return peak_mib()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deltaedit", type=Path, help="checkout of the released DeltaEdit")
    parser.add_argument("--rows", type=int, default=258_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--what", nargs="+", choices=("memory", "speed"), default=["memory", "speed"])
    parser.add_argument("--steps", type=int, default=2, help="a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, default=4, help="of the released loader; 4 is its default")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="cpu")
    options = parser.parse_args()
    images, layout = synthetic(options.rows)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rows} rows, batch {options.batch}")
    if "memory" in options.what:
        arrays_mib, before = (images.s.nbytes + images.features.nbytes) / 2**20, peak_mib()
        peak = our_memory(images, layout, options.batch)
        print(
            f"our training: peak {peak} MiB; arrays {arrays_mib:.0f} MiB, with them and libraries {before} MiB before"
        )
    if "speed" not in options.what:
        return
    loops = {"ours": ours(images, layout, options.batch)}
    if options.deltaedit:
        loops["released loader and loop"] = released(options.deltaedit, images, options.batch, options.workers)
    loops["matrix products"] = matrix_products(layout, options.batch)
    clock = cpu_seconds if options.clock == "cpu" else perf_counter
    seconds = take_turns(loops, options.turns, options.steps, clock)
    print("| loop | seconds a step | steps/s | ours is faster by |\n|---|---|---|---|")
    for name, value in seconds.items():
        print(f"| {name} | {value:.3f} | {1 / value:.2f} | {value / seconds['ours']:.2f} |")


if __name__ == "__main__":
    main()
