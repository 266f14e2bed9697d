"""The networks on numpy arrays, in the precision of what goes in: the exact reference for the graphs,
and what gets a new stream started.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codecfx.codecs.encodec.network import Cell, Weights

Array = NDArray[np.floating]


class OnArrays:
    """Operations on (streams, channels, time)."""

    def convolve(self, x: Array, weight: Weights, bias: Weights, stride: int) -> Array:
        kernel = weight.shape[2]
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=2)[:, :, ::stride]
        columns = windows.transpose(0, 1, 3, 2).reshape(x.shape[0], x.shape[1] * kernel, -1)
        rows = weight.reshape(weight.shape[0], -1).astype(x.dtype)
        return rows @ columns + bias.astype(x.dtype)[:, np.newaxis]

    def upsample(self, x: Array, weight: Weights, bias: Weights, first: int, last: int) -> Array:
        streams, _, samples = x.shape
        channels, stride = weight.shape[1], weight.shape[2] // 2
        rows = weight.transpose(1, 2, 0).reshape(-1, weight.shape[0]).astype(x.dtype)
        spread = (rows @ x).reshape(streams, channels, 2, stride, samples)  # both halves of the kernel
        both = spread.transpose(0, 1, 2, 4, 3).reshape(streams, channels, 2, samples * stride)
        y = np.zeros((streams, channels, (samples + 1) * stride), x.dtype)
        y[:, :, :-stride] = both[:, :, 0]
        y[:, :, stride:] += both[:, :, 1]
        y += bias.astype(x.dtype)[:, np.newaxis]
        return self.trim(y, first, last)

    def lstm(
        self, x: Array, cell: Cell, h: Array | None, c: Array | None
    ) -> tuple[Array, Array, Array]:
        size = cell.of_state.shape[1]
        nothing = np.zeros((x.shape[0], size), x.dtype)
        h, c = nothing if h is None else h, nothing if c is None else c
        of_state = cell.of_state.T.astype(x.dtype)
        driven = x.transpose(2, 0, 1) @ cell.of_input.T.astype(x.dtype) + cell.bias.astype(x.dtype)
        output = []
        for step in driven:
            enter, forget, new, leave = np.split(step + h @ of_state, 4, axis=1)
            c = _sigmoid(forget) * c + _sigmoid(enter) * np.tanh(new)
            h = _sigmoid(leave) * np.tanh(c)
            output.append(h)
        return np.stack(output, axis=2), h, c

    def normalise(self, x: Array, scale: Weights, shift: Weights) -> Array:
        centred = x - x.mean(axis=(1, 2), keepdims=True)
        level = np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True) + 1e-5)
        scaled = centred / level * scale.astype(x.dtype)[:, np.newaxis]
        normal: Array = scaled + shift.astype(x.dtype)[:, np.newaxis]
        return normal

    def elu(self, x: Array) -> Array:
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

    def add(self, x: Array, y: Array) -> Array:
        return x + y

    def join(self, x: Array, y: Array) -> Array:
        return np.concatenate((x, y), axis=2)

    def last(self, x: Array, samples: int) -> Array:
        return x[:, :, x.shape[2] - samples :]

    def trim(self, x: Array, first: int, last: int) -> Array:
        return x[:, :, first : x.shape[2] - last]

    def mirror(self, x: Array, before: int, after: int) -> Array:
        return np.pad(x, ((0, 0), (0, 0), (before, after)), "reflect")


class ArrayMemory:
    """Caches as arrays: those of the call before, and those of this one."""

    def __init__(self, before: Sequence[Array] = ()) -> None:
        self._before = iter(before)
        self.kept: list[Array] = []

    def recall(self) -> Array | None:
        return next(self._before, None)

    def keep(self, cache: Array) -> None:
        self.kept.append(cache.copy())


def _sigmoid(x: Array) -> Array:
    logistic: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return logistic
