"""A graph as a list of numpy calls: every tensor gets its place, every operator its calls.

A network's memory is what its layers still have to see of the past: the first steps of their inputs,
which stay where they are from frame to frame. What is joined is computed where it is joined, so that
joining, like cutting and quantising, costs nothing.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from codecfx.codecs.lyra.layers import (
    Array,
    Call,
    convolution,
    depthwise_convolution,
    empty,
    leaky_relu,
    tiled,
    transposed_convolution,
)
from codecfx.codecs.lyra.tflite import Graph, Operator

_VALID = 1  # padding: none
_LARGEST = 1 << 16  # values of a tensor; Lyra's have some thousand
_LARGEST_WEIGHT = 1e4  # Lyra's are below 10
_SAME = ("RESHAPE", "QUANTIZE", "DEQUANTIZE")  # what comes out is what went in, in floats
_PIECES = ("STRIDED_SLICE", "SPLIT", "CONCATENATION")  # of something, or made of pieces


class Plan:
    """The calls of one network, and the arrays between which they work."""

    def __init__(
        self, graph: Graph, start: dict[str, Array], arranged: dict[tuple[int, str], Array]
    ) -> None:
        """`start` is what a new network remembers, `arranged` weights as `layers.py` wants them.

        Raises ValueError, IndexError or KeyError for a graph that is no network of Lyra's.
        """
        self._graph, self._start, self._arranged = graph, start, arranged
        self._roots = list(range(len(graph.tensors)))  # which tensors are the same
        self._arrays: dict[int, Array] = {}  # by root
        self._names: dict[int, str] = {}  # of variables
        self._states: dict[int, Array] = {}
        self.calls: list[Call] = []
        self._last: list[Call] = []  # what is kept of the frame, once all have seen it
        for operator in graph.operators:
            if operator.kind in _SAME:
                self._roots[operator.outputs[0]] = self._roots[operator.inputs[0]]
        self._place_what_is_joined()
        self.input = self._array(graph.inputs[0])
        for operator in graph.operators:
            if operator.kind not in (*_SAME, "CALL_ONCE"):
                self._add(operator)
        self.output = self._array(graph.outputs[0])
        self.calls += self._last
        self.memory = list(self._states.values())

    def _add(self, operator: Operator) -> None:
        if operator.options.get("activation") or operator.options.get("padding", _VALID) != _VALID:
            raise ValueError(f"a {operator.kind} of another kind")
        if operator.kind not in _ADDED:
            raise ValueError(f"an operator {operator.kind}")
        self.calls += _ADDED[operator.kind](self, operator)

    # Places

    def _array(self, tensor: int) -> Array:
        """Where a tensor is: (steps, channels)."""
        root = self._roots[tensor]
        if root not in self._arrays:
            constant, shape = self._graph.tensors[root].constant, self._shape(root)
            self._arrays[root] = empty(*shape) if constant is None else constant.reshape(shape)
        return self._arrays[root]

    def _shape(self, tensor: int) -> tuple[int, int]:
        """(steps, channels) of what the file has as (1, steps), (1, steps, channels) or
        (1, steps, 1, channels).
        """
        shape = self._graph.tensors[tensor].shape
        steps, channels = shape[1], shape[-1] if len(shape) > 2 else 1
        if not 0 < steps * channels <= _LARGEST:
            raise ValueError("a tensor that is too large")
        return steps, channels

    def _constant(self, tensor: int) -> Array:
        constant = self._graph.tensors[tensor].constant
        if constant is None:
            raise ValueError("weights that are computed")
        return constant

    def _is_constant(self, tensor: int) -> bool:
        return self._graph.tensors[self._roots[tensor]].constant is not None

    def _place_what_is_joined(self) -> None:
        cut = {
            self._roots[output]
            for operator in self._graph.operators
            if operator.kind in _PIECES
            for output in operator.outputs
        }
        for operator in self._graph.operators:
            for tensor, part in self._parts(operator) if operator.kind == "CONCATENATION" else ():
                if not self._is_constant(tensor) and self._roots[tensor] not in cut:
                    self._arrays.setdefault(self._roots[tensor], part)

    def _parts(self, operator: Operator) -> Iterator[tuple[int, Array]]:
        """What is joined, and where in the whole it belongs."""
        whole = self._array(operator.outputs[0])
        along_time = operator.options["axis"] == 1
        at = 0
        for tensor in operator.inputs:
            after = at + self._shape(tensor)[0 if along_time else 1]
            yield tensor, whole[at:after] if along_time else whole[:, at:after]
            at = after

    def _memo(self, operator: Operator) -> Callable[[str, Callable[[], Array]], Array]:
        def memo(name: str, make: Callable[[], Array]) -> Array:
            key = operator.outputs[0], name
            if key not in self._arranged:
                made = np.ascontiguousarray(make(), np.float32)
                if not np.abs(made).max() < _LARGEST_WEIGHT:  # nor if it is no number
                    raise ValueError("weights beyond all measure")
                self._arranged[key] = made
            return self._arranged[key]

        return memo

    # Operators

    def _add_variable(self, operator: Operator) -> Iterator[Call]:
        self._names[operator.outputs[0]] = str(operator.options["name"])
        yield from ()

    def _add_recall(self, operator: Operator) -> Iterator[Call]:
        variable, state = operator.inputs[0], self._array(operator.outputs[0])
        state[:] = self._start[self._names[variable]].reshape(state.shape)
        self._states[variable] = state
        yield from ()

    def _add_keeping(self, operator: Operator) -> Iterator[Call]:
        variable, value = operator.inputs
        self._last.append(partial(np.copyto, self._states[variable], self._array(value)))
        yield from ()

    def _add_joint(self, operator: Operator) -> Iterator[Call]:
        for tensor, part in self._parts(operator):
            array = self._array(tensor)
            if self._is_constant(tensor):
                part[:] = array
            elif array.ctypes.data != part.ctypes.data:
                yield partial(np.copyto, part, array)

    def _add_slice(self, operator: Operator) -> Iterator[Call]:
        whole, *ends = operator.inputs
        masks = int(operator.options["begin_mask"]), int(operator.options["end_mask"])
        first, last = (  # of the steps, the second dimension; a mask's bit leaves it open
            None if mask & 2 else int(self._constant(end)[1])
            for end, mask in zip(ends[:2], masks, strict=True)
        )
        self._arrays[operator.outputs[0]] = self._array(whole)[first:last]  # all have a stride of 1
        yield from ()

    def _add_split(self, operator: Operator) -> Iterator[Call]:
        parts = np.split(self._array(operator.inputs[1]), len(operator.outputs), axis=1)
        self._arrays.update(zip(operator.outputs, parts, strict=True))
        yield from ()

    def _add_sum(self, operator: Operator) -> Iterator[Call]:
        one, other = (self._array(tensor) for tensor in operator.inputs)
        yield partial(np.add, one, other, self._array(operator.outputs[0]))

    def _add_difference(self, operator: Operator) -> Iterator[Call]:
        one, vector = operator.inputs
        y = self._array(operator.outputs[0])
        vectors = self._memo(operator)("bias", lambda: tiled(self._constant(vector), y))
        yield partial(np.subtract, self._array(one), vectors, y)

    def _add_leaky_relu(self, operator: Operator) -> Iterator[Call]:
        x, y = self._array(operator.inputs[0]), self._array(operator.outputs[0])
        return leaky_relu(x, y, float(operator.options["alpha"]))

    def _add_convolution(self, operator: Operator) -> Iterator[Call]:
        incoming, kernel, bias = operator.inputs
        of_kind = convolution if operator.kind == "CONV_2D" else depthwise_convolution
        return of_kind(
            self._array(incoming),
            self._array(operator.outputs[0]),
            self._constant(kernel),
            self._constant(bias),
            int(operator.options["stride"]),
            int(operator.options["dilation"]),
            self._memo(operator),
        )

    def _add_transposed_convolution(self, operator: Operator) -> Iterator[Call]:
        _, kernel, incoming, bias = operator.inputs
        return transposed_convolution(
            self._array(incoming),
            self._array(operator.outputs[0]),
            self._constant(kernel),
            self._constant(bias),
            int(operator.options["stride"]),
            self._memo(operator),
        )


_ADDED: dict[str, Callable[[Plan, Operator], Iterator[Call]]] = {
    "VAR_HANDLE": Plan._add_variable,
    "READ_VARIABLE": Plan._add_recall,
    "ASSIGN_VARIABLE": Plan._add_keeping,
    "CONCATENATION": Plan._add_joint,
    "STRIDED_SLICE": Plan._add_slice,
    "SPLIT": Plan._add_split,
    "ADD": Plan._add_sum,
    "SUB": Plan._add_difference,
    "LEAKY_RELU": Plan._add_leaky_relu,
    "CONV_2D": Plan._add_convolution,
    "DEPTHWISE_CONV_2D": Plan._add_convolution,
    "TRANSPOSE_CONV": Plan._add_transposed_convolution,
}
