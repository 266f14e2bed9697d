"""EnCodec checkpoints made here, in Meta's format and from a seed.

`write_random` has the official size and random weights: for parity with the package. `write_working` is
small and sounds: its encoder packs a hop into as many numbers as the latents have (the lowest part of
its cosine transform), its decoder unpacks them, and a little randomness is everywhere, so that every
weight and cache matters.
"""

import warnings
from pathlib import Path

import numpy as np
from signals import noise, tones, voice

from codecfx.codecs.encodec import reference
from codecfx.codecs.encodec.arrays import OnArrays
from codecfx.codecs.encodec.checkpoint import CAUSAL, HOP_SAMPLES, RATIOS, STEREO, Kind, networks_of

DIMENSION = 128
RATES = {CAUSAL: 24_000, STEREO: 48_000}


def some_sound(kind: Kind, seconds: int = 4, seed: int = 0):
    """A little of everything, as (channels, samples)."""
    rate = RATES[kind]
    samples = seconds * rate
    return (
        voice(rate, samples, kind.channels, seed, level=0.4)
        + tones(rate, samples, kind.channels, seed, level=0.2)
        + noise(kind.channels, samples, seed, level=0.01)
    )


# Random weights


def random_model(kind: Kind, seed: int = 0, width: int = 32):
    """The package's own model, in float32 and ready to use. 32 filters are the official width."""
    import torch

    torch.manual_seed(seed)
    model = package_model(kind, width)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if kind.is_causal and name.endswith("weight_g"):
                weights *= 1.6  # torch's own weights fade out in so deep a network
        x = torch.from_numpy(some_sound(kind))[None]
        if model.normalize:
            x = x[:, :, : RATES[kind]] / x.mean(dim=1, keepdim=True).square().mean().sqrt()
        # Latents around nothing, as a trained model has them: a common part would only cost digits
        last = model.encoder.model[-1].conv
        shift = last.conv.bias if kind.is_causal else last.norm.bias
        shift -= model.encoder(x)[0].mean(dim=1)
        books = filled_books(model.encoder(x)[0].T.numpy(), kind.books, seed, sampled=1)
        for layer, book in zip(model.quantizer.vq.layers, books, strict=True):
            layer._codebook.embed.copy_(torch.from_numpy(book))
            layer._codebook.inited.fill_(1)
    return model


def package_model(kind: Kind, width: int = 32):
    """The package's model of a kind, in float32."""
    package = reference.load()
    norm = "weight_norm" if kind.is_causal else "time_group_norm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch has another weight_norm now
        encoder, decoder = (
            half(channels=kind.channels, n_filters=width, norm=norm, causal=kind.is_causal)
            for half in (package.modules.SEANetEncoder, package.modules.SEANetDecoder)
        )
    return package.EncodecModel(
        encoder,
        decoder,
        package.quantization.ResidualVectorQuantizer(DIMENSION, kind.books, 1024),
        [1.5, 3.0, 6.0, 12.0, 24.0] if kind.is_causal else [3.0, 6.0, 12.0, 24.0],
        RATES[kind],
        kind.channels,
        normalize=not kind.is_causal,
        segment=None if kind.is_causal else 1.0,
    ).eval()


def write_random(kind: Kind, path: Path) -> None:
    """A checkpoint of a random model."""
    import torch

    torch.save(random_model(kind).state_dict(), path)


def model_in(path: Path, kind: Kind):
    """The package's model with the weights of a checkpoint."""
    import torch

    model = package_model(kind)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def filled_books(latents, count: int, seed: int, sampled: int):
    """Books of latents (n, dimension): the first `sampled` are of what those before them leave, the
    others of noise like it, or the last would have nothing to say. (Fresh books are all zero, and every
    code would be 0.)
    """
    random = np.random.default_rng(seed)
    left, books = latents.astype(np.float64), []
    for number in range(count):
        book = left.std(axis=0) * random.standard_normal((1024, left.shape[1]))
        if number < sampled:
            book = left[random.integers(len(left), size=1024)] + 0.5 * book  # far enough apart
        book[0] = 0 if number else left[-1]  # never worse than without; and the last, which is silence
        books.append(book)
        likeness = left @ book.T - 0.5 * np.square(book).sum(axis=1)
        left = left - book[likeness.argmax(axis=1)]
    return np.stack(books)


# Weights that work

_OFFSET = 6.0  # lifts signals to where ELU is straight
_GAIN = 0.25  # of the transform, whose numbers would be too large for that
_DIRT = 1e-5


def working_state(kind: Kind, seed: int = 0) -> dict[str, np.ndarray]:
    """The weights, by their keys, of a small model that sounds."""
    made = _Designing(kind, seed)
    made.design_encoder()
    made.design_decoder()
    state = made.state
    nothing = np.zeros((kind.books, 1024, DIMENSION))
    encoder = networks_of(Path("made here"), kind, state | _books(nothing)).encoder
    # The stereo model has twice the hops; silence is not quite nothing in either
    sound = some_sound(kind, 10 if kind.is_causal else 4, seed=seed + 1)
    parts = [*_parts(kind, sound), np.zeros((1, kind.channels, RATES[kind]), np.float32)]
    if not kind.is_causal:
        parts = [part / (1e-8 + np.sqrt(np.square(part.mean(axis=1)).mean())) for part in parts]
    latents = [encoder.whole(OnArrays(), part.astype(np.float32)) for part in parts]
    rows = np.concatenate([one[0].T for one in latents])
    return state | _books(filled_books(rows, kind.books, seed, sampled=4))


def write_working(kind: Kind, path: Path, seed: int = 0) -> None:
    """A checkpoint of a small model that sounds."""
    import torch

    state = working_state(kind, seed)
    torch.save({key: torch.from_numpy(one.astype(np.float32)) for key, one in state.items()}, path)


def _books(books) -> dict[str, np.ndarray]:
    at = "quantizer.vq.layers.{}._codebook.embed"
    return {at.format(index): book for index, book in enumerate(books)}


def _parts(kind: Kind, sound):
    """A sound in seconds, (1, channels, samples) each."""
    second = RATES[kind]
    return [sound[np.newaxis, :, at : at + second] for at in range(0, sound.shape[1], second)]


class _Designing:
    """Weights by their keys, layer after layer. Channels stand in the order sample, then side."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.state: dict[str, np.ndarray] = {}
        self._kind = kind
        self._random = np.random.default_rng(seed)
        self._offset = 0.0  # of what comes into the next layer
        # wide enough for all of the samples before the transform, and a channel more
        self._width = 8 if kind.channels == 1 else 12
        self._coefficients = DIMENSION // kind.channels - 1  # of each side

    def design_encoder(self) -> None:
        at, sides, width = "encoder.model", self._kind.channels, self._width
        self._convolve(f"{at}.0", self._identity(width, sides, sides, 7), _OFFSET, sides)
        used = sides
        for number, ratio in enumerate(RATIOS):
            self._residual(f"{at}.{3 * number + 1}", width, used)
            if ratio == RATIOS[-1]:
                weight, after = self._transform(2 * width, width), self._coefficients * sides
            else:
                weight, after = self._packing(2 * width, width, used, ratio), used * ratio
            width, used = 2 * width, after
            self._convolve(f"{at}.{3 * number + 3}", weight, _OFFSET, used)
        self._lstm(f"{at}.13", width)
        self._convolve(f"{at}.15", self._identity(DIMENSION, width, used, 7), 0.0, used)

    def design_decoder(self) -> None:
        at, sides, width = "decoder.model", self._kind.channels, 16 * self._width
        used = self._coefficients * sides
        self._convolve(f"{at}.0", self._identity(width, DIMENSION, used, 7), _OFFSET, used)
        self._lstm(f"{at}.1", width)
        samples = HOP_SAMPLES
        for number, ratio in enumerate(reversed(RATIOS)):
            samples //= ratio
            used = samples * sides
            if number == 0:
                weight = self._transform(width, width // 2).transpose(0, 1, 2) / _GAIN**2
            else:
                weight = self._packing(width, width // 2, used, ratio)
            width //= 2
            self._upsample(f"{at}.{3 * number + 3}", weight, used)
            self._residual(f"{at}.{3 * number + 4}", width, used)
        self._convolve(f"{at}.15", self._identity(sides, width, sides, 7), 0.0, sides)

    # Weights that move samples about, (narrower time, wider time, kernel)

    def _identity(self, outgoing: int, incoming: int, used: int, kernel: int):
        weight = np.zeros((outgoing, incoming, kernel))
        now = kernel - 1 if self._kind.is_causal else kernel // 2
        weight[np.arange(used), np.arange(used), now] = 1
        return weight

    def _packing(self, packed: int, loose: int, used: int, ratio: int):
        """A sample in time is one of `ratio` channels."""
        weight = np.zeros((packed, loose, 2 * ratio))
        for sample in range(ratio):
            for channel in range(used):
                weight[sample * used + channel, channel, sample] = 1
        return weight

    def _transform(self, packed: int, loose: int):
        """The lowest coefficients of the cosine transform of a hop, of each side."""
        sides, ratio = self._kind.channels, RATIOS[-1]
        weight = np.zeros((packed, loose, 2 * ratio))
        time = np.arange(HOP_SAMPLES) + 0.5
        for number in range(self._coefficients):
            wave = np.sqrt(2 / HOP_SAMPLES) * np.cos(np.pi / HOP_SAMPLES * number * time)
            wave *= _GAIN / (np.sqrt(2) if number == 0 else 1)
            for side in range(sides):
                rows = wave.reshape(ratio, -1).T  # (sample within, time)
                weight[number * sides + side, side : len(rows) * sides : sides, :ratio] = rows
        return weight

    # Layers

    def _convolve(self, at: str, weight, offset: float, used: int, gain: float = 1.0) -> None:
        """A convolution that takes the offset before it away, and adds its own. `used` of its channels
        carry a signal.
        """
        ratio = weight.shape[2] // 2
        if weight.shape[2] % 2 == 0:  # strided: its kernel begins that much before
            weight = np.roll(weight, ratio if self._kind.is_causal else ratio - ratio // 2, axis=2)
        weight = weight + _DIRT * self._random.standard_normal(weight.shape)
        bias = -self._offset * weight.sum(axis=(1, 2))
        self._store(f"{at}.conv", "conv", weight, bias, offset, gain * used / len(weight))

    def _upsample(self, at: str, weight, used: int) -> None:
        """A transposed convolution. The last channel, which carries none, cancels the offset."""
        ratio = weight.shape[2] // 2
        weight[-1] = -weight[:-1].sum(axis=0)
        if not self._kind.is_causal:
            weight = np.roll(weight, ratio - ratio // 2, axis=2)
        weight = weight + _DIRT * self._random.standard_normal(weight.shape)
        bias = np.zeros(weight.shape[1])
        self._store(f"{at}.convtr", "convtr", weight, bias, _OFFSET, used / weight.shape[1])

    def _residual(self, at: str, width: int, used: int) -> None:
        nothing = np.zeros((width // 2, width, 3))
        self._convolve(f"{at}.block.1", nothing, _OFFSET, width // 2)
        self._convolve(f"{at}.block.3", np.zeros((width, width // 2, 1)), 0.0, width, gain=1e-6)
        self._offset = _OFFSET
        self._convolve(f"{at}.shortcut", self._identity(width, width, used, 1), _OFFSET, used)

    def _store(self, at: str, name: str, weight, bias, offset: float, power: float) -> None:
        """A norm makes the power of all channels together one: give it back its own."""
        self._offset = offset
        if self._kind.is_causal:
            length = np.sqrt(np.square(weight).sum(axis=(1, 2), keepdims=True))
            self.state |= {
                f"{at}.{name}.weight_v": weight,
                f"{at}.{name}.weight_g": length,
                f"{at}.{name}.bias": bias + offset,
            }
        else:
            self.state |= {
                f"{at}.{name}.weight": weight,
                f"{at}.{name}.bias": bias,
                f"{at}.norm.weight": np.full(len(bias), np.sqrt(power)),
                f"{at}.norm.bias": np.full(len(bias), offset),
            }

    def _lstm(self, at: str, width: int) -> None:
        for layer in range(2):
            for what in ("ih", "hh"):
                random = self._random.standard_normal((4 * width, width + 1))
                self.state[f"{at}.lstm.weight_{what}_l{layer}"] = 1e-3 * random[:, 1:]
                self.state[f"{at}.lstm.bias_{what}_l{layer}"] = 1e-3 * random[:, 0]
