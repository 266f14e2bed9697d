"""Resampling: a streaming polyphase FIR, exact in count and in delay.

A stream at rate `a` becomes one at rate `b` by a walk on the grid of their least common multiple:
a / b = M / L in lowest terms, input sample i stands at grid point i * L, output sample j at j * M,
and output j is the sum of the inputs around it, each weighted by a low-pass filter h:

    y[j] = sum over i of  x[i] * h[j * M - i * L - D]

D is the delay on that grid. h reaches 32 samples of the lower rate to either side, so D must be at
least that; any D above it is just as good. `there_and_back` uses that freedom: it lengthens the way
back by the grid points that make the whole delay, the codec's own lookahead in the middle included, a
whole number of host samples. Dry and wet then align to the sample at any pair of rates.

Output j only needs the inputs up to j * M / L, so N inputs give ceil(N * L / M) outputs at once, and
nothing is ever withheld. (Offline resamplers of higher order exist; they withhold up to 300 ms, which
a host cannot hide, and would make live and offline differ.)

The sums are made in tiles, runs of neighbouring outputs: a matrix of weights times the inputs that the
tile hears. Tiles stand at fixed places of the stream and every one is a product of its own, so an
output is summed in the same order wherever chunks end. Where a chunk ends inside a tile, silence stands
for the inputs to come: the outputs already due weigh them with 0 (inputs are finite), the others wait
for the next chunk, which makes the tile again.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import NamedTuple, TypeAlias

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.errors import UnsupportedFormat
from codecfx.stream.stage import Stage

Hz: TypeAlias = int | Fraction

# Kaiser's design: 64 taps of the lower rate at beta 9 are -96 dB beyond a transition band of 9.6 % of
# that rate, centred on its half: flat to 0.45 (20 kHz of 44.1, 3.6 kHz of 8), -6 dB at 0.5.
_REACH_SAMPLES = 32
_KAISER_BETA = 9.0
# Weights in a tile, zeros not counted; with them fewer than twice as many. They stay in the first cache
# and are too few for a BLAS to start threads over (OpenBLAS would at 9216).
_TILE_WEIGHTS = 4096
_MOST_PHASES = 100_000


class Resampled:
    """A stream at another rate, from `rate` to `new_rate` in Hz: N samples in, ceil(N * ratio) out.

    `grid_delay` lengthens the delay by that many points of the common grid (module docstring).
    """

    holdback_samples = Fraction(0)

    def __init__(self, rate: Hz, new_rate: Hz, channels: int, grid_delay: int = 0) -> None:
        self.ratio = Fraction(new_rate, rate)
        if max(self.ratio.numerator, self.ratio.denominator) > _MOST_PHASES:
            raise UnsupportedFormat(
                f"{float(rate):.9g} Hz does not go into {float(new_rate):.9g} Hz by a short step; "
                "resample the audio to a usual rate first"
            )
        self._up, self._down = self.ratio.numerator, self.ratio.denominator
        self.lookahead_samples = Fraction(reach(rate, new_rate) + grid_delay, self._down)
        self._tiles = _tiles(self._up, self._down, grid_delay)
        self._tile_outputs = len(self._tiles[0].weights)
        self._tile_inputs: int = self._tiles[0].weights.shape[1]
        self._period_outputs = sum(len(tile.weights) for tile in self._tiles)
        self._period_inputs = self._period_outputs * self._down // self._up
        self._past = silence(channels, self._tile_inputs + ceil(grid_delay / self._up))
        self.reset()

    def reset(self) -> None:
        self._past.fill(0)
        self._in = self._out = 0  # samples so far

    def push(self, chunk: Audio) -> Audio:
        channels, samples = chunk.shape
        past = self._past.shape[1]
        known = silence(channels, past + samples + self._tile_inputs)
        known[:, :past] = self._past
        known[:, past : past + samples] = chunk
        self._past[:] = known[:, samples : samples + past]
        oldest = self._in - past  # the stream position of known[:, 0]
        self._in += samples
        begin, self._out = self._out, -(-self._in * self._up // self._down)
        if begin == self._out:
            return silence(channels, 0)
        return self._weighed(known, oldest, begin, self._out)

    def _weighed(self, known: Audio, oldest: int, begin: int, end: int) -> Audio:
        """The stream's outputs from `begin` to `end`; `known` are its inputs from `oldest` on."""
        channels, tiles = len(known), len(self._tiles)
        first, last = self._tile_at(begin), self._tile_at(end - 1)
        first_period, last_period = first // tiles, last // tiles
        made = np.empty((channels, last_period + 1 - first_period, self._period_outputs), np.float32)
        sample = known.itemsize
        for number in range(first, min(last + 1, first + tiles)):
            period, place = divmod(number, tiles)
            tile = self._tiles[place]
            count = (last - number) // tiles + 1  # the same tile in every period, all in one call
            # what each hears, in place: as_strided at a tenth of its cost, which short blocks feel
            heard: Audio = np.ndarray(
                (channels, count, self._tile_inputs, 1),
                np.float32,
                known,
                sample * (period * self._period_inputs + tile.first_input - oldest),
                (known.strides[0], sample * self._period_inputs, sample, sample),
            )
            row, column = period - first_period, tile.first_output
            into = made[:, row : row + count, column : column + len(tile.weights), np.newaxis]
            # a matrix times a vector for every tile; in a matrix times a matrix the bits of an output
            # would depend on how many tiles are made together
            np.matmul(tile.weights, heard, into)
        skipped = first_period * self._period_outputs
        return made.reshape(channels, -1)[:, begin - skipped : end - skipped]

    def _tile_at(self, output: int) -> int:
        """The number of the tile that makes an output; the stream's first is 0."""
        period, within = divmod(output, self._period_outputs)
        return period * len(self._tiles) + within // self._tile_outputs


class _Tile(NamedTuple):
    """Neighbouring outputs. Tiles make up a period, after which phases, and so tiles, repeat."""

    first_output: int  # from the period's beginning
    first_input: int  # the oldest it hears, from the same moment
    weights: Audio  # (outputs, inputs)


def reach(rate: Hz, new_rate: Hz) -> int:
    """The filter's reach to either side in points of the common grid, the same both ways."""
    ratio = Fraction(new_rate, rate)
    return _REACH_SAMPLES * max(ratio.numerator, ratio.denominator)


@lru_cache(maxsize=4)
def _tiles(up: int, down: int, delay: int) -> tuple[_Tile, ...]:
    """A period of tiles, all of one size; only the last may have fewer outputs."""
    phases = _polyphase(up, down)
    taps = phases.shape[1]
    longest = max(1, _TILE_WEIGHTS // taps)
    period = up * max(1, longest // up)
    size = ceil(period / ceil(period / longest))
    newest, phase = np.divmod(np.arange(period, dtype=np.int64) * down - delay, up)
    tiles = []
    for first in range(0, period, size):
        outputs = range(first, min(first + size, period))
        weights = silence(len(outputs), taps + ceil((size - 1) * down / up))
        for row, output in zip(weights, outputs, strict=True):
            later = newest[output] - newest[first]
            row[later : later + taps] = phases[phase[output]]
        tiles.append(_Tile(first, int(newest[first]) - (taps - 1), weights))
    return tuple(tiles)


@lru_cache(maxsize=4)
def _polyphase(up: int, down: int) -> Audio:
    """The filter by phase: row p weighs the inputs around an output p grid points after the newest,
    oldest first. float32 (up, taps); every row sums to 1, so DC passes exactly.
    """
    slower = max(up, down)
    half = _REACH_SAMPLES * slower
    n = np.arange(-half, half + 1)
    low_pass = np.sinc(n / slower) * np.kaiser(n.size, _KAISER_BETA)
    taps = ceil(n.size / up)
    rows = np.zeros(taps * up)
    rows[: n.size] = low_pass
    phases = rows.reshape(taps, up).T[:, ::-1]
    return np.ascontiguousarray(phases / phases.sum(axis=1, keepdims=True), np.float32)


def there_and_back(
    rate: Hz, codec_rate: Hz, channels: int, lookahead_samples: int
) -> tuple[list[Stage], list[Stage]]:
    """The stages from a host's rate to a codec's and back; none where the rates agree.

    The delay of both and of `lookahead_samples` at the codec's rate between them comes to a whole
    number of host samples.
    """
    if rate == codec_rate:
        return [], []
    ratio = Fraction(codec_rate, rate)  # grid points: ratio.numerator to a host sample
    so_far = 2 * reach(rate, codec_rate) + lookahead_samples * ratio.denominator
    return (
        [Resampled(rate, codec_rate, channels)],
        [Resampled(codec_rate, rate, channels, -so_far % ratio.numerator)],
    )
