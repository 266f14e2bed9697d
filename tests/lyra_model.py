"""A model of Lyra made up from a seed: the three files, with the layers and shapes of the real ones.

The weights are not trained but laid out by hand, so that it is a codec too: the lowest 16 of 80 cosine
coefficients, four times a frame, are its 64 features. Half of the channels carry values and half their
negatives, since the value is what both make together after any leaky ReLU. Everything else, above all
the residual units, is small and random.

The files run in LiteRT as they do here; the quantiser's is there for its codewords only.
"""

from pathlib import Path

import flatbuffers
import numpy as np
from signals import voice

ALPHA = 0.3  # of the leaky ReLUs
BOOKS, BOOK_SIZE, FEATURES = 46, 16, 64
_SMALL = 0.02

# Numbers of tflite/schema/schema.fbs: an operator's and its version, and of its options' table
_CODES = {
    "ADD": (0, 1, 11),
    "CONCATENATION": (2, 1, 10),
    "CONV_2D": (3, 5, 1),
    "DEPTHWISE_CONV_2D": (4, 3, 2),
    "DEQUANTIZE": (6, 2, 0),
    "RESHAPE": (22, 1, 0),
    "SUB": (41, 1, 28),
    "STRIDED_SLICE": (45, 1, 32),
    "SPLIT": (49, 1, 35),
    "TRANSPOSE_CONV": (67, 3, 49),
    "LEAKY_RELU": (98, 1, 75),
    "SQUARED_DIFFERENCE": (99, 1, 76),
    "QUANTIZE": (114, 1, 0),
    "CALL_ONCE": (129, 1, 103),
    "VAR_HANDLE": (142, 1, 111),
    "READ_VARIABLE": (143, 1, 112),
    "ASSIGN_VARIABLE": (144, 1, 113),
}
_TYPES = {"float32": 0, "int32": 2, "int8": 9, "resource": 13}


def write_model(folder: Path, seed: int = 0, *, in_8_bits: bool = True) -> Path:
    """Write the three files into `folder`. `in_8_bits`: the encoder's last layer, as in the real."""
    random = np.random.default_rng(seed)
    (folder / "soundstream_encoder.tflite").write_bytes(_encoder(random, in_8_bits))
    (folder / "lyragan.tflite").write_bytes(_generator(random))
    (folder / "quantizer.tflite").write_bytes(_quantizer(random))
    return folder


# What the weights are

_TIMES = np.arange(80) + 0.5
COSINES = np.cos(np.pi * np.arange(16)[:, np.newaxis] * _TIMES / 80) * np.sqrt(2 / 80)
COSINES[0] /= np.sqrt(2)


def features_of(sound: np.ndarray) -> np.ndarray:
    """What the encoder is meant to find in mono sound of whole frames: (frames, 64)."""
    coefficients = sound.reshape(-1, 4, 80) @ COSINES.T  # (frames, quarter, coefficient)
    # four groups of channels have four coefficients each, for all quarters
    return coefficients.reshape(-1, 4, 4, 4).transpose(0, 2, 3, 1).reshape(-1, FEATURES)


def _pairs(matrix: np.ndarray, incoming: int, outgoing: int) -> np.ndarray:
    """A matrix (outputs, inputs) for channels that hold values and their negatives, filled with zeros
    to (outgoing, incoming) channels.
    """
    outputs, inputs = matrix.shape
    whole = np.zeros((outgoing, incoming))
    whole[:outputs, :inputs], whole[:outputs, inputs : 2 * inputs] = matrix, -matrix
    if outgoing >= 2 * outputs:
        whole[outputs : 2 * outputs] = -whole[:outputs]
    return whole / (1 + ALPHA)


def _kernel(random, outputs: int, taps: int, inputs: int, groups: int, at: dict) -> np.ndarray:
    """(outputs, taps, 1, inputs), small and random but for the matrices of some taps, the same in every
    group: {tap: (outputs of a group, inputs)}.
    """
    kernel = _SMALL / np.sqrt(taps * inputs) * random.standard_normal((outputs, taps, 1, inputs))
    for tap, matrix in at.items():
        kernel[:, tap, 0] += np.tile(matrix, (groups, 1))
    return kernel.astype(np.float32)


def _units(net: "_Writer", x: int, channels: int, groups: int) -> int:
    """The three residual units behind every change of rate."""
    random = net.random
    for index, dilation in enumerate((1, 3, 9)):
        name = f"unit{len(net.operators)}_{index}"
        joined = net.remembered(name, net.leaky_relu(x), 2 * dilation)
        taps = random.uniform(-1, 1, (1, 3, 1, channels)).astype(np.float32)
        y = net.convolve("DEPTHWISE_CONV_2D", joined, taps, dilation=dilation)
        mix = random.standard_normal((channels, 1, 1, channels)) / np.sqrt(channels)
        y = net.leaky_relu(net.convolve("CONV_2D", y, mix.astype(np.float32)))
        x = net.add(
            net.convolve("CONV_2D", y, _kernel(random, channels, 1, channels // groups, 1, {})), x
        )
    return x


def _encoder(random, in_8_bits: bool) -> bytes:
    net = _Writer(random)
    sound = net.tensor((1, 320))
    x = net.reshape(sound, (1, 320, 1, 1))
    identity = np.eye(16)
    takes = {
        48 + i: np.pad(np.r_[identity[:, [i]], -identity[:, [i]]], ((0, 32), (0, 0))) for i in range(16)
    }
    x = net.convolve(
        "CONV_2D", net.remembered("first", x, 48), _kernel(random, 64, 64, 1, 1, takes), 16
    )
    x = _units(net, x, 64, 1)
    # 5 steps of 16 samples to 16 coefficients, eight in each half of the channels
    cosines = COSINES.reshape(2, 8, 5, 16)
    takes = {
        5 + step: np.concatenate([_pairs(cosines[half, :, step], 64, 64) for half in (0, 1)])
        for step in range(5)
    }
    x = net.remembered("to_128", net.leaky_relu(x), 5)
    x = net.convolve("CONV_2D", x, _kernel(random, 128, 10, 64, 1, takes), 5)
    x = _units(net, x, 128, 2)
    # 2 steps of eight coefficients to two groups of four coefficients at two times
    takes = {}
    for time in (0, 1):
        places = np.zeros((2, 4, 2, 8))
        for coefficient in range(8):
            places[coefficient // 4, coefficient % 4, time, coefficient] = 1
        takes[2 + time] = np.concatenate(
            [_pairs(places[half].reshape(8, 8), 64, 64) for half in (0, 1)]
        )
    x = net.remembered("to_256", net.leaky_relu(x), 2)
    x = net.convolve("CONV_2D", x, _kernel(random, 256, 4, 64, 2, takes), 2)
    x = _units(net, x, 256, 4)
    # 2 steps of four coefficients at two times to the same at four times
    takes = {}
    for time in (0, 1):
        places = np.zeros((4, 4, 4, 2))
        for coefficient in range(4):
            places[coefficient, 2 * time, coefficient, 0] = 1
            places[coefficient, 2 * time + 1, coefficient, 1] = 1
        takes[2 + time] = _pairs(places.reshape(16, 8), 64, 128)
    x = net.remembered("to_512", net.leaky_relu(x), 2)
    x = net.convolve("CONV_2D", x, _kernel(random, 512, 4, 64, 4, takes), 2)
    x = net.remembered("bottleneck", net.leaky_relu(x), 2)
    kernel = _kernel(random, 64, 3, 128, 4, {2: _pairs(np.eye(16), 128, 16)})
    x = net.convolve_in_8_bits(x, kernel) if in_8_bits else net.convolve("CONV_2D", x, kernel)
    return net.file(sound, net.reshape(x, (1, 1, 64)))


def _generator(random) -> bytes:
    net = _Writer(random)
    features = net.tensor((1, 1, 64))
    x = net.remembered("first", net.reshape(features, (1, 1, 1, 64)), 2)
    # one group's 16 values as they are: they have seen no ReLU yet
    takes = {2: np.pad(np.concatenate([np.eye(16), -np.eye(16)]), ((0, 96), (0, 0)))}
    x = net.convolve("CONV_2D", x, _kernel(random, 512, 3, 16, 4, takes))
    x = net.leaky_relu(x)
    takes = {}
    for time in (0, 1):
        places = np.zeros((4, 2, 4, 4))
        for coefficient in range(4):
            places[coefficient, 0, coefficient, 2 * time] = 1
            places[coefficient, 1, coefficient, 2 * time + 1] = 1
        takes[time] = _pairs(places.reshape(8, 16), 128, 64)
    parts = [net.spread(f"from_512_{i}", part, takes, 4, 2) for i, part in enumerate(net.split(x, 4))]
    x = _units(net, net.join(parts, axis=3), 256, 4)
    takes = {}
    for time in (0, 1):  # from two groups of 64 channels, each values and negatives of its own
        places = np.zeros((2, 4, 2, 4, 2))
        for half in (0, 1):
            for coefficient in range(4):
                places[half, coefficient, half, coefficient, time] = 1
        halves = [places[:, :, half].reshape(8, 8) for half in (0, 1)]
        takes[time] = np.concatenate([_pairs(half, 64, 64) for half in halves], axis=1)
    parts = [
        net.spread(f"from_256_{i}", part, takes, 4, 2)
        for i, part in enumerate(net.split(net.leaky_relu(x), 2))
    ]
    x = _units(net, net.join(parts, axis=3), 128, 2)
    cosines = COSINES.reshape(2, 8, 5, 16)
    takes = {
        step: np.concatenate([_pairs(cosines[half, :, step].T, 64, 64) for half in (0, 1)], axis=1)
        for step in range(5)
    }
    x = net.spread("from_128", net.leaky_relu(x), takes, 10, 5)
    x = _units(net, x, 64, 1)
    takes = {i: _pairs(np.eye(16)[[i]], 64, 1) for i in range(16)}
    x = net.spread("last", net.leaky_relu(x), takes, 64, 16)
    return net.file(features, net.reshape(x, (1, 320)))


def _quantizer(random) -> bytes:
    """Books that were taught voices, each what the ones before it left over."""
    voices = [voice(16_000, 320 * 200, seed=seed, level=level) for seed, level in ((1, 0.5), (2, 0.2))]
    left = features_of(np.concatenate(voices, axis=1)[0])
    left = left + 0.02 * random.standard_normal(left.shape)
    net = _Writer(random, "encode")
    x = net.tensor((1, 1, FEATURES))
    for _ in range(BOOKS):
        book = left[random.choice(len(left), BOOK_SIZE, replace=False)]
        book[0] = 0  # nothing to add
        for _ in range(3):
            nearest = (np.square(book).sum(axis=1) / 2 - left @ book.T).argmin(axis=1)
            for word in range(1, BOOK_SIZE):
                if (nearest == word).any():
                    book[word] = left[nearest == word].mean(axis=0)
        nearest = (np.square(book).sum(axis=1) / 2 - left @ book.T).argmin(axis=1)
        left = left - book[nearest]
        distance = net.tensor((1, BOOK_SIZE, FEATURES))
        net.operator(
            "SQUARED_DIFFERENCE", [x, net.constant(book[np.newaxis].astype(np.float32))], [distance]
        )
    return net.file(x, distance)


# The file they are in


class _Writer:
    """A graph, written operator by operator; a second one says what its variables hold at the start."""

    def __init__(self, random, name: str = "main") -> None:
        self.random, self._name = random, name
        self._tensors: list[tuple] = []  # shape, type, buffer, scales and zero point
        self._buffers: list[bytes] = [b""]
        self.operators: list[tuple] = []
        self._variables: list[tuple[str, tuple[int, ...]]] = []

    # Tensors and operators

    def tensor(self, shape, kind: str = "float32", buffer: int = 0, scales=(), zero: int = 0) -> int:
        self._tensors.append((tuple(shape), kind, buffer, np.float32(scales), zero))
        return len(self._tensors) - 1

    def constant(self, value, scales=()) -> int:
        value = np.asarray(value)
        self._buffers.append(value.tobytes())
        return self.tensor(value.shape, value.dtype.name, len(self._buffers) - 1, scales)

    def operator(self, kind: str, inputs: list[int], outputs: list[int], *options: tuple) -> None:
        self.operators.append((kind, inputs, outputs, options))

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self._tensors[tensor][0]

    def _made(self, kind: str, inputs: list[int], shape, *options: tuple) -> int:
        made = self.tensor(shape)
        self.operator(kind, inputs, [made], *options)
        return made

    def reshape(self, x: int, shape) -> int:
        return self._made("RESHAPE", [x, self.constant(np.int32(shape))], shape)

    def leaky_relu(self, x: int) -> int:
        return self._made("LEAKY_RELU", [x], self.shape(x), (0, "Float32", ALPHA))

    def add(self, one: int, other: int) -> int:
        return self._made("ADD", [one, other], self.shape(one))

    def join(self, parts: list[int], axis: int) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        return self._made("CONCATENATION", parts, shape, (0, "Int32", axis))

    def split(self, x: int, count: int) -> list[int]:
        *shape, channels = self.shape(x)
        parts = [self.tensor((*shape, channels // count)) for _ in range(count)]
        self.operator("SPLIT", [self.constant(np.int32(3)), x], parts, (0, "Int32", count))
        return parts

    def slice(self, x: int, first: int | None, last: int | None) -> int:
        shape = list(self.shape(x))
        shape[1] = len(range(shape[1])[first:last])
        ends = [self.constant(np.int32([0, end or 0, 0, 0])) for end in (first, last)]
        masks = [(slot, "Int32", 13 + 2 * (end is None)) for slot, end in enumerate((first, last))]
        ones = self.constant(np.int32([1, 1, 1, 1]))
        return self._made("STRIDED_SLICE", [x, *ends, ones], shape, *masks)

    # Layers

    def variable(self, name: str, shape) -> tuple[int, int]:
        """A variable, and what is in it."""
        self._variables.append((name, tuple(shape)))
        handle = self.tensor((), "resource")
        self.operator("VAR_HANDLE", [], [handle], (1, "text", name))
        return handle, self._made("READ_VARIABLE", [handle], shape)

    def remembered(self, name: str, x: int, steps: int) -> int:
        """`x` behind the last `steps` of the frame before."""
        _, _, one, channels = self.shape(x)
        handle, before = self.variable(name, (1, steps, one, channels))
        joined = self.join([before, x], axis=1)
        self.operator("ASSIGN_VARIABLE", [handle, self.slice(joined, -steps, None)], [])
        return joined

    def convolve(self, kind: str, x: int, kernel, stride: int = 1, dilation: int = 1) -> int:
        shape, options, bias = self._convolved(kind, x, kernel, stride, dilation)
        return self._made(kind, [x, self.constant(kernel), self.constant(bias)], shape, *options)

    def _convolved(self, kind: str, x: int, kernel, stride: int, dilation: int) -> tuple:
        """The shape of what a convolution makes, its options, and a bias."""
        depthwise = kind == "DEPTHWISE_CONV_2D"
        outputs = kernel.shape[3] if depthwise else kernel.shape[0]
        steps = (self.shape(x)[1] - (kernel.shape[1] - 1) * dilation - 1) // stride + 1
        later = 1 if depthwise else 0
        options = [(0, "Int8", 1), (1, "Int32", 1), (2, "Int32", stride)]
        options += [(3, "Int32", 1)] if depthwise else []
        options += [(4 + later, "Int32", 1), (5 + later, "Int32", dilation)]
        bias = (0.001 * self.random.standard_normal(outputs)).astype(np.float32)
        return (1, steps, 1, outputs), options, bias

    def convolve_in_8_bits(self, x: int, kernel, scale: float = 0.05) -> int:
        """The last layer: quantised, with a scale for each output, and back."""
        shape, options, bias = self._convolved("CONV_2D", x, kernel, 1, 1)
        scales = np.abs(kernel).max(axis=(1, 2, 3)) / 127
        words = np.rint(kernel / scales[:, np.newaxis, np.newaxis, np.newaxis]).astype(np.int8)
        quantised = self.tensor(self.shape(x), "int8", 0, [scale], -8)
        self.operator("QUANTIZE", [x], [quantised])
        biases = np.rint(bias / (scale * scales)).astype(np.int32)
        y = self.tensor(shape, "int8", 0, [scale], 5)
        weights = [self.constant(words, scales), self.constant(biases, scale * scales)]
        self.operator("CONV_2D", [quantised, *weights], [y], *options)
        return self._made("DEQUANTIZE", [y], shape)

    def spread(self, name: str, x: int, takes: dict, taps: int, stride: int) -> int:
        """A transposed convolution; what reaches into the next frame is added there."""
        _, steps, _, inputs = self.shape(x)
        outputs = takes[0].shape[0]
        kernel = self.constant(_kernel(self.random, outputs, taps, inputs, 1, takes))
        bias = self.constant((0.001 * self.random.standard_normal(outputs)).astype(np.float32))
        tail = taps - stride
        shape = (1, steps * stride + tail, 1, outputs)
        options = [(0, "Int8", 1), (1, "Int32", 1), (2, "Int32", stride)]
        y = self._made(
            "TRANSPOSE_CONV", [self.constant(np.int32(shape)), kernel, x, bias], shape, *options
        )
        handle, before = self.variable(name, (1, tail, 1, outputs))
        nothing = self.constant(np.zeros((1, steps * stride, 1, outputs), np.float32))
        whole = self.add(y, self.join([before, nothing], axis=1))
        rest = self.slice(whole, -tail, None)
        kept = self._made("SUB", [rest, bias], self.shape(rest))
        self.operator("ASSIGN_VARIABLE", [handle, kept], [])
        return self.slice(whole, None, steps * stride)

    # The flatbuffer

    def file(self, incoming: int, outgoing: int) -> bytes:
        """The graph as a file."""
        self._builder = flatbuffers.Builder(1 << 22)
        graphs = [(self._name, self._tensors, [incoming], [outgoing], self.operators)]
        if self._variables:
            once = [("CALL_ONCE", [], [], ((0, "Int32", 1),)), *self.operators]
            graphs = [(self._name, self._tensors, [incoming], [outgoing], once), self._start()]
        kinds = list(_CODES)
        subgraphs = self._tables([self._graph(kinds, *graph) for graph in graphs])
        codes = self._tables(
            [
                self._table((0, "Int8", min(code, 127)), (2, "Int32", version), (3, "Int32", code))
                for code, version, _ in _CODES.values()
            ]
        )
        buffers = self._tables([self._table((0, "offset", self._bytes(one))) for one in self._buffers])
        model = self._table(
            (0, "Uint32", 3), (1, "offset", codes), (2, "offset", subgraphs), (4, "offset", buffers)
        )
        self._builder.Finish(model, file_identifier=b"TFL3")
        return bytes(self._builder.Output())

    def _start(self) -> tuple:
        """The graph that fills a new interpreter's variables: not with zeros, as in the real model, so
        that it is seen whether they are asked for.
        """
        other = _Writer(self.random)
        other._buffers = self._buffers
        for name, shape in self._variables:
            handle = other.tensor((), "resource")
            other.operator("VAR_HANDLE", [], [handle], (1, "text", name))
            start = (0.001 * self.random.standard_normal(shape)).astype(np.float32)
            other.operator("ASSIGN_VARIABLE", [handle, other.constant(start)], [])
        return "NoOp", other._tensors, [], [], other.operators

    def _graph(self, kinds, name, tensors, inputs, outputs, operators) -> int:
        writer = self._builder
        written = self._tables([self._tensor(*tensor) for tensor in tensors])
        called = self._tables([self._operator(kinds, *operator) for operator in operators])
        parts = [self._vector(np.int32(one)) for one in (inputs, outputs)]
        fields = [written, *parts, called, writer.CreateString(name)]
        return self._table(*((slot, "offset", field) for slot, field in enumerate(fields)))

    def _tensor(self, shape, kind, buffer, scales, zero) -> int:
        fields = [(0, "offset", self._vector(np.int32(shape))), (1, "Int8", _TYPES[kind])]
        fields += [(2, "Uint32", buffer)]
        if len(scales):
            zeros = self._vector(np.full(len(scales), zero, np.int64))
            table = self._table((2, "offset", self._vector(scales)), (3, "offset", zeros))
            fields += [(4, "offset", table)]
        return self._table(*fields)

    def _operator(self, kinds, kind, inputs, outputs, options) -> int:
        fields = [(0, "Uint32", kinds.index(kind))]
        fields += [
            (1 + i, "offset", self._vector(np.int32(one))) for i, one in enumerate((inputs, outputs))
        ]
        number = _CODES[kind][2]
        if number:
            texts = [
                (slot, "offset", self._builder.CreateString(value))
                if of == "text"
                else (slot, of, value)
                for slot, of, value in options
            ]
            fields += [(3, "Uint8", number), (4, "offset", self._table(*texts))]
        return self._table(*fields)

    def _table(self, *fields: tuple) -> int:
        writer = self._builder
        writer.StartObject(max((slot for slot, *_ in fields), default=0) + 1)
        for slot, kind, value in fields:
            if kind == "offset":
                writer.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                getattr(writer, f"Prepend{kind}Slot")(slot, value, 0)
        return writer.EndObject()

    def _tables(self, offsets: list[int]) -> int:
        writer = self._builder
        writer.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            writer.PrependUOffsetTRelative(offset)
        return writer.EndVector()

    def _vector(self, numbers) -> int:
        return self._builder.CreateNumpyVector(np.atleast_1d(numbers))

    def _bytes(self, content: bytes) -> int:
        """Bytes at a multiple of 16, as runtimes want their constants."""
        writer = self._builder
        writer.StartVector(1, len(content), 16)
        writer.head -= len(content)
        writer.Bytes[writer.head : writer.head + len(content)] = content
        return writer.EndVector()
