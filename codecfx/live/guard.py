"""The last thing before the ears: takes out what is no sound, a standing offset, and what is too loud.

No latency, and where nothing is wrong the very block that came in. What is done to a sample depends on
its place in the stream, never on blocks.

How high a sound goes between its samples is known once the 12 taps of ITU-R BS.1770-4 have heard it,
6 samples late. Until then it is estimated from the samples so far, in music up to 0.4 dB too high: such
an estimate counts from 0 dBFS on, a decibel over the ceiling. So what stays below the ceiling is not
touched, and what is much too high is known half a sample after its peak. What was played by then was
played: no causal limiter is perfect. To leave room for more of the kind, what is over the ceiling comes
out below it, by as much as it was over and by 1 dB at most.
"""

import math

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, silence, smooth_step
from codecfx.effects.processor import LOUDEST, without_garbage

Floats = NDArray[np.float64]

CEILING = 10 ** (-1 / 20)  # -1 dBFS true peak, EBU R 128's maximum
_ROOM = 10 ** (1 / 20)
_HOLD_MS = 10  # half a period of 50 Hz, so that a tone is turned down and not bent in every period
_RELEASE_MS = 100  # in which 1/e of the overshoot is left
_LAST_OVER = 1 / 128  # a release ends here, at 1 dB/s; a power of two, so that its gain is exactly 1
_MOST_OVER = 30.0  # 30 dB; more is clamped, or one wrong sample would silence the second after it

_OFFSET, _SMALL_OFFSET = 0.05, 0.02  # an offset is wrong beyond the one, and gone below the other
_OFFSET_TILE_MS = 50  # what a mean is taken of
_STEADY_TILES = 4
_MEAN_OF_TILES = np.sin(np.pi * (np.arange(8) + 0.5) / 8) ** 2 / 4  # over 0.4 s: blind from 5 Hz up

# Weights of the last 12 samples, oldest first, for the sound between them, in 8192ths: the four phases
# of ITU-R BS.1770-4, annex 2, and estimates for half a sample and 1.5 before the newest, the least
# squares for a spectrum that falls by 6 dB an octave from a twentieth of the rate on
_PHASES = (
    (14, 90, -161, 272, -487, 1125, 7964, -838, 390, -218, 122, -68),
    (-239, 240, -424, 730, -1364, 3810, 6388, -1641, 832, -477, 271, -155),
    (-155, 271, -477, 832, -1641, 6388, 3810, -1364, 730, -424, 240, -239),
    (-68, 122, -218, 390, -838, 7964, 1125, -487, 272, -161, 90, 14),
    (122, -246, 300, -352, 413, -495, 610, -792, 1117, -1869, 5504, 4061),
    (-133, 271, -335, 399, -479, 590, -763, 1071, -1783, 5294, 5044, -1083),
)
_QUIET = 0.999 * CEILING * 8192 / max(sum(map(abs, row)) for row in _PHASES)  # no reaching the ceiling
# The four stay below these times the highest sample plus these times the highest second difference
_BOUNDS = ((1.0016, 0.1642), (0.9731, 0.5698))
_TILE = 16  # outputs of a matrix product at a fixed place of the stream: see stream/resampling.py
_HEARD = _TILE + 11  # samples that they are made of
_PAST = _HEARD - 1  # those that may have to be heard again
_WEIGHTS = silence(len(_PHASES) * _TILE, _HEARD)  # row after row, the places of a tile
for _place in range(_TILE):
    _WEIGHTS[_place::_TILE, _place : _place + 12] = np.divide(_PHASES, 8192)


class Guard:
    """Keeps a stream from hurting: true peaks near -1 dBFS, nothing beyond ±1, no offset, no garbage.

    Readings are any thread's, all else is the audio thread's. Nothing here raises.
    """

    def __init__(self, sample_rate: int, channels: int, *, is_off: bool = False) -> None:
        self.is_off = is_off  # leaves out the limiter, from the next block on [any thread]
        self.garbage = 0  # samples that silence replaced, so far: not finite, or beyond +120 dB
        self.clamped = 0  # samples that were cut at ±1, so far
        self._stream = sample_rate, channels
        self.reset()

    def reset(self) -> None:
        """As if nothing had been heard; counts go on."""
        self.dc = False  # whether an offset is being taken out of any channel
        self._offset, self._limiter = _OffsetBlocker(*self._stream), _Limiter(*self._stream)
        self._gain = self._worst = 1.0

    @property
    def gain_db(self) -> float:
        """What the limiter does to the newest sample: 0 for nothing, else below. [any thread]"""
        return 20 * math.log10(self._gain)

    def worst_gain_db(self) -> float:
        """The lowest gain since this was last asked. [any one thread]"""
        worst, self._worst = self._worst, self._gain
        return 20 * math.log10(worst)

    def process(self, block: Audio) -> Audio:
        """The next samples as they may be heard, float32 (channels, samples), any number of them; the
        very block where nothing is wrong. It is kept for a while, and has to stay as it is.
        """
        if not block.shape[1]:
            return block
        heights = np.abs(block)
        peak = float(heights.max())
        if peak <= _QUIET and self._limiter.is_still and not self._offset.is_on:  # as nearly always
            self._limiter.let_pass(block, peak)
            self._gain = 1.0
            clean, self.dc = self._offset.process(block), self._offset.is_on
            return clean
        sound = block
        if not peak <= LOUDEST:  # nor is it where any sample is no number
            sound = without_garbage(block)
            self.garbage += int(np.count_nonzero(sound != block))
        clean, self.dc = self._offset.process(sound), self._offset.is_on
        if clean is not block:
            heights = np.abs(clean)
            peak = float(heights.max())
        gains = self._limiter.gains(clean, heights, peak)
        if gains is None or self.is_off:
            self._gain = 1.0
        else:
            self._gain, self._worst = float(gains[-1]), min(self._worst, float(gains.min()))
            clean = np.multiply(clean, gains, dtype=np.float64).astype(np.float32)
        if peak > (1 if self.is_off else _MOST_OVER):
            self.clamped += int(np.count_nonzero(np.abs(clean) > 1))
            clean = np.clip(clean, -1, 1)
        return clean


class _OffsetBlocker:
    """Takes a steady offset out of each channel. Means are taken of tiles of 50 ms, and what is taken
    out moves along a smooth step in each.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._step = smooth_step(sample_rate * _OFFSET_TILE_MS // 1000)
        self._tile: list[Audio] = []  # as far as it has come
        self._at = 0  # of its samples
        self._means = np.zeros((channels, len(_MEAN_OF_TILES)))  # of the last tiles, newest last
        self._from, self._to = np.zeros((channels, 1)), np.zeros((channels, 1))
        self.is_on = False

    def process(self, block: Audio) -> Audio:
        clean, done = block, 0
        while done < block.shape[1]:
            at = self._at
            part = block[:, done : done + len(self._step) - at]
            self._at = at + part.shape[1]
            self._tile.append(part)
            if self.is_on:
                clean = block.copy() if clean is block else clean
                offset = self._from + (self._to - self._from) * self._step[at : self._at]
                clean[:, done : done + part.shape[1]] -= offset.astype(np.float32)
            done += part.shape[1]
            if self._at == len(self._step):
                self._turn()
        return clean

    def _turn(self) -> None:
        """A tile is whole: where to in the next."""
        means, tile = self._means, np.concatenate(self._tile, axis=1)
        self._at = 0
        self._tile.clear()
        means[:, :-1] = means[:, 1:]
        means[:, -1] = tile.mean(axis=1, dtype=np.float64)
        if not self.is_on and np.abs(means[:, -1]).max() <= _OFFSET:  # as nearly always
            return
        self._from, self._to = self._to, self._from
        newest, mean = means[:, -_STEADY_TILES:], means @ _MEAN_OF_TILES
        is_steady = np.maximum(newest.min(axis=1), -newest.max(axis=1)) > _OFFSET
        begins, goes_on = is_steady & (np.abs(mean) > _OFFSET), np.abs(mean) > _SMALL_OFFSET
        self._to[:, 0] = np.where(np.where(self._from[:, 0] == 0, begins, goes_on), mean, 0)
        self.is_on = bool(self._from.any() or self._to.any())


class _Limiter:
    """The gain that keeps true peaks near the ceiling: down at once, held, up again in 100 ms.

    What is followed is the overshoot, peak / ceiling - 1, which a release makes smaller by the same
    factor with every sample. Over a tile of the stream that is a running maximum of overshoots that are
    made the larger, the later they come. Nothing but the four operations: the same on every machine.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._peaks = _Peaks(channels)
        falls = sample_rate * _RELEASE_MS // 1000  # as many samples as a tile has
        self._shrinks = np.multiply.accumulate(np.append(1.0, np.full(falls, 1 - 1 / falls)))
        self._grows = 1 / self._shrinks[:falls]
        self._held = np.zeros(sample_rate * _HOLD_MS // 1000)  # overshoots of the last samples
        self._highest = 0.0  # of the tile so far, as large as it would be at the tile's first sample
        self._at = 0  # of the tile's samples
        self._is_on = False

    @property
    def is_still(self) -> bool:
        """Whether all gains stay 1 as long as nothing loud comes."""
        return not self._is_on and self._peaks.past_peak <= _QUIET

    def let_pass(self, block: Audio, peak: float) -> None:
        """As `gains` for a block without a sample above _QUIET, while it is still."""
        self._peaks.let_pass(block, peak)
        self._at, self._highest = (self._at + block.shape[1]) % len(self._grows), 0.0

    def gains(self, block: Audio, heights: Audio, peak: float) -> Floats | None:
        """At every sample, (samples,); None where all are 1. `heights` is the absolute of `block`."""
        samples = block.shape[1]
        peaks = self._peaks.heard(block, heights, peak)
        if peaks is not None:
            over = np.maximum(peaks / CEILING, 1)
            over = np.minimum(over * np.minimum(over, _ROOM) - 1, _MOST_OVER)
        elif self._is_on:
            over = np.zeros(samples)
        else:
            self._at, self._highest = (self._at + samples) % len(self._grows), 0.0
            return None
        over = np.concatenate((self._held, over))
        self._held, reach = over[samples:], 1
        while over.size > samples:  # the highest of the last `reach` samples, and then of more
            step = min(reach, over.size - samples)
            over = np.maximum(over[step:], over[:-step])
            reach += step
        return 1 / (self._released(over + _LAST_OVER) + (1 - _LAST_OVER))

    def _released(self, over: Floats) -> Floats:
        """`over`, or what is left of earlier ones where that is more."""
        done = 0
        while done < over.size:
            at = self._at
            part = over[done : done + len(self._grows) - at]
            done, past = done + part.size, at + part.size
            part *= self._grows[at:past]
            part[0] = max(part[0], self._highest)
            np.maximum.accumulate(part, out=part)
            self._highest = float(part[-1])
            self._is_on = self._highest > _LAST_OVER * self._grows[past - 1]
            part *= self._shrinks[at:past]
            self._at = past % len(self._grows)
            if not self._at:
                self._highest *= float(self._shrinks[-1])
        return over


class _Peaks:
    """How high a stream goes, at its samples and between them, as far as every sample tells."""

    def __init__(self, channels: int) -> None:
        self._past = silence(channels, _PAST)
        self.past_peak = 0.0  # its highest sample, or a higher one shortly before
        self._at = 0  # of the tile's samples

    def let_pass(self, block: Audio, peak: float) -> None:
        """The next samples, which nobody needs to know more of."""
        samples = block.shape[1]
        if samples < _PAST:
            self._past = np.concatenate((self._past[:, samples:], block), axis=1)
            self.past_peak = max(self.past_peak, peak)
        else:
            self._past, self.past_peak = block[:, -_PAST:], peak
        self._at = (self._at + samples) % _TILE

    def heard(self, block: Audio, heights: Audio, peak: float) -> Floats | None:
        """Over all channels, (samples,), or None where all of it is below the ceiling."""
        peaks = None
        highest = max(peak, self.past_peak)
        if highest > _QUIET:
            known = np.concatenate((self._past, block), axis=1)
            slopes = known[:, 1:] - known[:, :-1]
            bends = slopes[:, 1:] - slopes[:, :-1]
            curve = float(np.abs(bends, out=bends).max())
            if any(high * highest + bent * curve > CEILING for high, bent in _BOUNDS):  # not smooth
                peaks = np.maximum(heights.max(axis=0), self._between(known), dtype=np.float64)
                peaks = peaks if peaks.max() > CEILING else None
        self.let_pass(block, peak)
        return peaks

    def _between(self, known: Audio) -> Audio:
        """The same between samples; `known` are the _PAST samples before a block, and the block."""
        at, past = self._at, self._at + known.shape[1] - _PAST  # of the tiles
        known = np.concatenate((known, silence(len(known), _TILE)), axis=1)
        row, sample = known.strides
        shape, steps = (len(known), -(-past // _TILE), _HEARD, 1), (row, sample * _TILE, sample, sample)
        heard = np.ndarray(shape, np.float32, known, sample * (_TILE - 1 - at), steps)
        made = np.matmul(_WEIGHTS, heard)
        made = np.abs(made, out=made).max(axis=0).reshape(-1, len(_PHASES), _TILE)
        early = made[:, 4:].max(axis=1)
        highest: Audio = np.maximum(made[:, :4].max(axis=1), early * (early > 1)).ravel()
        return highest[at:past]
