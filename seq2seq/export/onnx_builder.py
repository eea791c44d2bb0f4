"""Building ONNX graphs over the weights of a model folder, with onnx.helper.

A graph holds no weights: its initializers point to the tensors in model.safetensors beside it (ONNX's external data),
so that encoder.onnx, step.onnx and model.safetensors share one copy. Transposed, sliced and dequantized matrices are
nodes with constant inputs; onnxruntime computes them once, when it loads the graph.

Products are float32 or, where the folder stores 8-bit matrices and the input lies in [-1, 1], of integers with exact
sums (`GraphBuilder._integer_product`).

N rows, I inputs, O outputs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from seq2seq.portable.folder import SCALES, WEIGHTS
from seq2seq.system.integer import LEVELS

ZERO = 64
"""Stored digit 0: digits of -64 … 63 are stored as 0 … 127."""

TYPES = {"F32": TensorProto.FLOAT, "I8": TensorProto.INT8}
"""Types of tensors in the weights, by their names in the file's header."""


class StoredTensor(NamedTuple):
    """Type, shape and place of a tensor in the file of weights."""

    type: int
    shape: list[int]
    offset: int
    """First byte, counted from the start of the file."""
    length: int
    """Bytes."""

    def initializer(self, name: str) -> TensorProto:
        """An initializer whose data stay in the file."""
        tensor = TensorProto(name=name, data_type=self.type, dims=self.shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", WEIGHTS), ("offset", self.offset), ("length", self.length)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def stored_tensors(file: Path) -> dict[str, StoredTensor]:
    """Read the header of a safetensors file: its tensors by name."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(size))
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, end = entry["data_offsets"]
            tensors[name] = StoredTensor(TYPES[entry["dtype"]], entry["shape"], 8 + size + first, end - first)
    return tensors


class Part(NamedTuple):
    """A part of the input of a product: one vector per row."""

    values_NX: str
    """Name of the values, float32."""
    width: int
    bounded: bool = False
    """Whether the values lie in [-1, 1], so that their products with 8-bit weights are of integers."""
    scale_N1: str = ""
    """Name of the rows' scales, if the values are integers of -127 … 127: the vector is value · scale."""


class GraphBuilder:
    """The nodes of a graph, whose values are passed around by name.

    Args:
        tensors: the stored weights.
        outer: the graph around this one, which is the body of a loop; None: this is the whole graph.
    """

    def __init__(self, tensors: Mapping[str, StoredTensor], outer: "GraphBuilder | None" = None) -> None:
        self.tensors = tensors
        self.root = outer or self
        self.scope: str = outer.scope if outer else ""
        self.names: set[str] = outer.names if outer else set()
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []
        self.digits: dict[str, str] = {}
        """The digits of vectors that were multiplied before, by the vectors' names."""

    @contextmanager
    def module(self, name: str) -> Iterator[None]:
        """Name the nodes added here after a module of the network: ``module/node``."""
        before, self.scope = self.scope, name
        yield
        self.scope = before

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output. Both have this name, or the operator's, within the module."""
        return self.split(op, *inputs, outputs=1, name=name, **attributes)[0]

    def split(self, op: str, *inputs: str, outputs: int, name: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs, which are numbered."""
        name = self._unique(name or op)
        values = [name] if outputs == 1 else [f"{name}.{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, values, name, **attributes))
        return values

    def _unique(self, name: str) -> str:
        base = f"{self.scope}/{name}" if self.scope else name
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return name

    def input(self, name: str, type: int, shape: Sequence[int | str]) -> str:
        """Declare an input of the graph."""
        self.names.add(name)
        self.inputs.append(helper.make_tensor_value_info(name, type, shape))
        return name

    def output(self, value: str, name: str, type: int, shape: Sequence[int | str]) -> None:
        """Make a value an output of the graph, under this name."""
        self.names.add(name)
        self.nodes.append(helper.make_node("Identity", [value], [name], f"output/{name}"))
        self.outputs.append(helper.make_tensor_value_info(name, type, shape))

    def graph(self, name: str) -> GraphProto:
        """The finished graph."""
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, list(self.initializers.values()))

    # Constants and weights belong to the whole graph: the body of a loop reads them from outside.

    def constant(self, value: Any, type: Any = np.float32, name: str = "") -> str:
        """A small constant; equal ones are stored once."""
        array = np.asarray(value, type)
        name = name or f"{array.dtype}{array.tolist()}".replace(" ", "")
        self.root.initializers.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def zeros(self, width: int) -> str:
        """A row of zeros (1, width)."""
        return self.constant(np.zeros((1, width)), name=f"zeros[1,{width}]")

    def integers(self, *values: int) -> str:
        """A list of axes or sizes."""
        return self.constant(values, np.int64)

    def parameter(self, name: str) -> str:
        """A parameter of the network as it is stored."""
        self.root.initializers.setdefault(name, self.tensors[name].initializer(name))
        return name

    def derive(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        """A node with constant inputs and this name, which is added once."""
        if name not in self.names:
            self.names.add(name)
            self.root.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def stored(self, name: str, columns: slice | None = None) -> str:
        """A parameter as it is stored, or some columns of it."""
        if columns is None or columns == slice(0, self.tensors[name].shape[1]):
            return self.parameter(name)
        first, end = columns.start, columns.stop
        bounds = self.integers(first), self.integers(end), self.integers(1)
        return self.derive(f"{name}[:,{first}:{end}]", "Slice", self.parameter(name), *bounds)

    def is_quantized(self, name: str) -> bool:
        """Whether a parameter is stored as 8-bit codes and scales."""
        return self.tensors[name].type == TensorProto.INT8

    def matrix(self, name: str, columns: slice | None = None) -> str:
        """A parameter (O, I), or some columns of it, as float32."""
        stored = self.stored(name, columns)
        if not self.is_quantized(name):
            return stored
        scales_O1 = self.derive(f"{name}/scales", "Unsqueeze", self.parameter(name + SCALES), self.integers(1))
        return self.dequantized(stored, scales_O1)

    def dequantized(self, codes: str, scales: str) -> str:
        """The weights, float32, that constant 8-bit codes stand for."""
        floats = self.derive(f"{codes}/codes", "Cast", codes, to=TensorProto.FLOAT)
        return self.derive(f"{codes}/float32", "Mul", floats, scales)

    # Products.

    def linear(
        self, weight: str, parts: Sequence[Part], added: str = "", columns: slice | None = None, name: str = ""
    ) -> str:
        """Multiply concatenated parts and a weight matrix (O, I).

        Consecutive parts of a kind share a product: of integers if the matrix has 8 bits and they are bounded or have
        scales, else of float32.

        Args:
            weight: the matrix.
            parts: of the input.
            added: value to add to the product: (N, O), (1, O) or (O).
            columns: those of the matrix that the parts meet; None: all.
            name: of the result.

        Returns:
            The sum (N, O), float32.
        """
        name = name or f"{weight}/product"
        first = columns.start if columns else 0

        def kind(part: Part) -> str:
            if not self.is_quantized(weight):
                return "float32"
            return part.scale_N1 or ("unit" if part.bounded else "float32")

        for kind_of_group, group in groupby(parts, kind):
            several = list(group)
            met = slice(first, first + sum(part.width for part in several))
            first = met.stop
            if kind_of_group == "float32":
                inputs_NI = self.concatenated([self.values(part) for part in several])
                addend = [added] if added else []
                added = self.add("Gemm", inputs_NI, self.matrix(weight, met), *addend, name=name, transB=1)
            else:
                product = self._integer_product(several, weight, met, name)
                added = self.add("Add", product, added, name=name) if added else product
        assert first == (columns.stop if columns else self.tensors[weight].shape[1]), f"{weight} has other columns"
        return added

    def values(self, part: Part) -> str:
        """The values of a part, scaled."""
        return self.add("Mul", part.values_NX, part.scale_N1) if part.scale_N1 else part.values_NX

    def concatenated(self, values: Sequence[str], axis: int = 1) -> str:
        """Values one after the other along an axis."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=axis)

    def _integer_product(self, parts: Sequence[Part], weight: str, columns: slice, name: str) -> str:
        """Sum codes · digits exactly, in int32, for high and low digits, and scale the two sums.

        onnxruntime on AVX2 adds two products of bytes in 16 bits. Digits are stored as 0 … 127, so the two are at most
        2 · 127 · 127 < 2^15 and never saturate.
        """
        digits_XI = self.concatenated([self._digits(part) for part in parts])
        stored = self.stored(weight, columns)
        codes_IO = self.derive(f"{stored}/transposed", "Transpose", stored, perm=[1, 0])
        sums_XO = self.add("MatMulInteger", digits_XI, codes_IO, self.constant(ZERO, np.uint8), name=f"{name}/sums")
        floats_XO = self.add("Cast", sums_XO, to=TensorProto.FLOAT)
        high_NO, low_NO = self.split("Split", floats_XO, outputs=2, num_outputs=2, axis=0)
        sums_NO = self.add("Add", self.add("Mul", high_NO, self.constant(128)), low_NO)
        scales_O, scale_N1 = self.parameter(weight + SCALES), parts[0].scale_N1
        if scale_N1:
            return self.add("Mul", self.add("Mul", sums_NO, scales_O), scale_N1)
        return self.add("Mul", sums_NO, self.derive(f"{weight}/units", "Div", scales_O, self.constant(LEVELS)))

    def _digits(self, part: Part) -> str:
        """High digits above low digits (2N, X), uint8: 128 · (high - 64) + low - 64 is the code of a value.

        The code is round(value · LEVELS), or the value itself if it has a scale.
        """
        values_NX = part.values_NX
        if values_NX not in self.digits:
            codes_NX = values_NX
            if not part.scale_N1:
                codes_NX = self.add("Round", self.add("Mul", values_NX, self.constant(LEVELS)))
            shifted_NX = self.add("Add", codes_NX, self.constant(128 * ZERO + ZERO))
            high_NX = self.add("Floor", self.add("Mul", shifted_NX, self.constant(1 / 128)))
            low_NX = self.add("Sub", shifted_NX, self.add("Mul", high_NX, self.constant(128)))
            both_XX = self.add("Concat", high_NX, low_NX, axis=0)
            self.digits[values_NX] = self.add("Cast", both_XX, to=TensorProto.UINT8, name=f"{values_NX}/digits")
        return self.digits[values_NX]
