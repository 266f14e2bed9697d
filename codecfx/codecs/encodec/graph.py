"""A network as an ONNX graph: the operations of `network.py` write nodes instead of computing.

Caches become inputs `cache0`, `cache1`, ... and outputs `kept0`, `kept1`, ... of the graph; the numbers
of streams and of hops stay open. Needs the `onnx` package (extra `neural`); running a graph does not.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codecfx.codecs.encodec.network import Cell, Network, Weights

# Of 2022: every ONNX Runtime of today reads them
_OPSET = 17
_IR_VERSION = 8
_END = np.iinfo(np.int64).max


def streaming_graph(network: Network) -> bytes:
    """The causal network, from `x` (streams, channels, time) and its caches to `y` and new caches."""
    on, memory = OnGraph(), GraphMemory()
    return on.written(network.stream(on, on.input, memory), memory)


def whole_graph(network: Network) -> bytes:
    """The network that sees all of a sound, from `x` to `y`, both (streams, channels, time)."""
    on = OnGraph()
    return on.written(network.whole(on, on.input), GraphMemory())


class GraphMemory:
    """Caches as inputs and outputs of a graph."""

    def __init__(self) -> None:
        self.recalled: list[str] = []
        self.kept: list[str] = []

    def recall(self) -> str:
        self.recalled.append(f"cache{len(self.recalled)}")
        return self.recalled[-1]

    def keep(self, cache: str) -> None:
        self.kept.append(cache)


class OnGraph:
    """Operations on names of a graph's values. Inside, sound is (streams, channels, 1, time), pictures
    of one row, as caches of sound are: ONNX Runtime has faster convolutions for those.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._count = 0
        self.input = self._node("Unsqueeze", "x", self._numbers(2))

    def written(self, y: str, memory: GraphMemory) -> bytes:
        """The graph that ends in `y`, as a file holds it."""
        kept = [f"kept{index}" for index in range(len(memory.kept))]
        self._nodes.append(helper.make_node("Squeeze", [y, self._numbers(2)], ["y"]))
        for name, output in zip(memory.kept, kept, strict=True):
            self._nodes.append(helper.make_node("Identity", [name], [output]))
        inputs, outputs = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
            for names in (["x", *memory.recalled], ["y", *kept])
        )
        graph = helper.make_graph(self._nodes, "codecfx", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        written: bytes = model.SerializeToString()
        return written

    # The operations

    def convolve(self, x: str, weight: Weights, bias: Weights, stride: int) -> str:
        weights = (self._weights(weight[:, :, np.newaxis]), self._weights(bias))
        return self._node("Conv", x, *weights, strides=[1, stride])

    def upsample(self, x: str, weight: Weights, bias: Weights, first: int, last: int) -> str:
        """As a convolution of kernel 2, whose `stride` outputs for each channel are then put in a row:
        what a sample leaves behind, and what the next one begins with. Faster than ONNX Runtime's own.
        """
        incoming, channels, kernel = weight.shape
        stride = kernel // 2
        inner = first == last == stride
        if not inner:  # nothing comes before the first sample and after the last
            x = self._node("Pad", x, self._numbers(0, 0, 0, 1, 0, 0, 0, 1))
        both = np.stack((weight[:, :, stride:], weight[:, :, :stride]), axis=3)
        rows = both.transpose(1, 2, 0, 3).reshape(channels * stride, incoming, 2)
        y = self.convolve(x, rows, np.repeat(bias, stride), 1)
        y = self._node("Reshape", y, self._numbers(0, channels, stride, -1))
        y = self._node("Transpose", y, perm=[0, 1, 3, 2])
        y = self._node("Reshape", y, self._numbers(0, channels, 1, -1))
        return y if inner else self.trim(y, first, last)

    def lstm(self, x: str, cell: Cell, h: str | None, c: str | None) -> tuple[str, str, str]:
        x = self._node("Squeeze", self._node("Transpose", x, perm=[3, 0, 1, 2]), self._numbers(3))
        biases = np.concatenate((_in_order(cell.bias), 0 * cell.bias))  # ONNX adds two
        weights = (_in_order(cell.of_input), _in_order(cell.of_state), biases)
        stored = [self._weights(one[np.newaxis]) for one in weights]
        size = cell.of_state.shape[1]
        before = [self._node("Unsqueeze", one, self._numbers(0)) if one else "" for one in (h, c)]
        y, h, c = self._outputs(3, "LSTM", x, *stored, "", *before, hidden_size=size)
        y = self._node("Squeeze", y, self._numbers(1))
        h, c = (self._node("Squeeze", one, self._numbers(0)) for one in (h, c))
        y = self._node("Transpose", y, perm=[1, 2, 0])
        return self._node("Unsqueeze", y, self._numbers(2)), h, c

    def normalise(self, x: str, scale: Weights, shift: Weights) -> str:
        """As an instance norm of one long channel, which every runtime has."""
        row = self._node("Reshape", x, self._numbers(0, 1, -1))
        one, nothing = self._weights(np.ones(1)), self._weights(np.zeros(1))
        row = self._node("InstanceNormalization", row, one, nothing, epsilon=1e-5)
        y = self._node("Reshape", row, self._node("Shape", x))
        y = self._node("Mul", y, self._weights(scale[:, np.newaxis, np.newaxis]))
        return self._node("Add", y, self._weights(shift[:, np.newaxis, np.newaxis]))

    def elu(self, x: str) -> str:
        """Of plain parts, for which ONNX Runtime has faster kernels: exp(x) - 1 is above x below 0."""
        below = self._node("Exp", self._node("Min", x, self._weights(np.zeros(()))))
        return self._node("Max", x, self._node("Sub", below, self._weights(np.ones(()))))

    def add(self, x: str, y: str) -> str:
        return self._node("Add", x, y)

    def join(self, x: str, y: str) -> str:
        return self._node("Concat", x, y, axis=3)

    def last(self, x: str, samples: int) -> str:
        return self._slice(x, -samples, _END)

    def trim(self, x: str, first: int, last: int) -> str:
        return self._slice(x, first, -last if last else _END)

    def _slice(self, x: str, start: int, end: int) -> str:
        return self._node("Slice", x, self._numbers(start), self._numbers(end), self._numbers(3))

    def mirror(self, x: str, before: int, after: int) -> str:
        pads = self._numbers(0, 0, 0, before, 0, 0, 0, after)
        return self._node("Pad", x, pads, mode="reflect")

    # Nodes and what they refer to

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        (name,) = self._outputs(1, kind, *inputs, **attributes)
        return name

    def _outputs(self, count: int, kind: str, *inputs: str, **attributes: Any) -> list[str]:
        names = [self._name() for _ in range(count)]
        self._nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def _weights(self, weights: Weights) -> str:
        return self._constant(weights.astype(np.float32))

    def _numbers(self, *numbers: int) -> str:
        return self._constant(np.array(numbers, np.int64))

    def _constant(self, array: NDArray[Any]) -> str:
        name = self._name()
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _in_order(gates: Weights) -> Weights:
    """An LSTM's weights in ONNX's order, which is input, output, forget, cell."""
    enter, forget, new, leave = np.split(gates, 4)
    return np.concatenate((enter, leave, forget, new))
