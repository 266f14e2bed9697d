"""Meta's checkpoints: a table of weights by key, read without executing anything, and the networks in
it.

Keys and shapes are those of the `encodec` package (github.com/facebookresearch/encodec); widths may be
others, so that a checkpoint that was trained smaller plays too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codecfx.codecs.encodec.network import (
    LSTM,
    Activation,
    Cell,
    Convolution,
    Layer,
    Network,
    Residual,
    Upsampling,
    Weights,
)
from codecfx.errors import CodecUnavailable, ModelFileError

RATIOS = (2, 4, 5, 8)  # how the encoder brings time down; the decoder goes back the other way
HOP_SAMPLES = 320
BOOK_SIZE = 1024  # codewords to a book: ten bits
_KERNEL, _RESIDUAL_KERNEL = 7, 3
_LSTM_LAYERS = 2
_LARGEST = 1e6  # no trained weight is; float32 would add such up to what is no number

NEEDS_EXTRA = "to read an EnCodec checkpoint for the first time, install: pip install 'codecfx[neural]'"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two models: what tells its checkpoint from the other."""

    model: str  # its name among the models
    title: str
    channels: int
    books: int
    # A causal network has normed weights; one that sees whole segments has group norms instead
    is_causal: bool


CAUSAL = Kind("encodec", "EnCodec 24 kHz", channels=1, books=32, is_causal=True)
STEREO = Kind("encodec48", "EnCodec 48 kHz", channels=2, books=16, is_causal=False)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint holds."""

    encoder: Network
    decoder: Network
    books: Weights  # (books, codewords, dimension)


def load(path: Path, kind: Kind) -> Checkpoint:
    """The networks in a checkpoint file.

    Raises:
        CodecUnavailable: torch is not installed.
        ModelFileError: truncated, foreign, or of the other model; names what was expected.
    """
    try:
        import torch
    except (ImportError, OSError):  # missing, or of libraries that are
        raise CodecUnavailable(NEEDS_EXTRA) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {key: one for key, one in state.items() if isinstance(one, torch.Tensor)}
        weights = {str(key): tensor.double().numpy() for key, tensor in tensors.items()}
    except Exception as error:  # whatever a file of somebody else's does to torch's reader
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(
            f"{path} cannot be read as a checkpoint of {kind.title}: truncated, or another kind of "
            f"file ({reason[:80]}); fetch it anew"
        ) from None
    return networks_of(path, kind, weights)


def networks_of(path: Path, kind: Kind, weights: Mapping[str, Weights]) -> Checkpoint:
    """The networks in a table of weights, which came from `path`. Raises ModelFileError."""
    return _Reading(path, kind, weights).checkpoint()


class _Reading:
    """Takes weights out of a table, each once, and checks that they fit together."""

    def __init__(self, path: Path, kind: Kind, weights: Mapping[str, Weights]) -> None:
        self._path = path
        self._kind = kind
        self._left = dict(weights)

    def checkpoint(self) -> Checkpoint:
        encoder, dimension = self._encoder("encoder.model")
        decoder = self._decoder("decoder.model", dimension)
        books = np.stack([self._book(index, dimension) for index in range(self._kind.books)])
        if self._left:
            raise self._foreign(f"it has '{min(self._left)}', which no such model has")
        return Checkpoint(encoder, decoder, books)

    def _encoder(self, at: str) -> tuple[Network, int]:
        first = self._convolution(f"{at}.0.conv", self._kind.channels, _KERNEL)
        layers: list[Layer] = [first]
        width = first.weight.shape[0]
        for number, ratio in enumerate(RATIOS):
            layers += [self._residual(f"{at}.{3 * number + 1}", width), Activation()]
            down = self._convolution(f"{at}.{3 * number + 3}.conv", width, 2 * ratio, ratio)
            layers.append(down)
            width = down.weight.shape[0]
        last = self._convolution(f"{at}.15.conv", width, _KERNEL)
        layers += [self._lstm(f"{at}.13.lstm", width), Activation(), last]
        return Network(layers), last.weight.shape[0]

    def _decoder(self, at: str, dimension: int) -> Network:
        first = self._convolution(f"{at}.0.conv", dimension, _KERNEL)
        width = first.weight.shape[0]
        layers: list[Layer] = [first, self._lstm(f"{at}.1.lstm", width)]
        for number, ratio in enumerate(reversed(RATIOS)):
            up = self._upsampling(f"{at}.{3 * number + 3}.convtr", width, ratio)
            width = up.weight.shape[1]
            layers += [Activation(), up, self._residual(f"{at}.{3 * number + 4}", width)]
        last = self._convolution(f"{at}.15.conv", width, _KERNEL)
        if last.weight.shape[0] != self._kind.channels:
            raise self._foreign(f"its decoder has {last.weight.shape[0]} channels")
        return Network([*layers, Activation(), last])

    def _residual(self, at: str, width: int) -> Residual:
        narrow = self._convolution(f"{at}.block.1.conv", width, _RESIDUAL_KERNEL)
        return Residual(
            narrow,
            self._convolution(f"{at}.block.3.conv", narrow.weight.shape[0], 1),
            self._convolution(f"{at}.shortcut.conv", width, 1),
        )

    def _convolution(self, at: str, incoming: int, kernel: int, stride: int = 1) -> Convolution:
        weight = self._weight(f"{at}.conv", (None, incoming, kernel))
        width = weight.shape[0]
        bias = self._take(f"{at}.conv.bias", (width,))
        return Convolution(weight, bias, stride, self._norm(at, width))

    def _upsampling(self, at: str, incoming: int, ratio: int) -> Upsampling:
        weight = self._weight(f"{at}.convtr", (incoming, None, 2 * ratio))
        width = weight.shape[1]
        bias = self._take(f"{at}.convtr.bias", (width,))
        return Upsampling(weight, bias, self._norm(at, width))

    def _norm(self, at: str, width: int) -> tuple[Weights, Weights] | None:
        if self._kind.is_causal:
            return None
        scale = self._take(f"{at}.norm.weight", (width,))
        return scale, self._take(f"{at}.norm.bias", (width,))

    def _weight(self, at: str, shape: tuple[int | None, ...]) -> Weights:
        """A kernel; normed ones are stored as direction and length (torch's weight_norm)."""
        if not self._kind.is_causal:
            return self._take(f"{at}.weight", shape)
        direction = self._take(f"{at}.weight_v", shape)
        length = self._take(f"{at}.weight_g", (direction.shape[0], 1, 1))
        norm = np.sqrt(np.square(direction).sum(axis=(1, 2), keepdims=True))
        weight: Weights = length * direction / np.maximum(norm, np.finfo(np.float32).tiny)
        return weight

    def _lstm(self, at: str, width: int) -> LSTM:
        cells = []
        for layer in range(_LSTM_LAYERS):
            of_input, of_state = (
                self._take(f"{at}.weight_{what}_l{layer}", (4 * width, width)) for what in ("ih", "hh")
            )
            biases = [self._take(f"{at}.bias_{what}_l{layer}", (4 * width,)) for what in ("ih", "hh")]
            cells.append(Cell(of_input, of_state, biases[0] + biases[1]))
        return LSTM(cells)

    def _book(self, index: int, dimension: int) -> Weights:
        at = f"quantizer.vq.layers.{index}._codebook"
        for training in ("inited", "cluster_size", "embed_avg"):  # of no use any more
            self._left.pop(f"{at}.{training}", None)
        return self._take(f"{at}.embed", (BOOK_SIZE, dimension))

    def _take(self, key: str, shape: tuple[int | None, ...]) -> Weights:
        """The weights of `key`; None in `shape` is any size."""
        weights = self._left.pop(key, None)
        if weights is None:
            raise self._foreign(f"'{key}' is missing")
        fits = len(weights.shape) == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, weights.shape, strict=True)
        )
        if not fits:
            wanted = " x ".join("any" if size is None else str(size) for size in shape)
            found = " x ".join(map(str, weights.shape)) or "one number"
            raise self._foreign(f"'{key}' is {found}, expected {wanted}")
        if not (np.abs(weights) < _LARGEST).all():
            raise self._foreign(f"'{key}' holds what is no number")
        return weights

    def _foreign(self, reason: str) -> ModelFileError:
        return ModelFileError(
            f"{self._path} is no checkpoint of {self._kind.title}: {reason}; "
            f"type: codecfx models pull {self._kind.model}, or name another file"
        )
