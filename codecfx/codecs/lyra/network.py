"""A network of Lyra in numpy: a list of calls, made of a graph once and run for every frame.

What runs in 8 bits in the file is computed in float32 here: that is as near to either kernel set of
TensorFlow Lite as these are to one another (5 % of the features, 0.1 % of the sound's likeness). Always
one frame at a time: products of other shapes would give other bits.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np

from codecfx.codecs.lyra.layers import Array
from codecfx.codecs.lyra.plan import Plan
from codecfx.codecs.lyra.tflite import Graph


class FrameNetwork(Protocol):
    """What computes a frame, and remembers what it has to of the frames before."""

    def run(self, values: Array) -> Array:
        """One frame: float32 (inputs), to (outputs), which the next call may overwrite."""

    def reset(self) -> None:
        """As if new."""


@dataclass(frozen=True, slots=True, eq=False)
class Blueprint:
    """What all networks of a file share. `arranged` are its weights in the order that products want."""

    graph: Graph
    start: dict[str, Array]  # what a new stream remembers, by name
    arranged: dict[tuple[int, str], Array] = field(default_factory=dict)


class Network:
    """A network with a memory of its own."""

    def __init__(self, blueprint: Blueprint) -> None:
        """Raises ValueError and the like for a graph that is no network of Lyra's."""
        plan = Plan(blueprint.graph, blueprint.start, blueprint.arranged)
        self._calls = plan.calls
        self._input, self._output = plan.input.reshape(-1), plan.output.reshape(-1)
        self._memory = [(array, array.copy()) for array in plan.memory]
        self.run(np.zeros_like(self._input))  # numpy refuses here what does not fit together
        self.reset()

    @property
    def sizes(self) -> tuple[int, int]:
        """How many values go in and come out."""
        return self._input.size, self._output.size

    def run(self, values: Array) -> Array:
        self._input[:] = values
        for call in self._calls:
            call()
        return self._output

    def reset(self) -> None:
        for array, as_new in self._memory:
            array[:] = as_new


@lru_cache(maxsize=8)
def blueprint_of(graphs: tuple[Graph, ...]) -> Blueprint:
    """What a file's graphs describe. Raises ValueError and the like."""
    first = graphs[0]
    start: dict[str, Array] = {}
    for operator in first.operators:
        if operator.kind == "CALL_ONCE":
            start |= _assigned(graphs[int(operator.options["graph"])])
    return Blueprint(first, start)


def _assigned(graph: Graph) -> dict[str, Array]:
    """What a graph assigns to variables, by their names."""
    names = {one.outputs[0]: one.options["name"] for one in graph.operators if one.kind == "VAR_HANDLE"}
    values = {}
    for one in graph.operators:
        if one.kind == "ASSIGN_VARIABLE":
            variable, value = one.inputs
            values[str(names[variable])] = np.asarray(graph.tensors[value].constant, np.float32)
    return values
