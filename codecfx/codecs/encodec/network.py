"""EnCodec's networks (SEANet), described once and run by whoever knows the operations.

`arrays.py` computes them on numpy arrays in any precision; `graph.py` writes the same description down
as an ONNX graph. Sound is (streams, channels, time) throughout.

The causal network streams exactly. A layer that looks back keeps what it still has to see, its cache:
a convolution of kernel k and stride s the last k - s samples, a transposed one the last sample, an LSTM
its two vectors. The `encodec` package starts each layer by mirroring what comes first, so a start wants
the first START_HOPS hops at once; and ends it by mirroring what came last, where the last hop is not
whole. The other network sees a whole segment and has no memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = NDArray[np.float64]
Sound = TypeVar("Sound")

START_HOPS = 7  # the last convolution, of kernel 7, mirrors the six hops after the first


class Operations(Protocol[Sound]):
    """What a network is made of. Time is the last axis."""

    def convolve(self, x: Sound, weight: Weights, bias: Weights, stride: int) -> Sound:
        """Without padding; weight is (out, in, kernel)."""

    def upsample(self, x: Sound, weight: Weights, bias: Weights, first: int, last: int) -> Sound:
        """Transposed convolution, weight (in, out, 2 * stride), without its first and last samples."""

    def lstm(
        self, x: Sound, cell: "Cell", h: Sound | None, c: Sound | None
    ) -> tuple[Sound, Sound, Sound]:
        """One layer over all of x, from the state h and c, (streams, size), or none: output, h, c."""

    def normalise(self, x: Sound, scale: Weights, shift: Weights) -> Sound:
        """Over channels and time of each stream (group norm of one group, epsilon 1e-5)."""

    def elu(self, x: Sound) -> Sound: ...

    def add(self, x: Sound, y: Sound) -> Sound: ...

    def join(self, x: Sound, y: Sound) -> Sound:
        """One after the other in time."""

    def last(self, x: Sound, samples: int) -> Sound:
        """The end of x."""

    def trim(self, x: Sound, first: int, last: int) -> Sound:
        """x without its first and last samples."""

    def mirror(self, x: Sound, before: int, after: int) -> Sound:
        """x with what its start and end look like in a mirror standing on the outermost sample."""


class Memory(Protocol[Sound]):
    """Where layers find what they kept, in the order of the network, and keep what comes next."""

    def recall(self) -> Sound | None:
        """What the layer kept last; None at the start of the sound."""

    def keep(self, cache: Sound) -> None: ...


class Layer(Protocol):
    """A step of a network, in both ways of running it."""

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], missing: int) -> Sound:
        """Go on with x. `missing` samples of the layer's input would complete its last hop."""

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        """All of a sound at once, padded on both sides."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution, strided to bring time down, perhaps with a norm behind it."""

    weight: Weights  # (out, in, kernel)
    bias: Weights
    stride: int = 1
    norm: tuple[Weights, Weights] | None = None  # scale and shift per channel

    @property
    def overlap(self) -> int:
        """How far a window reaches back over the one before."""
        return int(self.weight.shape[2]) - self.stride

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], missing: int) -> Sound:
        if self.overlap:
            cache = memory.recall()
            x = on.mirror(x, self.overlap, 0) if cache is None else on.join(cache, x)
            memory.keep(on.last(x, self.overlap))
        if missing:
            x = on.mirror(x, 0, missing)
        return on.convolve(x, self.weight, self.bias, self.stride)

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        if self.overlap:
            after = self.overlap // 2
            x = on.mirror(x, self.overlap - after, after)
        x = on.convolve(x, self.weight, self.bias, self.stride)
        return on.normalise(x, *self.norm) if self.norm else x


@dataclass(frozen=True, slots=True)
class Upsampling:
    """A transposed convolution of twice its stride, perhaps with a norm behind it."""

    weight: Weights  # (in, out, 2 * stride)
    bias: Weights
    norm: tuple[Weights, Weights] | None = None

    @property
    def stride(self) -> int:
        return int(self.weight.shape[2]) // 2

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], missing: int) -> Sound:
        cache = memory.recall()
        memory.keep(on.last(x, 1))
        if cache is None:  # the first frame has no left neighbour
            return on.upsample(x, self.weight, self.bias, 0, self.stride)
        return on.upsample(on.join(cache, x), self.weight, self.bias, self.stride, self.stride)

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        x = on.upsample(x, self.weight, self.bias, 0, 0)
        x = on.normalise(x, *self.norm) if self.norm else x  # with the ends, as the package does
        after = self.stride // 2
        return on.trim(x, self.stride - after, after)


@dataclass(frozen=True, slots=True)
class Cell:
    """One layer of an LSTM; gates in torch's order: input, forget, cell, output."""

    of_input: Weights  # (4 * size, size)
    of_state: Weights  # (4 * size, size)
    bias: Weights  # (4 * size)


@dataclass(frozen=True, slots=True)
class LSTM:
    """Layers of LSTM, added to what goes in."""

    cells: Sequence[Cell]

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], missing: int) -> Sound:
        y = x
        for cell in self.cells:
            y, h, c = on.lstm(y, cell, memory.recall(), memory.recall())
            memory.keep(h)
            memory.keep(c)
        return on.add(y, x)

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        y = x
        for cell in self.cells:
            y, _, _ = on.lstm(y, cell, None, None)
        return on.add(y, x)


@dataclass(frozen=True, slots=True)
class Residual:
    """A narrow look around, and back to full width, added to a convolution of kernel 1."""

    narrow: Convolution
    widen: Convolution
    shortcut: Convolution

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], missing: int) -> Sound:
        y = self.narrow.stream(on, on.elu(x), memory, 0)
        y = self.widen.stream(on, on.elu(y), memory, 0)
        return on.add(self.shortcut.stream(on, x, memory, 0), y)

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        y = self.narrow.whole(on, on.elu(x))
        y = self.widen.whole(on, on.elu(y))
        return on.add(self.shortcut.whole(on, x), y)


@dataclass(frozen=True, slots=True)
class Activation:
    """ELU."""

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], missing: int) -> Sound:
        return on.elu(x)

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        return on.elu(x)


@dataclass(frozen=True, slots=True)
class Network:
    """Layers one after another: an encoder, or a decoder."""

    layers: Sequence[Layer]

    def stream(self, on: Operations[Sound], x: Sound, memory: Memory[Sound], samples: int = 0) -> Sound:
        """Go on with x. `samples` of an encoder's x, where its last hop may not be whole."""
        for layer in self.layers:
            stride = layer.stride if isinstance(layer, Convolution) else 1
            missing = -samples % stride
            x = layer.stream(on, x, memory, missing)
            samples = (samples + missing) // stride
        return x

    def whole(self, on: Operations[Sound], x: Sound) -> Sound:
        for layer in self.layers:
            x = layer.whole(on, x)
        return x
