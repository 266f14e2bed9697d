"""A crossover: a stream as bands whose sum is the stream.

::

    x ──┬─► low pass at the lower cutoff ──── L1 ──────────► low  = L1
        ├─► low pass at the upper cutoff ──── L2 ──────────► mid  = L2 - L1
        └─► delay ─────────────────────────── x ───────────► high = x - L2

The low passes are symmetric, so what they pass is only delayed, by the same 10 ms at every cutoff, and
whatever their slopes are, the bands add up to the delayed stream but for float32's rounding.

10 ms is what it costs to be 48 dB down an octave away from 150 Hz: Kaiser's window of beta 4.6 gives
-50 dB beyond a transition that is 1.5 / reach wide, 150 Hz here, with the cutoff at -6 dB in its
middle. A lower cutoff has that width too. A higher one gets a shorter filter, of three periods to
either side: -50 dB a quarter of its frequency away, and no more ringing than that takes.

Every output is one dot product of one length, whatever the blocks are: no transforms, whose tiles would
have to fill up first. In stereo at 48 kHz that is 3 % of a core in blocks of 128; it grows with the
square of the rate.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, silence, smooth_step
from codecfx.effects.dry_wet import faded

LATENCY_MS = 10
_PERIODS = 3
_KAISER_BETA = 4.6
_FADE_MS = 10
# A BLAS sums longer ones in several threads, in parts that depend on how many there are
_LONGEST_SUM = 8192


class Crossover:
    """Low passes on one stream, at cutoffs that move without a click.

    A move fades to other filters along a smooth step of 10 ms, which begins with the sample where it is
    set; one that is set meanwhile waits for the end of it, and of several that wait, the last counts.
    """

    def __init__(self, sample_rate: int, channels: int, cutoffs_hz: Sequence[float]) -> None:
        """Cutoffs ascend."""
        self.latency_samples = max(1, round(sample_rate * LATENCY_MS / 1000))
        self._rate = sample_rate
        self._past = silence(channels, 2 * self.latency_samples)
        self._rising = smooth_step(max(1, sample_rate * _FADE_MS // 1000)).astype(np.float32)
        self._filters = self._following = [self._low_pass(hz) for hz in cutoffs_hz]
        self._wanted = tuple(cutoffs_hz)
        self._done = -1  # samples of the fade that are over; none is under way: -1

    @property
    def cutoffs(self) -> int:
        """How many there are."""
        return len(self._filters)

    def move_to(self, cutoffs_hz: Sequence[float]) -> None:
        """Go to as many other cutoffs, which ascend, as soon as no fade is under way. [audio thread]"""
        self._wanted = tuple(cutoffs_hz)

    def bands(self, block: Audio) -> list[Audio]:
        """float32 (channels, samples) to one band more than there are cutoffs, lowest first, each of
        the same shape. [audio thread]
        """
        late, samples = self.latency_samples, block.shape[1]
        known = np.concatenate((self._past, block), axis=1)
        self._past[:] = known[:, samples:]
        below = [np.empty_like(block) for _ in self._filters]
        at = 0
        while at < samples:
            self._begin_move()
            left = len(self._rising) - self._done if self._done >= 0 else samples
            past = min(samples, at + left)
            self._filter(known[:, at : past + 2 * late], [one[:, at:past] for one in below])
            at = past
        edges = [*below, known[:, late : late + samples]]
        return [edges[0], *(upper - lower for lower, upper in pairwise(edges))]

    def _begin_move(self) -> None:
        if self._done < 0 and self._wanted != tuple(one.cutoff_hz for one in self._filters):
            self._following = [
                now if now.cutoff_hz == hz else self._low_pass(hz)
                for now, hz in zip(self._filters, self._wanted, strict=True)
            ]
            self._done = 0

    def _filter(self, known: Audio, outputs: list[Audio]) -> None:
        """A piece in which no fade begins or ends; `known` has what filters hear before and after."""
        for now, following, output in zip(self._filters, self._following, outputs, strict=True):
            output[:] = now.heard(known)
            if following is not now:
                output[:] = faded(output, following.heard(known), self._rising, self._done)
        if self._done >= 0 and outputs:
            self._done += outputs[0].shape[1]
            if self._done == len(self._rising):
                self._filters, self._done = self._following, -1

    def _low_pass(self, hz: float) -> "_LowPass":
        return _LowPass(hz, _taps(hz, self._rate, self.latency_samples), self.latency_samples)

    def reset(self) -> None:
        """Silence, and the cutoffs that are wanted."""
        self._done = -1
        self._past.fill(0)
        self._begin_move()
        self._filters, self._done = self._following, -1


class _LowPass(NamedTuple):
    """A symmetric filter."""

    cutoff_hz: float
    taps: Audio  # (odd,)
    late_samples: int

    def heard(self, known: Audio) -> Audio:
        """What it passes of `known`, without `late_samples` at both ends."""
        skipped = self.late_samples - len(self.taps) // 2
        samples = known.shape[1] - 2 * self.late_samples
        passed = silence(len(known), samples)
        for at in range(0, len(self.taps), _LONGEST_SUM):
            part = self.taps[at : at + _LONGEST_SUM]
            begin = skipped + at
            for into, sound in zip(passed, known, strict=True):
                into += np.correlate(sound[begin : begin + len(part) + samples - 1], part, "valid")
        return passed


def _taps(hz: float, sample_rate: int, longest_reach: int) -> Audio:
    """A low pass of a gain of exactly 1 at 0 Hz; from half the rate on, one that passes everything."""
    hz = min(hz, sample_rate / 2)
    reach = min(longest_reach, ceil(_PERIODS * sample_rate / hz))
    taps = np.sinc(2 * hz / sample_rate * np.arange(-reach, reach + 1)) * _window(reach)
    low_pass: Audio = (taps / taps.sum()).astype(np.float32)
    return low_pass


@lru_cache(maxsize=64)
def _window(reach: int) -> NDArray[np.float64]:
    return np.kaiser(2 * reach + 1, _KAISER_BETA)
