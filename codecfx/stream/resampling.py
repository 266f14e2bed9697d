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
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from codecfx.audio import Audio, silence
from codecfx.errors import UnsupportedFormat
from codecfx.stream.stage import Stage

# Kaiser's design: 64 taps of the lower rate at beta 9 are -96 dB beyond a transition band of 9.6 % of
# that rate, centred on its half: flat to 0.45 (20 kHz of 44.1, 3.6 kHz of 8), -6 dB at 0.5.
_REACH_SAMPLES = 32
_KAISER_BETA = 9.0
_WEIGHTED_AT_ONCE = 2**19  # inputs gathered at a time: bounds the memory of a long chunk
_MOST_PHASES = 100_000


class Resampled:
    """A stream at another rate, from `rate` to `new_rate` in Hz: N samples in, ceil(N * ratio) out.

    `grid_delay` lengthens the delay by that many points of the common grid (module docstring).
    """

    holdback_samples = Fraction(0)

    def __init__(self, rate: int, new_rate: int, channels: int, grid_delay: int = 0) -> None:
        self.ratio = Fraction(new_rate, rate)
        if max(self.ratio.numerator, self.ratio.denominator) > _MOST_PHASES:
            raise UnsupportedFormat(
                f"{rate} Hz does not go into {new_rate} Hz by a short step; resample the audio to a "
                "usual rate first"
            )
        self._up, self._down = self.ratio.numerator, self.ratio.denominator
        self._delay = grid_delay
        self.lookahead_samples = Fraction(reach(rate, new_rate) + grid_delay, self._down)
        self._phases = _polyphase(self._up, self._down)
        self._taps = self._phases.shape[1]
        self._at_once = max(1, _WEIGHTED_AT_ONCE // (self._taps * channels))
        self._past = silence(channels, self._taps - 1 + ceil(grid_delay / self._up) + 1)
        self.reset()

    def reset(self) -> None:
        self._past.fill(0)
        self._in = self._out = 0  # samples so far

    def push(self, chunk: Audio) -> Audio:
        samples = chunk.shape[1]
        if not samples:
            return silence(chunk.shape[0], 0)
        history = self._past.shape[1]
        known = np.concatenate((self._past, chunk), axis=1)
        oldest = self._in - history  # the stream position of known[:, 0]
        self._in += samples
        end = -(-self._in * self._up // self._down)
        parts = []
        while self._out < end:
            stop = min(end, self._out + self._at_once)
            at = np.arange(self._out, stop, dtype=np.int64) * self._down - self._delay
            newest, phase = np.divmod(at, self._up)
            first = newest - (self._taps - 1 + oldest)
            around = sliding_window_view(known, self._taps, axis=1)[:, first]
            # einsum sums each row's taps in one fixed order, however many rows there are: the samples
            # do not depend on how many are computed together (a matrix product's would)
            parts.append(np.einsum("cnt,nt->cn", around, self._phases[phase]))
            self._out = stop
        self._past = known[:, -history:].copy() if samples < history else known[:, -history:]
        if not parts:
            return silence(chunk.shape[0], 0)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def reach(rate: int, new_rate: int) -> int:
    """The filter's reach to either side in points of the common grid, the same both ways."""
    ratio = Fraction(new_rate, rate)
    return _REACH_SAMPLES * max(ratio.numerator, ratio.denominator)


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
    rate: int, codec_rate: int, channels: int, lookahead_samples: int
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
