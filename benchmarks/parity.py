"""Do DeltaEdit and StyleCLIP compute what their released code computes? Prints rows for docs/parity.md.

    OMP_NUM_THREADS=1 python benchmarks/parity.py WHAT … --deltaedit CHECKOUT --styleclip CHECKOUT

WHAT is one or more of `mapper`, `training`, `training-float64`, `global-direction`, `latent-mapper`, `optimisation`.
Both sides get the same random weights and inputs; the largest absolute difference is printed. Checkouts are clones of
github.com/Yueming6568/DeltaEdit and github.com/orpatashnik/StyleCLIP. R_s: `benchmarks/relevance.py`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch
from released_code import leave_empty, random_clip, random_identity_loss
from torch.nn import functional as F

import deltaedit.train
from baselines.mapper_networks import LevelsMapper, SingleMapper, StyleMapper
from baselines.styleclip_global import automatic_beta, global_direction
from baselines.styleclip_mapper import StyleClipMapper
from baselines.styleclip_optimization import StyleClipOptimization
from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.latents import Latents
from deltaedit.mapper import DeltaMapper
from deltaedit.pairs import draw_pairs
from deltaedit.settings import Settings
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain, TrainingSet
from deltaedit.train import Training
from eval.weights.layouts import rosinality_name

SIDE_PX = 256  # of the generator behind the losses


def released(checkout, module):
    """A module of a checkout that was written for a GPU; what it imports and does not need is left empty."""
    torch.Tensor.cuda = lambda self, *_, **__: self
    torch.nn.Module.cuda = lambda self, *_, **__: self
    leave_empty("clip", "tensorflow")
    packages = ("models", "mapper", "datasets", "criteria", "options", "utils")
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]  # both repositories have a `models`
    sys.path.insert(0, str(checkout))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(checkout))


def layout_1024():
    """The layers of a 1024 px generator."""
    with torch.device("meta"):
        return FastStyleGAN2(1024).layout


def difference(one, two):
    """Largest absolute difference of two tensors."""
    return (one.detach() - two.detach()).abs().max().item()


def row(what, result):
    """One row of the table."""
    print(f"| {what} | {result} |", flush=True)


def compare_mapper(options):
    """Delta Mapper outputs, biases random too."""
    theirs = released(options.deltaedit, "delta_mapper").DeltaMapper()
    for name, parameter in theirs.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=30.0)
    ours = DeltaMapper(layout_1024())
    row("Delta Mapper, keys and shapes", [*ours.state_dict()] == [*theirs.state_dict()])
    ours.load_state_dict(theirs.state_dict())
    s, condition = torch.randn(8, 6048), torch.randn(8, 1024)
    with torch.no_grad():
        one, two = ours(s, condition), theirs(s, condition)
    row("Delta Mapper output, 8 images, 1024 px", f"{difference(one, two):.1e} of outputs up to {two.abs().max():.1f}")


def compare_training(options, dtype):
    """Steps of the released loop, and of ours, on the pairs that ours draws."""
    torch.manual_seed(0)
    images = TrainingSet(torch.randn(200, 6048, dtype=dtype), F.normalize(torch.randn(200, 512, dtype=dtype), dim=1))
    settings = Settings(steps=options.steps, batch=options.batch, schedule="constant", bfloat16=False)
    training = Training(images, layout_1024(), settings, torch.device("cpu"))
    training.mapper.to(dtype)
    theirs = released(options.deltaedit, "delta_mapper").DeltaMapper().to(dtype)
    theirs.load_state_dict(training.mapper.state_dict())
    batches = []
    deltaedit.train.draw_pairs = lambda *drawn: batches.append(draw_pairs(*drawn)) or batches[-1]
    optimizer = torch.optim.Adam(list(theirs.parameters()), lr=0.5)
    worst = 0.0
    for step in range(options.steps):
        our_loss = float(training.advance())
        predicted = theirs(batches[-1].s, batches[-1].condition)
        optimizer.zero_grad()
        cosine = torch.nn.CosineSimilarity(dim=-1)(predicted, batches[-1].delta_s)
        loss = torch.nn.MSELoss()(predicted, batches[-1].delta_s) + (1 - torch.mean(cosine))
        loss.backward()
        optimizer.step()
        worst = max(worst, abs(our_loss - loss.item()) / loss.item())
        if step in (0, 1, options.steps - 1):
            row(f"training, {dtype}, batch {options.batch}, losses up to step {step + 1}", f"{worst:.1e} relative")
    weights = max((a - b).norm().item() / b.norm().item() for a, b in zip_parameters(training.mapper, theirs))
    row(f"training, {dtype}, weights after {options.steps} steps", f"{weights:.1e} of their norm, the worst layer")
    with torch.no_grad():
        one, two = (net(batches[-1].s, batches[-1].condition) for net in (training.mapper, theirs))
    row(
        f"training, {dtype}, outputs after {options.steps} steps",
        f"{float((one - two).norm() / two.norm()):.1e} of their norm",
    )


def zip_parameters(one, two):
    """The parameters of two networks side by side."""
    return zip((p.detach() for p in one.parameters()), (p.detach() for p in two.parameters()), strict=True)


def compare_global_direction(options):
    """`GetBoundary` at several β, and the rule of the released interface for β."""
    script = released(options.styleclip / "global_directions", "MapTS")
    generator = torch.Generator().manual_seed(0)
    layout = layout_1024()
    relevance = F.normalize(torch.randn(6048, 512, generator=generator), dim=1)
    relevance[:, :8] *= 4  # some channels well above β
    relevance = F.normalize(relevance, dim=1)
    std = torch.rand(6048, generator=generator) + 0.1
    parts = [std[at.start : at.stop].numpy() for at in layout]
    state = types.SimpleNamespace(
        mindexs=list(range(len(layout))),
        s_names=[f"conv{i}" for i in range(len(layout))],
        dlatents=[np.zeros((1, at.channels)) for at in layout],
        code_std=parts,
    )
    worst, same = 0.0, True
    for seed in range(5):
        delta = F.normalize(torch.randn(512, generator=torch.Generator().manual_seed(seed)), dim=0)
        for beta in (0.08, 0.10, 0.12, 0.15):
            theirs, count = script.GetBoundary(relevance.numpy(), delta.numpy(), state, beta)
            theirs = torch.from_numpy(np.concatenate(theirs)).float()
            ours = global_direction(relevance, std, delta, beta)
            worst = max(worst, difference(ours, theirs))
            same &= int((ours != 0).sum()) == count and torch.equal(ours != 0, theirs != 0)
        for more_than in (20, 100):
            allowed = [
                b
                for b in np.arange(0.1, 0.3, 0.01)
                if np.sum(np.abs(relevance.numpy() @ delta.numpy()) >= b) > more_than
            ]
            same &= abs(automatic_beta(relevance, delta, more_than) - (max(allowed) if allowed else 0.1)) < 1e-6
    row("StyleCLIP, global direction, α 1, 5 texts, β 0.08 to 0.15", f"{worst:.1e}, the same channels: {same}")


class ReleasedClip:
    """A random ViT-B/32 behind the released preprocessing, for both sides.

    Ours resizes as CLIP was trained (docs/editors.md says why); what is compared here is all the rest of the losses.
    """

    def __init__(self, side_px):
        self.model, _ = random_clip()
        self.side_px = side_px
        self.texts = F.normalize(torch.randn(1, 512), dim=1)

    def encode_images(self, images):
        """Of images that are enlarged sevenfold by repetition, and averaged down to 224 px."""
        enlarged = images.repeat_interleave(7, 2).repeat_interleave(7, 3)
        return F.normalize(self.model.encode_image(F.avg_pool2d(enlarged, self.side_px // 32)), dim=1)

    def logits(self, images, texts):
        """What the released `CLIPLoss` calls: images that are already 224 px, logits of scale 100."""
        return (100 * F.normalize(self.model.encode_image(images), dim=1) @ self.texts.t(),)


def losses_setup(options):
    """A 256 px generator of ours and of theirs, a CLIP and an identity network, all random."""
    torch.manual_seed(0)
    synthesis = FastStyleGAN2(SIDE_PX).eval().requires_grad_(False)
    for layer in synthesis.to_rgbs:
        layer.conv.weight *= 0.2
    decoder = released(options.styleclip, "models.stylegan2.model").Generator(SIDE_PX, 512, 8).eval()
    own = decoder.state_dict()
    for name, tensor in synthesis.state_dict().items():
        theirs = rosinality_name(f"synthesis.{name}")
        own[theirs].copy_(tensor.view(own[theirs].shape))
    clip = ReleasedClip(SIDE_PX)
    clip_loss = released(options.styleclip, "criteria.clip_loss").CLIPLoss
    sys.modules["clip"].load = lambda *_, **__: (clip.logits, None)
    clip_loss = clip_loss(types.SimpleNamespace(stylegan_size=SIDE_PX))
    irse = released(options.styleclip, "models.facial_recognition.model_irse")
    id_loss = random_identity_loss(released(options.styleclip, "criteria.id_loss").IDLoss, irse.Backbone)
    nowhere = Artefacts(Path("/nonexistent"))
    domain = EditingDomain(
        "random",
        synthesis,
        None,
        clip,
        None,
        None,
        nowhere,
        "",
        identity=lambda images: id_loss.extract_feats(images.contiguous()),
    )
    return domain, decoder, clip_loss, id_loss


def compare_latent_mapper(options):
    """Forward of the three mappers; one loss of the levels mapper, CLIP + ID + L2, and its gradients."""
    mappers = released(options.styleclip, "mapper.latent_mappers")
    flags = types.SimpleNamespace(no_coarse_mapper=False, no_medium_mapper=False, no_fine_mapper=False)
    torch.manual_seed(3)
    w_plus = torch.randn(2, 18, 512)
    with torch.device("meta"):
        synthesis_1024 = FastStyleGAN2(1024)
    theirs = mappers.LevelsMapper(flags)
    ours = LevelsMapper(512, True, (4, 8))
    ours.load_state_dict(theirs.state_dict())
    row("StyleCLIP, levels mapper, output", f"{difference(ours(w_plus), theirs(w_plus)):.1e}")
    single = mappers.SingleMapper(flags)
    our_single = SingleMapper(512, True)
    our_single.load_state_dict(single.state_dict())
    row("StyleCLIP, single mapper, output", f"{difference(our_single(w_plus), single(w_plus)):.1e}")
    styles = mappers.WithoutToRGBStyleSpaceMapper(flags)
    our_styles = StyleMapper(synthesis_1024, 18)
    our_styles.load_state_dict(styles.state_dict())
    s = [torch.randn(2, 1, size, 1, 1) for size in mappers.STYLESPACE_DIMENSIONS]
    kept = [i for i in range(len(s)) if i not in range(1, len(s), 3)]
    flat = torch.cat([s[i].flatten(1) for i in kept], 1)
    wanted = torch.cat([out.flatten(1) for i, out in enumerate(styles(s)) if i in kept], 1)
    row("StyleCLIP, S mapper, output", f"{difference(our_styles(flat), wanted):.1e}")

    domain, decoder, clip_loss, id_loss = losses_setup(options)
    editor = StyleClipMapper(preset="published", precision="float32")
    editor.prepare(domain)
    latents = Latents.from_w_plus(domain.synthesis, w_plus[:, : domain.synthesis.latents])
    w = latents.w_plus
    with torch.no_grad():
        pictures, _ = decoder([w], input_is_latent=True, randomize_noise=False)[:2]
        sources = domain.identity(domain.synthesis(w))
    ours.zero_grad(), theirs.zero_grad()
    our_loss = editor.loss(ours, latents, sources, domain.clip.texts[0])
    our_loss.backward()
    moved = w + 0.1 * theirs(w)
    edited = decoder([moved], input_is_latent=True, randomize_noise=False)[0]
    loss = clip_loss(edited, None).mean() + 0.1 * id_loss(edited, pictures)[0] + 0.8 * F.mse_loss(moved, w)
    loss.backward()
    row(
        "StyleCLIP, mapper's loss (CLIP + ID + L2), 256 px, batch 2",
        f"{difference(our_loss, loss):.1e} of {loss.item():.4f}",
    )
    gradients = max(
        ((a.grad - b.grad).norm() / b.grad.norm()).item()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )
    row("StyleCLIP, gradients of that loss", f"{gradients:.1e} of their norm, the worst parameter")


def compare_optimisation(options):
    """The objective of the latent optimisation, CLIP + ID + L2, and its gradient at a moved code."""
    domain, decoder, clip_loss, id_loss = losses_setup(options)
    editor = StyleClipOptimization(preset="colab")
    editor.prepare(domain)
    torch.manual_seed(4)
    start = torch.randn(1, domain.synthesis.latents, 512)
    code = start + 0.1 * torch.randn_like(start)
    with torch.no_grad():
        sources = domain.identity(domain.synthesis(start))
        picture = decoder([start], input_is_latent=True, randomize_noise=False)[0]
    one, two = code.clone().requires_grad_(), code.clone().requires_grad_()
    ours = editor.losses(one, start, sources, domain.clip.texts[0]).sum()
    ours.backward()
    image = decoder([two], input_is_latent=True, randomize_noise=False)[0]
    loss = clip_loss(image, None).sum() + 0.008 * ((start - two) ** 2).sum() + 0.005 * id_loss(image, picture)[0]
    loss.backward()
    row("StyleCLIP, optimisation's loss (CLIP + ID + L2), 256 px", f"{difference(ours, loss):.1e} of {loss.item():.4f}")
    row(
        "StyleCLIP, gradient of that loss", f"{((one.grad - two.grad).norm() / two.grad.norm()).item():.1e} of its norm"
    )


def main():
    """Run what is asked for."""
    comparisons = {
        "mapper": compare_mapper,
        "training": lambda options: compare_training(options, torch.float32),
        "training-float64": lambda options: compare_training(options, torch.float64),
        "global-direction": compare_global_direction,
        "latent-mapper": compare_latent_mapper,
        "optimisation": compare_optimisation,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=comparisons)
    parser.add_argument("--deltaedit", type=Path, help="checkout of DeltaEdit")
    parser.add_argument("--styleclip", type=Path, help="checkout of StyleCLIP")
    parser.add_argument("--steps", type=int, default=20, help="of the trainings")
    parser.add_argument("--batch", type=int, default=64, help="of the trainings")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| what | largest difference |\n|---|---|")
    for name in options.what:
        torch.manual_seed(0)
        comparisons[name](options)


if __name__ == "__main__":
    main()
