"""What the benchmarks beside released code share: how it is imported, and random networks for both sides."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import torch

from eval.weights.layouts import nvidia_name


def leave_empty(*names):
    """Empty modules for what released code imports and does not need, where it is not installed."""
    for name in names:
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__spec__ = ModuleSpec(name, None)


def random_clip():
    """A ViT-B/32 of random weights, and its preprocessing of PIL images."""
    import open_clip

    torch.manual_seed(1)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    return model.eval().requires_grad_(False), preprocess


def random_identity_loss(loss_class, backbone_class):
    """A released ``IDLoss`` on an IR-SE50 of random weights: its constructor reads a file."""
    torch.manual_seed(2)
    loss = object.__new__(loss_class)
    torch.nn.Module.__init__(loss)
    loss.facenet = backbone_class(input_size=112, num_layers=50, drop_ratio=0.6, mode="ir_se")
    loss.pool, loss.face_pool = torch.nn.AdaptiveAvgPool2d((256, 256)), torch.nn.AdaptiveAvgPool2d((112, 112))
    return loss.eval().requires_grad_(False)


def copy_to_nvidia(synthesis, network):
    """Our weights into a synthesis network of NVIDIA's code of the same sizes."""
    own = network.state_dict()
    with torch.no_grad():
        for name, tensor in synthesis.state_dict().items():
            place = own[nvidia_name(f"synthesis.{name}").removeprefix("synthesis.")]
            place.copy_(tensor.view(place.shape))
