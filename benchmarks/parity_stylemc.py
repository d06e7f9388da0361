"""Does StyleMC learn the direction that its released script learns? Prints a row for docs/parity.md.

    OMP_NUM_THREADS=1 python benchmarks/parity_stylemc.py --stylemc CHECKOUT

CHECKOUT is a clone of github.com/catlab-team/stylemc. Its command `find_direction.py` runs whole, on a CPU, with a
generator of 256 px that has fewer channels from 32 px up than config-f, and a ViT-B/32 and an IR-SE50, all of random
weights that both sides share. Both see images through the released preprocessing for CLIP, so that everything else is
compared; ours has CLIP's own (docs/editors.md).
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import types
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from released_code import copy_to_nvidia, leave_empty, random_clip, random_identity_loss
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

from baselines.stylemc import StyleMC
from deltaedit.backbones.clip import OPENAI_MEAN, OPENAI_STD
from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.latents import Latents
from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.domain import EditingDomain

SIDE_PX, CHANNELS = 256, (512, 512, 512, 256, 128, 64, 32)
FIRST_RGB, LAYERS_A_LEVEL = 1, 3  # of the released rows: 4 px has a convolution and ToRGB, the levels above two and one


class OnCpu:
    """PyTorch as the script sees it, where every device is the CPU."""

    def __getattr__(self, name):
        return getattr(torch, name)

    @staticmethod
    def device(*_):
        """The CPU."""
        return torch.device("cpu")


class ReleasedClip:
    """A random ViT-B/32; for us behind the released preprocessing, for the released script as OpenAI's `clip`."""

    def __init__(self):
        self.model, _ = random_clip()
        self.text = F.normalize(torch.randn(1, 512), dim=1)
        self.mean, self.std = (torch.tensor(x)[:, None, None] for x in (OPENAI_MEAN, OPENAI_STD))

    def encode_images(self, images):
        """Ours: images in [-1, 1] -> unit features."""
        bytes_ = (images * 127.5 + 128).clamp(0, 255)
        x = (resize(bytes_, 224, InterpolationMode.BICUBIC) / 255 - self.mean) / self.std
        return F.normalize(self.model.encode_image(x), dim=1)

    def encode_texts(self, texts):
        """Ours: the one text that there is."""
        return self.text

    def encode_image(self, images):
        """Theirs: preprocessed images."""
        return self.model.encode_image(images)

    def encode_text(self, tokens):
        """Theirs."""
        return self.text


def released(checkout):
    """The script as a module, and the modules of its generator and identity network."""
    leave_empty("clip", "cv2", "requests")
    sys.path.insert(0, str(checkout))
    try:
        script = importlib.import_module("find_direction")
        return script, importlib.import_module("training.networks"), importlib.import_module("model_irse")
    finally:
        sys.path.remove(str(checkout))


def generators(networks):
    """The same random weights in our network and in theirs."""
    torch.manual_seed(0)
    synthesis = FastStyleGAN2(SIDE_PX, CHANNELS).eval().requires_grad_(False)
    for layer in synthesis.to_rgbs:
        layer.conv.weight *= 0.2
    sizes = {"channel_base": SIDE_PX * CHANNELS[-1], "channel_max": CHANNELS[0]}
    theirs = networks.Generator(512, 0, 512, SIDE_PX, 3, synthesis_kwargs=sizes).eval()
    copy_to_nvidia(synthesis, theirs.synthesis)
    return synthesis, theirs


def their_direction(script, generator, clip, loss, options):
    """`find_direction.py` on seeds 0, 1, …: styles of the convolutions, float32 [C]."""
    script.torch = OnCpu()
    script.legacy.load_network_pkl = lambda _: {"G_ema": generator}
    script.dnnlib.util.open_url = lambda _: nullcontext()
    script.clip.load = lambda *_, **__: (clip, None)
    script.clip.tokenize = lambda _: torch.zeros(1, 77, dtype=torch.int64)
    script.id_loss = types.SimpleNamespace(IDLoss=lambda _: loss)
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--network=none", f"--outdir={folder}", "--text_prompt=t", f"--seeds=0-{options.images - 1}"]
        flags += [f"--resolution={SIDE_PX}", f"--batch_size={options.batch}"]
        script.generate_images([*flags, f"--identity_power={options.identity_power}"], standalone_mode=False)
        rows = np.load(Path(folder) / "direction_t.npz")["s"][0]
    convolutions = [i for i in range(2 + LAYERS_A_LEVEL * (len(CHANNELS) - 1)) if i % LAYERS_A_LEVEL != FIRST_RGB]
    widths = [CHANNELS[0], *(width for pair in zip(CHANNELS, CHANNELS[1:], strict=False) for width in pair)]
    return torch.from_numpy(np.concatenate([rows[i, :width] for i, width in zip(convolutions, widths, strict=True)]))


def main():
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stylemc", type=Path, required=True, help="checkout of StyleMC")
    parser.add_argument("--images", type=int, default=25)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--identity-power", choices=("high", "medium", "low", "none"), default="high")
    options = parser.parse_args()
    script, networks, irse = released(options.stylemc)
    synthesis, generator = generators(networks)
    clip, loss = ReleasedClip(), random_identity_loss(script.id_loss.IDLoss, irse.Backbone)
    z = [torch.from_numpy(np.random.RandomState(seed).randn(1, 512)) for seed in range(options.images)]
    with torch.no_grad():
        latents = Latents.from_w_plus(synthesis, torch.cat([generator.mapping(row, None) for row in z]))
    domain = EditingDomain(
        "random", synthesis, None, clip, lambda *_: latents, None, Artefacts(Path("/nonexistent")), "",
        identity=lambda images: loss.extract_feats(images.contiguous()),
    )  # fmt: skip
    editor = StyleMC("published", options.identity_power, images=options.images, batch=options.batch, power=1.0)
    editor.prepare(domain)
    ours = editor._learn("t")
    theirs = their_direction(script, generator, clip, loss, options)
    silenced = (ours == 0) == (theirs == 0)
    free = [at for at in synthesis.layout if 8 <= at.resolution <= 64]
    learnt = slice(free[0].start, free[-1].stop)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(
        f"| StyleMC, direction of `find_direction.py` | {options.images} images in batches of {options.batch}, "
        f"{SIDE_PX} px, identity {options.identity_power} | {float((ours - theirs).norm() / theirs.norm()):.1e} of its "
        f"norm; the same channels set to 0 ({int((theirs[learnt] == 0).sum())} of {learnt.stop - learnt.start}): "
        f"{bool(silenced.all())} ({int((~silenced).sum())} differ) |"
    )


if __name__ == "__main__":
    main()
