"""Reads networks stored as OpenVINO IR (``.xml`` and ``.bin``): constants by the layers that use them; runs no code."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from deltaedit.tools.errors import CheckpointError

TYPES = {"f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4"}


class Graph:
    """The layers of an IR and its constants.

    Args:
        path: the ``.xml`` file; the ``.bin`` file of the same name lies beside it.

    Attributes:
        layers: id -> XML element of every layer, in the order of the file.
        sources: (id of a layer, its input port) -> id of the layer that fills it.
        constants: id -> array of every constant.

    Raises:
        CheckpointError: a file is missing, is no IR, or is shorter than its constants.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            root = ElementTree.fromstring(path.read_bytes())
            raw = path.with_suffix(".bin").read_bytes()
        except (OSError, ElementTree.ParseError) as error:
            raise CheckpointError(f"{path} cannot be read as an OpenVINO network ({error}).") from None
        self.layers = {layer.get("id", ""): layer for layer in root.iter("layer")}
        edges = [edge.attrib for edge in root.iter("edge")]
        self.sources = {(e.get("to-layer", ""), e.get("to-port", "")): e.get("from-layer", "") for e in edges}
        constants = {number: layer for number, layer in self.layers.items() if layer.get("type") == "Const"}
        self.constants = {number: self._constant(layer, raw) for number, layer in constants.items()}

    def _constant(self, layer: ElementTree.Element, raw: bytes) -> np.ndarray:
        data = layer.find("data")
        facts = {} if data is None else data.attrib
        try:
            shape = [int(length) for length in facts.get("shape", "").split(",") if length.strip()]
            offset, dtype = int(facts["offset"]), np.dtype(TYPES[facts["element_type"]])
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{self.path}: constant {layer.get('name')!r} is not described ({error}).") from None
        if offset < 0 or min(shape, default=0) < 0 or offset + math.prod(shape) * dtype.itemsize > len(raw):
            raise CheckpointError(
                f"{self.path.with_suffix('.bin')} ends before its constant {layer.get('name')!r}; the file is damaged."
            )
        return np.frombuffer(raw, dtype, math.prod(shape), offset).reshape(shape)

    def of_type(self, *types: str) -> list[ElementTree.Element]:
        """Layers of these types in the order of computation, which the exporter numbered their names by."""

        def number(layer: ElementTree.Element) -> int:
            digits = layer.get("name", "").split("/")[0].rsplit("_", 1)[-1]
            return int(digits) if digits.isdigit() else 10**6  # the last layer has no number

        return sorted((layer for layer in self.layers.values() if layer.get("type") in types), key=number)

    def inputs(self, layer: ElementTree.Element) -> list[np.ndarray | None]:
        """What enters a layer: a constant, or None where it is computed."""
        ports = layer.findall("./input/port")
        return [self.constants.get(self.sources.get((layer.get("id", ""), port.get("id", "")), "")) for port in ports]

    def given(self, layer: ElementTree.Element) -> list[np.ndarray]:
        """The constants that enter a layer."""
        return [constant for constant in self.inputs(layer) if constant is not None]
