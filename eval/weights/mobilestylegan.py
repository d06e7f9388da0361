"""MobileStyleGAN from the two OpenVINO networks of the package ``random-face``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.mobilestylegan import WIDTHS, MobileSynthesis, style_sizes
from deltaedit.tools.errors import CheckpointError
from eval.weights.formats.openvino import Graph

SLOPE = 0.2


def haar_order(channels: int) -> Tensor:
    """Where the channels of ``inverse_haar`` stand in the file: means first, then the differences of each, interleaved.

    >>> haar_order(8).tolist()
    [0, 1, 2, 5, 3, 6, 4, 7]
    """
    quarter = channels // 4
    differences = quarter + 3 * torch.arange(quarter)
    return torch.cat([torch.arange(quarter), differences, differences + 1, differences + 2])


class MobileMapping(nn.Module):
    """z -> w of the published network: z by its root mean square, then fully connected layers with leaky ReLU.

    Args:
        weights: float32 [D, inputs] of each layer.
        biases: float32 [D] of each.
        gains: what each layer's output is multiplied by.
    """

    def __init__(self, weights: list[Tensor], biases: list[Tensor], gains: list[float]) -> None:
        super().__init__()
        self.gains = gains
        self.weights = nn.ParameterList(nn.Parameter(weight, False) for weight in weights)
        self.biases = nn.ParameterList(nn.Parameter(bias, False) for bias in biases)

    def forward(self, z: Tensor) -> Tensor:
        """Z [N, 512], standard normal -> w [N, 512]."""
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for weight, bias, gain in zip(self.weights, self.biases, self.gains, strict=True):
            x = F.leaky_relu(F.linear(x, weight, bias), SLOPE) * gain
        return x


def read_mapping(path: Path) -> MobileMapping:
    """The mapping network of ``MappingNetwork.xml``.

    Raises:
        CheckpointError: the file is not that network.
    """
    graph = Graph(path)
    weights = [_first(graph, layer) for layer in graph.of_type("MatMul")]
    biases = [_first(graph, layer).reshape(-1) for layer in graph.of_type("Reshape")]
    factors = [graph.given(layer) for layer in graph.of_type("Multiply") if layer.get("name") != "Div_6"]
    gains = [float(given[0].reshape(-1)[0]) for given in factors if given]
    if not (len(weights) == len(biases) == len(gains) > 0) or any(w.shape != (512, 512) for w in weights):
        raise CheckpointError(f"{path} is not the mapping network of MobileStyleGAN.")
    return MobileMapping([_tensor(w) for w in weights], [_tensor(b) for b in biases], gains)


def read_synthesis(path: Path) -> MobileSynthesis:
    """The synthesis network of ``SynthesisNetwork.xml``, frozen.

    The exporter interleaved the channels of the Haar transform; here they are sorted, in the kernels before it and in
    its styles.

    Raises:
        CheckpointError: the file is not that network.
    """
    graph = Graph(path)
    synthesis = MobileSynthesis()
    state = {**_styles(graph), **_convolutions(graph)}
    wanted = {name: tuple(tensor.shape) for name, tensor in synthesis.state_dict().items()}
    if {name: tuple(tensor.shape) for name, tensor in state.items()} != wanted:
        raise CheckpointError(f"{path} is not the synthesis network of MobileStyleGAN.")
    synthesis.load_state_dict(state)
    return synthesis.eval().requires_grad_(False)


def _styles(graph: Graph) -> dict[str, Tensor]:
    """The affine maps, and what the graph multiplies each style by."""
    weights = {_name(layer): _first(graph, layer, 1) for layer in graph.of_type("MatMul")}
    biases = {_name(layer): _first(graph, layer) for layer in graph.of_type("Add") if _name(layer).startswith("Gemm")}
    factors = [float(c.reshape(-1)[0]) for layer in graph.of_type("Multiply") for c in graph.given(layer)]
    gains, used = iter(factors), torch.ones(len(style_sizes()))
    names = sorted(weights, key=lambda name: int(name.rsplit("_", 1)[1]))
    state = {}
    if len(names) != len(style_sizes()) or len(factors) != len(names) - len(WIDTHS) + 1 or set(names) != set(biases):
        raise CheckpointError(f"{graph.path} is not the synthesis network of MobileStyleGAN.")
    for row, name in enumerate(names):
        weight, bias = _tensor(weights[name]), _tensor(biases[name]).reshape(-1)
        if row % 3 == 1 and row < len(names) - 1:  # the style before an inverse Haar transform
            order = haar_order(len(bias))
            weight, bias = weight[order], bias[order]
        else:
            used[row] = next(gains)
        state[f"affines.{row}.weight"], state[f"affines.{row}.bias"] = weight, bias
    return {**state, "gains": used}


def _convolutions(graph: Graph) -> dict[str, Tensor]:
    """Constant, kernels, noise and biases."""
    kernels = [_tensor(_first(graph, layer, 1)) for layer in graph.of_type("Convolution", "GroupConvolution")]
    added = [graph.given(layer) for layer in graph.of_type("Add") if _name(layer).startswith("Add_")]
    added = [given for given in added if given]
    noises = [_tensor(given[0]) for given in added if given[0].shape[1] == 1]
    biases = [_tensor(given[0]).reshape(-1) for given in added if given[0].shape[1] != 1]
    count = 2 * len(WIDTHS) - 1
    if len(kernels) != 2 * count or len(noises) != count or len(biases) != count + 1:
        raise CheckpointError(f"{graph.path} is not the synthesis network of MobileStyleGAN.")
    constants = [c for c in graph.constants.values() if c.shape == (1, WIDTHS[0], 4, 4)]
    state = {"constant": _tensor(constants[0])} if constants else {}
    for number in range(count):
        weight, bias = kernels[2 * number], biases[number]
        if number % 2 == 0 and number < count - 1:  # the last of a level: an inverse Haar transform follows
            order = haar_order(len(bias))
            weight, bias = weight[order], bias[order]
        if number:
            state[f"convs.{number}.depthwise"] = kernels[2 * number - 1].reshape(-1, 1, 3, 3)
        state |= {
            f"convs.{number}.weight": weight if number == 0 else weight.reshape(*weight.shape[:2], 1, 1),
            f"convs.{number}.bias": bias,
            f"convs.{number}.noise": noises[number],
        }
    order = haar_order(12)
    return {**state, "to_rgb": kernels[-1].reshape(12, -1, 1, 1)[order], "rgb_bias": biases[-1][order]}


def _name(layer: object) -> str:
    return str(layer.get("name", "")).split("/")[0]  # type: ignore[attr-defined]


def _first(graph: Graph, layer: object, port: int | None = None) -> np.ndarray:
    """The constant at an input port of a layer, or the only one that enters it."""
    given = graph.given(layer) if port is None else [graph.inputs(layer)[port]]  # type: ignore[arg-type]
    if not given or given[0] is None:
        raise CheckpointError(f"{graph.path} is not a network of MobileStyleGAN: {_name(layer)!r} has no constant.")
    return given[0]


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
