"""The layers of Lyra's networks as numpy calls that have their arrays bound to them.

Sound is float32 (steps, channels). Everything a call needs is made when it is bound: a frame allocates
nothing, and numpy's calls on whole arrays, which take half the time of broadcasting ones, can be used.
Weights come as in the file, and are arranged by way of a memo that all networks of the file share.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Array = NDArray[np.float32]
Call = Callable[[], object]
Memo = Callable[[str, Callable[[], Array]], Array]

_ALIGNMENT_BYTES = 64  # a cache line, and the widest vector
_FEW_ROWS = 2


def empty(*shape: int) -> Array:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape))
    block = np.zeros(size + _ALIGNMENT_BYTES // 4, np.float32)
    first = -block.ctypes.data % _ALIGNMENT_BYTES // 4
    return block[first : first + size].reshape(shape)


def tiled(vector: Array, like: Array) -> Array:
    """A vector of the channels, for every step."""
    return np.broadcast_to(vector, like.shape)


def leaky_relu(x: Array, y: Array, alpha: float) -> Iterator[Call]:
    """The larger of x and alpha * x."""
    small = empty(*x.shape)
    yield partial(np.multiply, x, np.asarray(alpha, np.float32), small)
    yield partial(np.maximum, x, small, out=y)


def convolution(
    x: Array, y: Array, kernel: Array, bias: Array, stride: int, dilation: int, memo: Memo
) -> Iterator[Call]:
    """`kernel` is (outputs, taps, 1, inputs of a group): one product of matrices for each group."""
    outputs, taps, _, inputs = kernel.shape
    groups, steps = x.shape[1] // inputs, y.shape[0]
    split = (steps, groups, outputs // groups)
    seen = _windows(x, steps, taps, stride, dilation).reshape(steps, taps, groups, inputs)
    if taps == 1:
        rows = seen[:, 0].transpose(1, 0, 2)
    else:
        gathered = empty(groups, steps, taps, inputs)
        yield partial(np.copyto, gathered, seen.transpose(2, 0, 1, 3))
        rows = gathered.reshape(groups, steps, taps * inputs)

    def arranged() -> Array:
        return kernel.reshape(groups, outputs // groups, taps * inputs).transpose(0, 2, 1)

    product = empty(groups, steps, outputs // groups)
    yield _product(rows, memo("kernel", arranged), product)
    biases = memo("bias", lambda: tiled(bias, y)).reshape(split)
    yield partial(np.add, product.transpose(1, 0, 2), biases, y.reshape(split))


def depthwise_convolution(
    x: Array, y: Array, kernel: Array, bias: Array, stride: int, dilation: int, memo: Memo
) -> Iterator[Call]:
    """`kernel` is (1, taps, 1, channels): every channel by itself."""
    taps = kernel.shape[1]
    seen = _windows(x, y.shape[0], taps, stride, dilation).transpose(1, 0, 2)
    weights = memo("kernel", lambda: np.broadcast_to(kernel.reshape(taps, 1, -1), seen.shape))
    products = empty(*seen.shape)
    yield partial(np.multiply, seen, weights, products)
    yield partial(np.add.reduce, products, 0, None, y)
    if bias.any():
        yield partial(np.add, y, memo("bias", lambda: tiled(bias, y)), y)


def transposed_convolution(
    x: Array, y: Array, kernel: Array, bias: Array, stride: int, memo: Memo
) -> Iterator[Call]:
    """`kernel` is (outputs, taps, 1, inputs): each step is spread over `taps`, which overlap and add.

    Raises:
        ValueError: the taps are not whole strides.
    """
    outputs, taps, _, inputs = kernel.shape
    steps, reach = x.shape[0], taps // stride
    if taps % stride or not y.flags.c_contiguous or y.shape != ((steps - 1 + reach) * stride, outputs):
        raise ValueError("a TRANSPOSE_CONV of another kind")
    spread = empty(1, steps, taps * outputs)
    weights = memo("kernel", lambda: kernel.transpose(3, 1, 2, 0).reshape(1, inputs, -1))
    yield _product(x[np.newaxis], weights, spread)
    parts = spread.reshape(steps, reach, stride * outputs)
    sums = y.reshape(-1, stride * outputs)
    biases = memo("bias", lambda: tiled(bias, y)).reshape(sums.shape)
    yield partial(np.add, parts[:, 0], biases[:steps], sums[:steps])
    yield partial(np.copyto, sums[steps:], biases[steps:])
    for late in range(1, reach):
        overlap = sums[late : late + steps]
        yield partial(np.add, overlap, parts[:, late], overlap)


def _windows(x: Array, steps: int, taps: int, stride: int, dilation: int) -> Array:
    """What each step sees: a view (steps, taps, channels). Raises ValueError beyond the end."""
    if min(steps, taps, stride, dilation) < 1 or (
        (steps - 1) * stride + (taps - 1) * dilation >= x.shape[0]
    ):
        raise ValueError("a convolution that sees more than there is")
    row, column = x.strides
    view: Array = as_strided(x, (steps, taps, x.shape[1]), (stride * row, dilation * row, column))
    return view


def _product(rows: Array, weights: Array, product: Array) -> Call:
    """(groups, n, i) by (groups, i, o) to (groups, n, o)."""
    if rows.shape[1] <= _FEW_ROWS:
        # One by one: for a product of matrices BLAS first rearranges the weights, which takes longer
        # than a few products with vectors
        apart = rows[:, :, np.newaxis], weights[:, np.newaxis], product[:, :, np.newaxis]
        return partial(np.matmul, *apart)
    return partial(np.matmul, rows, weights, product)
