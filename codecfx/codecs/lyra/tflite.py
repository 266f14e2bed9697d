"""A small reader of TensorFlow Lite files: what a graph computes, and its constants as float32.

A file is a flatbuffer: tables that point at tables. Slots, types and defaults here are those of the
format's schema, github.com/tensorflow/tensorflow, tensorflow/lite/schema/schema.fbs, version 3. Of the
operators' options only those are read that tell one Lyra layer from another.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from codecfx.errors import ModelFileError

Constant = NDArray[Any]
Option = int | float | str
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A value of a graph. Constants that were stored in 8 bits, with their scales, are float32 here."""

    shape: tuple[int, ...]
    constant: Constant | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One operation: tensors are numbers of `Graph.tensors`, -1 for one that is left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Operators in the order in which they are computed."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


# An operator's number in the schema -> its name, and of its options: name, slot, type, default
_ACTIVATION = "activation"
_OPERATORS: dict[int, tuple[str, tuple[tuple[str, int, str, Option], ...]]] = {
    0: ("ADD", ((_ACTIVATION, 0, "b", 0),)),
    2: ("CONCATENATION", (("axis", 0, "i", 0), (_ACTIVATION, 1, "b", 0))),
    3: (
        "CONV_2D",
        (
            ("padding", 0, "b", 0),
            ("stride", 2, "i", 0),
            (_ACTIVATION, 3, "b", 0),
            ("dilation", 5, "i", 1),
        ),
    ),
    4: (
        "DEPTHWISE_CONV_2D",
        (
            ("padding", 0, "b", 0),
            ("stride", 2, "i", 0),
            (_ACTIVATION, 4, "b", 0),
            ("dilation", 6, "i", 1),
        ),
    ),
    6: ("DEQUANTIZE", ()),
    22: ("RESHAPE", ()),
    41: ("SUB", ((_ACTIVATION, 0, "b", 0),)),
    45: ("STRIDED_SLICE", (("begin_mask", 0, "i", 0), ("end_mask", 1, "i", 0))),
    49: ("SPLIT", ()),
    67: ("TRANSPOSE_CONV", (("padding", 0, "b", 0), ("stride", 2, "i", 0), (_ACTIVATION, 3, "b", 0))),
    98: ("LEAKY_RELU", (("alpha", 0, "f", 0.0),)),
    99: ("SQUARED_DIFFERENCE", ()),
    114: ("QUANTIZE", ()),
    129: ("CALL_ONCE", (("graph", 0, "i", 0),)),
    142: ("VAR_HANDLE", (("name", 1, "s", ""),)),
    143: ("READ_VARIABLE", ()),
    144: ("ASSIGN_VARIABLE", ()),
}
_DTYPES = {0: "<f4", 2: "<i4", 4: "<i8", 6: "?", 9: "i1"}  # of the tensors' types


def read(path: Path) -> tuple[Graph, ...]:
    """The graphs of a file, parsed once in a process as long as the file stays as it is.

    Raises:
        ModelFileError: it cannot be read, is truncated, or is no TensorFlow Lite file.
    """
    try:
        seen = path.stat()
        return _parsed(path, seen.st_size, seen.st_mtime_ns)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from None


@lru_cache(maxsize=16)
def _parsed(path: Path, size: int, mtime_ns: int) -> tuple[Graph, ...]:
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ModelFileError(f"{path}: no TensorFlow Lite file (expected the mark TFL3 at byte 4)")
    try:
        return tuple(_graphs(_Table.root(content)))
    except (struct.error, ValueError, ArithmeticError, LookupError, TypeError):
        raise ModelFileError(
            f"{path}: a truncated or damaged TensorFlow Lite file (expected more than its "
            f"{len(content)} bytes, or others)"
        ) from None


class _Table:
    """A table of a flatbuffer: values in numbered slots, each there or at its default."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at
        self._slots = at - self._unpack("i", at)
        self._slots_bytes = self._unpack("H", self._slots)

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        return cls(content, struct.unpack_from("<I", content)[0])

    def _unpack(self, kind: str, at: int) -> Any:
        if at < 0:  # which Python would count from the end
            raise IndexError
        return struct.unpack_from("<" + kind, self._content, at)[0]

    def _place(self, slot: int) -> int:
        """Where a slot's value is; 0 if it is left out."""
        entry = 4 + 2 * slot
        offset = self._unpack("H", self._slots + entry) if entry < self._slots_bytes else 0
        return self._at + offset if offset else 0

    def _pointed_at(self, slot: int) -> int:
        place = self._place(slot)
        return place + self._unpack("I", place) if place else 0

    def number(self, slot: int, kind: str, default: Option = 0) -> Any:
        place = self._place(slot)
        return self._unpack(kind, place) if place else default

    def text(self, slot: int) -> str:
        return self.array(slot, "i1").tobytes().decode()

    def table(self, slot: int) -> "_Table | None":
        at = self._pointed_at(slot)
        return _Table(self._content, at) if at else None

    def array(self, slot: int, dtype: str) -> Constant:
        """A vector of numbers; raises ValueError where the file ends before it does."""
        at = self._pointed_at(slot)
        count = self._unpack("I", at) if at else 0
        return np.frombuffer(self._content, dtype, count, at + 4) if count else np.zeros(0, dtype)

    def numbers(self, slot: int) -> tuple[int, ...]:
        return tuple(int(one) for one in self.array(slot, "<i4"))

    def tables(self, slot: int) -> Iterator["_Table"]:
        start = self._pointed_at(slot) + 4
        for index, offset in enumerate(self.array(slot, "<u4")):
            yield _Table(self._content, start + 4 * index + int(offset))


def _graphs(model: _Table) -> Iterator[Graph]:
    buffers = list(model.tables(4))
    kinds = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    for graph in model.tables(2):
        yield Graph(
            name=graph.text(4),
            tensors=tuple(_tensor(tensor, buffers) for tensor in graph.tables(0)),
            inputs=graph.numbers(1),
            outputs=graph.numbers(2),
            operators=tuple(_operator(operator, kinds) for operator in graph.tables(3)),
        )


def _tensor(tensor: _Table, buffers: list[_Table]) -> Tensor:
    shape = tensor.numbers(0)
    dtype = _DTYPES.get(tensor.number(1, "b"))
    stored = buffers[tensor.number(2, "I")].array(0, "u1")
    if dtype is None or not stored.size:
        return Tensor(shape)
    constant = np.frombuffer(stored.tobytes(), dtype)
    if constant.size != prod(shape):
        raise ValueError("a constant of another size than its shape")
    return Tensor(shape, _scaled(constant.reshape(shape), tensor.table(4)))


def _scaled(constant: Constant, quantization: _Table | None) -> Constant:
    """(constant - zero point) * scale, by the axis that the scales belong to, where it has any."""
    scales = quantization.array(2, "<f4") if quantization is not None else np.zeros(0)
    if quantization is None or not scales.size:
        return constant
    zeros = quantization.array(3, "<i8")
    along = [1] * constant.ndim
    if scales.size > 1:
        along[quantization.number(6, "i")] = scales.size
    elif constant.ndim == 0:
        along = []
    shifted = constant.astype(np.float64) - zeros.reshape(along if zeros.size == scales.size else [1])
    scaled: Constant = (shifted * scales.reshape(along)).astype(np.float32)
    return scaled


def _operator(operator: _Table, kinds: list[int]) -> Operator:
    number = kinds[operator.number(0, "I")]
    kind, options = _OPERATORS.get(number, (f"number {number}", ()))
    given = operator.table(4)
    return Operator(
        kind,
        operator.numbers(1),
        operator.numbers(2),
        {name: _option(given, slot, of, default) for name, slot, of, default in options},
    )


def _option(options: _Table | None, slot: int, kind: str, default: Option) -> Option:
    if options is None:
        return default
    value: Option = options.text(slot) if kind == "s" else options.number(slot, kind, default)
    return value


def understood(path: Path, expected: str, make: Callable[[], Item]) -> Item:
    """What `make` makes of a file's graphs.

    Raises:
        ModelFileError: it cannot, since they are not what was `expected`.
    """
    try:
        return make()
    except (ValueError, ArithmeticError, LookupError, TypeError, StopIteration) as error:
        reason = f" ({error})" if isinstance(error, ValueError) else ""
        raise ModelFileError(f"{path}: not {expected}{reason}; expected that of Lyra 1.3") from None
