"""How fast are rows of R_s computed, against the released loop over channels, and are they the same?

    OMP_NUM_THREADS=1 python benchmarks/relevance.py --styleclip CHECKOUT [--resolution 1024 | --avatars] [--images 1]

CHECKOUT is a clone of github.com/orpatashnik/StyleCLIP; DeltaEdit's fs3.npy comes from this script as well. Compared is
the loop of `global_torch/SingleChannel.py` from a channel's styles to its row: `EditOneC` (the styles of both signs,
images one by one, rounded to 8 bits), `GetImgF` (PIL, the model's preprocessing, CLIP) and `GetFs`. What stands before
it, 100,000 samples for means and standard deviations, is the same work on both sides and left out. Both sides get the
same random generator and ViT-B/32 of random weights (or those of the embedded domain), the same images and channels.

`--memory-only` writes a random generator as a rosinality checkpoint, reads it in a fresh process, computes a few rows,
and compares the peak of that process with the size of the weights.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from released_code import copy_to_nvidia, leave_empty, random_clip

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.latents import Latents
from deltaedit.relevance import channel_statistics, relevance_matrix
from eval.weights.layouts import rosinality_name


def random_generator(resolution):
    """A config-f synthesis network whose images spread over about [-1, 1], as a trained one's do."""
    torch.manual_seed(0)
    synthesis = FastStyleGAN2(resolution).eval().requires_grad_(False)
    for layer in synthesis.convs:
        layer.bias.normal_(0, 0.3)
    image = synthesis.synthesize(*synthesis.styles(torch.randn(1, synthesis.latents, 512)))
    for layer in synthesis.to_rgbs:
        layer.conv.weight *= 0.5 / image.std()
    return synthesis


def import_released(checkout):
    """The modules `manipulate`, `SingleChannel` and `training.networks` of the checkout."""
    leave_empty("clip", "click", "imageio", "requests", "visualizer")  # imported there, and not needed here
    sys.modules["visualizer"].HtmlPageVisualizer = None
    folder = str(checkout / "global_torch")
    sys.path.insert(0, folder)
    try:
        import manipulate
        import SingleChannel
        from training import networks
    finally:
        sys.path.remove(folder)
    SingleChannel.device = "cpu"  # which its main part sets
    return manipulate, SingleChannel, networks


class Released:
    """The released loop on our weights."""

    def __init__(self, checkout, synthesis, latents, mean, std, clip_model, preprocess):
        manipulate, self.script, networks = import_released(checkout)
        network = networks.SynthesisNetwork(
            synthesis.w_dim,
            synthesis.resolution,
            3,
            channel_base=synthesis.resolution * synthesis.channels[-1],
            channel_max=synthesis.channels[0],
        )
        network.eval().requires_grad_(False)
        copy_to_nvidia(synthesis, network)
        self.clip_model, self.preprocess = clip_model, preprocess
        self.state = manipulate.Manipulator()
        self.state.device, self.state.G = "cpu", types.SimpleNamespace(synthesis=network)
        self.state.SetGParameters()
        self.state.alpha, self.state.step, self.state.num_images = [-5, 5], 2, len(latents)
        self.codes = self.per_layer(synthesis, latents.s, latents.s_rgb)
        self.state.code_mean = [x[0] for x in self.per_layer(synthesis, mean[None], latents.s_rgb)]
        self.state.code_std = [x[0] for x in self.per_layer(synthesis, std[None], latents.s_rgb)]

    def per_layer(self, synthesis, s, s_rgb):
        """The styles by layer, in the order of the released names."""
        convs = iter([s[:, at.start : at.stop] for at in synthesis.layout])
        rgbs = iter([s_rgb[:, at.start : at.stop] for at in synthesis.layout_rgb])
        return [next(rgbs if "RGB" in name else convs).numpy().copy() for name in self.state.s_names]

    def rows(self, layer, channels):
        """R_s rows of some channels (counted within the layer), [channels, 512].

        The released loop sets a channel to its mean in place and never back, so that later channels see the means of
        the earlier ones. Here every channel starts from the images' own styles, or the rows could not be compared.
        """
        place = self.state.mindexs[layer]
        features = []
        for channel in channels:
            self.state.dlatents = [styles.copy() for styles in self.codes]
            self.state.dlatents[place][:, channel] = self.state.code_mean[place][channel]
            self.state.manipulate_layers = [place]
            _, images = self.state.EditOneC(channel)
            features.append(self.script.GetImgF(images, self.clip_model, self.preprocess))
        return self.script.GetFs(np.array(features))


class Widened(torch.nn.Module):
    """A CLIP model whose features have zeros up to 512, the width that the released loop takes for granted."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def encode_image(self, images):
        """Features [N, 512]."""
        features = self.model.encode_image(images)
        return torch.nn.functional.pad(features, (0, 512 - features.shape[1]))


def side_by_side(options):
    """Generator, CLIP, its model and preprocessing, latents, mean and standard deviation of the styles."""
    if options.avatars:
        from open_clip.transform import image_transform

        from eval.domains import load_domain

        domain = load_domain("avatars").editing
        model, size = Widened(domain.clip.model), domain.clip.resolution
        preprocess = image_transform(size, is_train=False)
        mean, std = channel_statistics(domain.sample, 1000, 0)
        latents = domain.sample(options.images, 0)
        return (
            domain.synthesis,
            domain.clip,
            model,
            preprocess,
            Latents(*map(torch.clone, vars(latents).values())),
            mean,
            std,
        )
    synthesis = random_generator(options.resolution)
    model, preprocess = random_clip()
    latents = Latents.from_w_plus(synthesis, torch.randn(options.images, 1, 512).repeat(1, synthesis.latents, 1))
    many = synthesis.styles(torch.randn(1000, 1, 512).expand(-1, synthesis.latents, -1))[0]
    return synthesis, Clip(model, list, 224), model, preprocess, latents, many.mean(0), many.std(0)


def compare(options):
    """Print the table: all of `channels` at once, then each layer's cosine."""
    clock = process_time if options.clock == "cpu" else perf_counter
    synthesis, clip, clip_model, preprocess, latents, mean, std = side_by_side(options)
    theirs = Released(options.styleclip, synthesis, latents, mean, std, clip_model, preprocess)
    channels = torch.linspace(0, synthesis.s_size - 1, options.channels).long()
    own = [
        (layer, channels[(channels >= at.start) & (channels < at.stop)]) for layer, at in enumerate(synthesis.layout)
    ]
    relevance_matrix(synthesis, clip, latents[:1], mean, std, channels=channels[-1:])  # the first turn does not count
    theirs.rows(len(own) - 1, [0])
    began = clock()
    ours = relevance_matrix(synthesis, clip, latents, mean, std, channels=channels)
    between = clock()
    released = [theirs.rows(i, (some - synthesis.layout[i].start).tolist()) for i, some in own if len(some)]
    seconds = between - began, clock() - between
    cosines = (ours.numpy() * np.concatenate(released)[:, : ours.shape[1]]).sum(1)
    name = f"{'avatars' if options.avatars else 'config-f'}, {synthesis.resolution} px"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seconds of the {options.clock} clock")
    print("| network | channels x images | ours, s | released, s | ours is faster by | smallest cosine of the rows |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {name} | {len(channels)} x {len(latents)} | {seconds[0]:.2f} | {seconds[1]:.2f} | "
        f"{seconds[1] / seconds[0]:.1f} | {cosines.min():.6f} |"
    )


def write_checkpoint(path, resolution):
    """A random generator in rosinality's layout."""
    from deltaedit.backbones.generator import Generator

    torch.manual_seed(0)
    generator = Generator(FastStyleGAN2(resolution))
    state = {}
    for name, tensor in generator.state_dict().items():
        theirs = rosinality_name(name)
        if theirs is None:
            continue
        if theirs.endswith("conv.weight"):
            tensor = tensor[None]
        elif theirs.startswith("to_rgb") and theirs.count(".") == (2 if theirs.startswith("to_rgbs") else 1):
            tensor = tensor.view(1, 3, 1, 1)  # the bias
        state[theirs] = tensor if tensor.ndim else tensor[None]
    torch.save({"g_ema": state, "latent_avg": torch.zeros(512)}, path)


def read_and_compute(path):
    """Peak memory of reading a checkpoint, then of three rows of R_s: what the fresh process prints."""
    from eval.weights.checkpoints import read_generator

    clip_model, _ = random_clip()
    peaks = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]
    synthesis = read_generator(path).synthesis
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    latents = Latents.from_w_plus(synthesis, torch.randn(1, 1, 512).repeat(1, synthesis.latents, 1))
    channels = torch.tensor([synthesis.layout[i].start for i in (0, 8, 16) if i < len(synthesis.layout)])
    mean, std = torch.zeros(synthesis.s_size), torch.ones(synthesis.s_size)
    relevance_matrix(synthesis, Clip(clip_model, list, 224), latents, mean, std, channels=channels)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    weights = sum(p.nbytes for p in synthesis.state_dict().values())
    print(" ".join(str(peak // 1024) for peak in peaks), weights // 2**20)


def memory(resolution):
    """Print the peaks of a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generator.pt"
        write_checkpoint(path, resolution)
        command = [sys.executable, __file__, "--read", str(path)]
        before, read, computed, weights = map(int, subprocess.check_output(command, text=True).split())
    print(
        f"{resolution} px: weights {weights} MiB; peak {before} MiB with CLIP alone, {read} MiB after reading the "
        f"checkpoint ({(read - before) / weights:.2f} x the weights more), {computed} MiB after rows of R_s"
    )


def main():
    """Compare speed, or measure memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styleclip", type=Path, help="checkout of StyleCLIP")
    parser.add_argument("--resolution", type=int, default=256, help="of a random config-f generator")
    parser.add_argument("--avatars", action="store_true", help="the embedded domain's generator and CLIP instead")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--channels", type=int, default=24, help="evenly spaced over all")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="cpu")
    parser.add_argument("--memory-only", action="store_true")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read_and_compute(options.read)
    elif options.memory_only:
        memory(options.resolution)
    elif options.styleclip:
        compare(options)
    else:
        parser.error("Name a checkout with --styleclip, or ask for --memory-only.")


if __name__ == "__main__":
    main()
