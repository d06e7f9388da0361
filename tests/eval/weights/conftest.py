"""StyleGAN2 networks of 8 px in the layouts of other code bases, their numbers made by formula."""

import pickle
import sys
import types
from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pytest
import torch

Z_DIM, W_DIM, WIDE, NARROW = 5, 6, 4, 3
# Our name: (rosinality's, NVIDIA's, shape in NVIDIA's layout). Written out by hand.
TENSORS = {
    "mapping.layers.0.weight": ("style.1.weight", "mapping.fc0.weight", (W_DIM, Z_DIM)),
    "mapping.layers.0.bias": ("style.1.bias", "mapping.fc0.bias", (W_DIM,)),
    "mapping.layers.1.weight": ("style.2.weight", "mapping.fc1.weight", (W_DIM, W_DIM)),
    "mapping.layers.1.bias": ("style.2.bias", "mapping.fc1.bias", (W_DIM,)),
    "synthesis.constant": ("input.input", "synthesis.b4.const", (WIDE, 4, 4)),
    "synthesis.convs.0.affine.weight": (
        "conv1.conv.modulation.weight",
        "synthesis.b4.conv1.affine.weight",
        (WIDE, W_DIM),
    ),
    "synthesis.convs.0.affine.bias": ("conv1.conv.modulation.bias", "synthesis.b4.conv1.affine.bias", (WIDE,)),
    "synthesis.convs.0.conv.weight": ("conv1.conv.weight", "synthesis.b4.conv1.weight", (WIDE, WIDE, 3, 3)),
    "synthesis.convs.0.noise_strength": ("conv1.noise.weight", "synthesis.b4.conv1.noise_strength", ()),
    "synthesis.convs.0.bias": ("conv1.activate.bias", "synthesis.b4.conv1.bias", (WIDE,)),
    "synthesis.convs.1.affine.weight": (
        "convs.0.conv.modulation.weight",
        "synthesis.b8.conv0.affine.weight",
        (WIDE, W_DIM),
    ),
    "synthesis.convs.1.affine.bias": ("convs.0.conv.modulation.bias", "synthesis.b8.conv0.affine.bias", (WIDE,)),
    "synthesis.convs.1.conv.weight": ("convs.0.conv.weight", "synthesis.b8.conv0.weight", (NARROW, WIDE, 3, 3)),
    "synthesis.convs.1.noise_strength": ("convs.0.noise.weight", "synthesis.b8.conv0.noise_strength", ()),
    "synthesis.convs.1.bias": ("convs.0.activate.bias", "synthesis.b8.conv0.bias", (NARROW,)),
    "synthesis.convs.2.affine.weight": (
        "convs.1.conv.modulation.weight",
        "synthesis.b8.conv1.affine.weight",
        (NARROW, W_DIM),
    ),
    "synthesis.convs.2.affine.bias": ("convs.1.conv.modulation.bias", "synthesis.b8.conv1.affine.bias", (NARROW,)),
    "synthesis.convs.2.conv.weight": ("convs.1.conv.weight", "synthesis.b8.conv1.weight", (NARROW, NARROW, 3, 3)),
    "synthesis.convs.2.noise_strength": ("convs.1.noise.weight", "synthesis.b8.conv1.noise_strength", ()),
    "synthesis.convs.2.bias": ("convs.1.activate.bias", "synthesis.b8.conv1.bias", (NARROW,)),
    "synthesis.to_rgbs.0.affine.weight": (
        "to_rgb1.conv.modulation.weight",
        "synthesis.b4.torgb.affine.weight",
        (WIDE, W_DIM),
    ),
    "synthesis.to_rgbs.0.affine.bias": ("to_rgb1.conv.modulation.bias", "synthesis.b4.torgb.affine.bias", (WIDE,)),
    "synthesis.to_rgbs.0.conv.weight": ("to_rgb1.conv.weight", "synthesis.b4.torgb.weight", (3, WIDE, 1, 1)),
    "synthesis.to_rgbs.0.bias": ("to_rgb1.bias", "synthesis.b4.torgb.bias", (3,)),
    "synthesis.to_rgbs.1.affine.weight": (
        "to_rgbs.0.conv.modulation.weight",
        "synthesis.b8.torgb.affine.weight",
        (NARROW, W_DIM),
    ),
    "synthesis.to_rgbs.1.affine.bias": ("to_rgbs.0.conv.modulation.bias", "synthesis.b8.torgb.affine.bias", (NARROW,)),
    "synthesis.to_rgbs.1.conv.weight": ("to_rgbs.0.conv.weight", "synthesis.b8.torgb.weight", (3, NARROW, 1, 1)),
    "synthesis.to_rgbs.1.bias": ("to_rgbs.0.bias", "synthesis.b8.torgb.bias", (3,)),
    "noise_0": ("noises.noise_0", "synthesis.b4.conv1.noise_const", (4, 4)),
    "noise_1": ("noises.noise_1", "synthesis.b8.conv0.noise_const", (8, 8)),
    "noise_2": ("noises.noise_2", "synthesis.b8.conv1.noise_const", (8, 8)),
}
BINOMIAL = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64, dtype=torch.float32)


def formula(name, shape):
    """Numbers that differ from name to name."""
    count = int(np.prod(shape))
    phase = sum(map(ord, name))
    return torch.tensor(np.sin(phase + 0.7 * np.arange(count)).reshape(shape), dtype=torch.float32)


@pytest.fixture
def right_tensors():
    """What a reader must give, by our names."""
    return {ours: formula(ours, shape) for ours, (_, _, shape) in TENSORS.items()}


@pytest.fixture
def rosinality_state():
    """``g_ema`` of rosinality's code."""
    state = {}
    for ours, (theirs, _, shape) in TENSORS.items():
        if theirs.endswith("conv.weight") and len(shape) == 4:
            shape = (1, *shape)
        if theirs in ("input.input", "to_rgb1.bias", "to_rgbs.0.bias"):
            shape = {"input.input": (1, *shape)}.get(theirs, (1, 3, 1, 1))
        if theirs.startswith("noises"):
            shape = (1, 1, *shape)
        state[theirs] = formula(ours, shape or (1,))
    return {**state, "convs.0.conv.blur.kernel": BINOMIAL * 4, "to_rgbs.0.upsample.kernel": BINOMIAL * 4}


class Persistent:
    """Pickled as stylegan2-ada-pytorch's persistent classes are: with its source code."""

    def __init__(self, class_name, parameters=(), buffers=(), modules=(), **attributes):
        self.class_name = class_name
        self.state = {
            "_parameters": OrderedDict((k, torch.nn.Parameter(v)) for k, v in dict(parameters).items()),
            "_buffers": OrderedDict(buffers),
            "_modules": OrderedDict(modules),
            "_non_persistent_buffers_set": set(),
            "weight_gain": np.sqrt(0.5),
            "training": False,
            **attributes,
        }

    def __reduce__(self):
        meta = {
            "type": "class",
            "version": 6,
            "module_src": "raise SystemExit('this must never run')",
            "class_name": self.class_name,
            "state": self.state,
        }
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def network_tree(prefix="", clamp=256, **attributes):
    """Modules of NVIDIA's generator below a prefix."""
    names = {theirs: (ours, shape) for ours, (_, theirs, shape) in TENSORS.items()}
    names["mapping.w_avg"] = ("w_mean", (W_DIM,))
    inside = {name.removeprefix(prefix): value for name, value in names.items() if name.startswith(prefix)}
    children = dict.fromkeys(name.split(".")[0] for name in inside if "." in name)
    own = {name: formula(*value) for name, value in inside.items() if "." not in name}
    buffers = {name: own.pop(name) for name in ("noise_const", "w_avg") if name in own}
    if prefix.endswith(("b4.", "b8.")):
        buffers["resample_filter"] = BINOMIAL
        attributes = {"architecture": "skip"}
    if prefix.endswith(("conv0.", "conv1.", "torgb.")):
        attributes = {"conv_clamp": clamp}
    modules = {child: network_tree(f"{prefix}{child}.", clamp) for child in children}
    return Persistent("Generator" if not prefix else "Part", own, buffers, modules, **attributes)


@pytest.fixture
def nvidia_pickle(monkeypatch):
    """Function that pickles a network as stylegan2-ada-pytorch does."""
    return pickle_writer(monkeypatch)


def pickle_writer(monkeypatch):
    """See ``nvidia_pickle``; the modules of that code base are there until the patch is undone."""
    persistence, package, util = (
        types.ModuleType(n) for n in ("torch_utils.persistence", "torch_utils", "dnnlib.util")
    )

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("the reader called a function of the file")

    class EasyDict(dict):
        pass

    for function, module in ((_reconstruct_persistent_obj, persistence), (EasyDict, util)):
        function.__module__, function.__qualname__ = module.__name__, function.__name__
        setattr(module, function.__name__, function)
    for module in (package, persistence, types.ModuleType("dnnlib"), util):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def write(path, protocol=4, others=MappingProxyType({}), **attributes):
        network = network_tree(**{"c_dim": 0, "init_kwargs": EasyDict(a=1), **attributes})
        content = {"G": None, "D": None, "G_ema": network, "training_set_kwargs": EasyDict(path="x")}
        path.write_bytes(pickle.dumps({**content, **others}, protocol))
        return path

    return write
