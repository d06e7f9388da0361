"""The rebuilt network beside a run of the published graph, node by node."""

import importlib.util
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deltaedit.backbones.mobilestylegan import MobileSynthesis, inverse_haar
from deltaedit.tools.errors import CheckpointError
from eval.weights.formats.openvino import Graph
from eval.weights.mobilestylegan import haar_order, read_mapping, read_synthesis


def data_folder():
    found = importlib.util.find_spec("random_face")
    return Path(found.submodule_search_locations[0]) / "data" if found else Path("missing")


needs_files = pytest.mark.skipif(not data_folder().exists(), reason="the package random-face is not installed")


def numbers(text):
    return [int(number) for number in text.split(",")]


def convolution(data, x, weight, grouped):
    stride, padding = numbers(data["strides"]), numbers(data["pads_begin"])
    if grouped:  # [groups, outputs, inputs, h, w]
        return F.conv2d(x, weight.flatten(0, 1), stride=stride, padding=padding, groups=len(weight))
    return F.conv2d(x, weight, stride=stride, padding=padding)


def transposed(data, x, weight):
    return F.conv_transpose2d(x, weight.flatten(0, 1), stride=numbers(data["strides"]), groups=len(weight))


def split(x, axis, lengths):
    lengths = lengths.tolist()
    if -1 in lengths:
        lengths[lengths.index(-1)] = x.shape[int(axis)] - sum(n for n in lengths if n > 0)
    return torch.split(x, lengths, int(axis))


def reshape(x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())])


def squeeze(x, axes):
    for axis in sorted((int(a) % x.ndim for a in axes.reshape(-1)), reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueeze(x, axes):
    for axis in sorted(int(a) for a in axes.reshape(-1)):
        x = x.unsqueeze(axis)
    return x


OPERATIONS = {
    "Add": lambda d, a, b: a + b,
    "Multiply": lambda d, a, b: a * b,
    "Power": lambda d, a, b: a**b,
    "MatMul": lambda d, a, b: a @ (b.T if d["transpose_b"] == "true" else b),
    "ReduceMean": lambda d, a, axes: a.mean([int(i) for i in axes.reshape(-1)], keepdim=d["keep_dims"] == "true"),
    "ShapeOf": lambda d, a: torch.tensor(a.shape),
    "Gather": lambda d, a, index, axis: torch.index_select(a, int(axis), index.reshape(-1)).reshape(index.shape),
    "Concat": lambda d, *parts: torch.cat([p.reshape(1) if p.ndim == 0 else p for p in parts], int(d["axis"])),
    "Unsqueeze": lambda d, a, axes: unsqueeze(a, axes),
    "Squeeze": lambda d, a, axes: squeeze(a, axes),
    "Reshape": lambda d, a, shape: reshape(a, shape),
    "PReLU": lambda d, a, slope: F.prelu(a, slope.reshape(-1)),
    "Broadcast": lambda d, a, shape: a.expand(torch.broadcast_shapes(a.shape, shape.tolist())),
    "Tile": lambda d, a, repeats: a.repeat(repeats.tolist()),
    "VariadicSplit": lambda d, a, axis, lengths: split(a, axis, lengths),
    "Convolution": lambda d, a, b: convolution(d, a, b, False),
    "GroupConvolution": lambda d, a, b: convolution(d, a, b, True),
    "GroupConvolutionBackpropData": lambda d, a, b: transposed(d, a, b),
}


def run_graph(path, value):
    """The graph's output, every layer by itself."""
    graph = Graph(path)
    root = {number: layer for number, layer in graph.layers.items()}
    edges = {}
    for edge in ElementTree.parse(path).getroot().iter("edge"):
        edges[edge.get("to-layer"), edge.get("to-port")] = (edge.get("from-layer"), edge.get("from-port"))
    known = {(number, None): torch.from_numpy(np.array(c)) for number, c in graph.constants.items()}

    def output(number, port):
        layer = root[number]
        if (number, None) in known:
            found = known[number, None]
        elif layer.get("type") == "Parameter":
            found = value
        else:
            inputs = [output(*edges[number, p.get("id")]) for p in layer.findall("./input/port")]
            if layer.get("type") == "Result":
                return inputs[0]
            data = layer.find("data")
            found = OPERATIONS[layer.get("type")]({} if data is None else data.attrib, *inputs)
            known[number, None] = found
        if isinstance(found, tuple):
            ports = [p.get("id") for p in layer.findall("./output/port")]
            return found[ports.index(port)]
        return found

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20000)
    try:
        return output(next(n for n, layer in root.items() if layer.get("type") == "Result"), None)
    finally:
        sys.setrecursionlimit(before)


@needs_files
def test_both_networks_equal_the_graph_run_node_by_node():
    z = torch.randn(1, 512, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        w = read_mapping(data_folder() / "MappingNetwork.xml")(z)
        torch.testing.assert_close(w, run_graph(data_folder() / "MappingNetwork.xml", z), atol=1e-5, rtol=1e-5)
        whole = run_graph(data_folder() / "SynthesisNetwork.xml", w)
        synthesis = read_synthesis(data_folder() / "SynthesisNetwork.xml")
        picture = synthesis(w[:, None].expand(-1, synthesis.latents, -1))
    assert whole.shape == (1, 3, 1024, 1024)
    assert (picture - F.avg_pool2d(whole, 4)).abs().max() < 1e-4


def small():
    torch.manual_seed(0)
    synthesis = MobileSynthesis((8, 8, 8, 4), 6).eval()
    for name, buffer in synthesis.named_buffers():
        buffer.copy_(torch.rand(buffer.shape) if name != "gains" else 0.5 + torch.rand(buffer.shape))
    return synthesis


def test_layout_of_the_published_network():
    synthesis = MobileSynthesis()
    assert (synthesis.resolution, synthesis.latents, synthesis.s_size, synthesis.s_rgb_size) == (256, 23, 6688, 64)
    assert [at.resolution for at in synthesis.layout[:7]] == [4, 8, 8, 8, 16, 16, 16]
    assert [at.channels for at in synthesis.layout[-6:]] == [256, 64, 128, 128, 32, 64]


def test_haar_by_hand():
    x = torch.tensor([7.0, 2.0, 1.0, 0.5]).reshape(1, 4, 1, 1)  # mean, rows, columns, diagonal
    expected = torch.tensor([[7 + 2 + 1 + 0.5, 7 + 2 - 1 - 0.5], [7 - 2 + 1 - 0.5, 7 - 2 - 1 + 0.5]])
    torch.testing.assert_close(inverse_haar(x)[0, 0], expected)
    assert haar_order(8).tolist() == [0, 1, 2, 5, 3, 6, 4, 7]


def test_a_batch_is_its_pictures_and_gradients_are_those_of_differences():
    synthesis = small()
    w_plus = torch.randn(3, synthesis.latents, 6)
    with torch.no_grad():
        batch = synthesis(w_plus)
        torch.testing.assert_close(batch, torch.cat([synthesis(row[None]) for row in w_plus]))
    assert batch.shape == (3, 3, 64, 64)
    synthesis = synthesis.double()
    s, rgb = (part.detach().requires_grad_() for part in synthesis.styles(w_plus[:1].double()))
    assert torch.autograd.gradcheck(lambda a, b: synthesis.synthesize(a, b)[..., ::16, ::16], (s, rgb), eps=1e-6)


@pytest.mark.parametrize("damage", ["xml", "bin", "other"])
def test_files_that_are_not_the_network_are_told(tmp_path, damage):
    path = tmp_path / "SynthesisNetwork.xml"
    constant = (
        '<layer id="0" name="c" type="Const"><data element_type="f32" shape="2, 2" offset="0" size="16"/></layer>'
    )
    path.write_text("<net><layers>" + constant + "</layers></net>" if damage != "xml" else "<net>")
    path.with_suffix(".bin").write_bytes(bytes(16 if damage != "bin" else 15))
    with pytest.raises(CheckpointError, match=r"cannot be read|ends before its constant 'c'|is not the synthesis"):
        read_synthesis(path)


def test_the_guard_draws_the_picture_of_the_nearest_w():
    synthesis = small()
    w = torch.randn(2, 6)
    w_plus = w[:, None].expand(-1, synthesis.latents, -1)
    s, rgb = synthesis.styles(w_plus)
    spread = 0.5 + torch.rand(s.shape[1])
    with torch.no_grad():
        plain = synthesis.synthesize(s, rgb)
        asked = s + torch.randn(s.shape)
        # the nearest w by a second way: least squares of numpy on the affine maps of all layers
        affine = np.concatenate([a.weight.numpy() for a in synthesis.affines][:-1]) / spread.numpy()[:, None]
        offset = np.concatenate([a.bias.numpy() for a in synthesis.affines][:-1])
        found = np.linalg.lstsq(affine, ((asked.numpy() - offset) / spread.numpy()).T, rcond=None)[0].T
        nearest = synthesis(torch.from_numpy(found)[:, None].expand(-1, synthesis.latents, -1))
        synthesis.stay_near(spread)
        torch.testing.assert_close(synthesis.synthesize(s, rgb), plain, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(synthesis.synthesize(asked, rgb), nearest, atol=1e-3, rtol=1e-3)
