"""Hears acoustic feedback begin, and turns the output down until it is over.

A loop of loudspeaker and microphone that gives back more than it got howls: at one frequency, without
harmonics, and growing by the same factor every time around, which is a straight line in decibels. So
every 21 ms the strongest bin of a spectrum is held to the criteria of van Waterschoot and Moonen (Fifty
years of acoustic feedback control, Proc. IEEE 99, 2011), and so is what is remembered of it:

- it stands 20 dB above its neighbours (PNPR), and above its octaves and what is between (PHPR);
- it has risen (IPMP) by 6 dB in 0.68 s, and along a straight line (IMSD) all that time, or by 12 dB in
  half, or by 15 dB in a quarter of it;
- or it has stood still for 0.21 s in a sound within 2.5 dB of full scale: a howl that grew faster than
  can be seen, and is held there by the guard or by a converter.

A tone below that which stands still is no howl: test tones and whistles pass. One that is faded in
slowly, or stands at full scale, is taken for one, since nothing tells it from one, and is turned down
for as long as it lasts.

The thresholds are measured. Of 102 simulated loops all were heard, half within 0.33 s of reaching -40
dBFS, nine in ten within 0.6 s; in three minutes of speech and music none, 12 dB louder neither.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, silence, smooth_step
from codecfx.effects.processor import without_garbage

_DUCK = 10 ** (-24 / 20)
_DOWN_MS, _UP_MS = 30, 500
_HOLD_MS, _LONGEST_HOLD_MS = 1000, 27_000
_SOON_MS = 10_000

_STEP, _STEPS = 128, 16  # a window is so many times so many samples at 48 kHz
_PAST = 33  # spectra that are remembered
_LOWEST_BIN = 5  # 117 Hz: below, a window cannot tell a tone from its neighbours
_LOBE, _REACH = 3, 8  # bins to either side that are the tone itself, and that are its neighbourhood
_FLOOR_DB = -45.0  # of full scale; what is lower is not looked at
_PURE_DB = 20.0
_HOPS, _RISES_DB = np.array((8, 16, 32)), (15.0, 12.0, 6.0)
_CROOKED_DB = 1.0  # RMS from the straight line
_STILL_HOPS, _STILL_DB = 10, 1.2
_FULL = 10 ** (-2.5 / 10)  # power of the whole sound, where a sine of full scale is 1
_MUCH = 0.2  # of it for the tone
_GONE_DB = 10.0  # a howl that is so much lower than when it was heard is over

# What makes of levels, oldest first, their rises along the straight lines that fit best, and their
# means, over the last hops, (2, 3, 33); and the variance of a line that rises by 1 dB
_MEANS = (np.arange(_PAST - 1, -1, -1) <= _HOPS[:, np.newaxis]) / (_HOPS[:, np.newaxis] + 1)
_PLACES = np.arange(_PAST) - (_MEANS @ np.arange(_PAST))[:, np.newaxis]
_SPREADS = (_MEANS * _PLACES**2).sum(axis=1)
_FITS = np.stack((_MEANS * _PLACES * (_HOPS / _SPREADS)[:, np.newaxis], _MEANS))
_VARIANCES = (_SPREADS / _HOPS**2).tolist()


class HowlDetector:
    """Turns a stream that howls down by 24 dB, until 1 s after the howl is over; until 3, 9 or 27 s
    after it if it came back within 10 s, again and again.

    No latency, and where nothing howls the very block that came in. Spectra are taken at fixed places
    of the stream, wherever blocks end. Readings are any thread's, all else is the audio thread's.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.count = 0  # howls so far
        self._stream = sample_rate, channels
        self._down, self._up = (smooth_step(sample_rate * ms // 1000) for ms in (_DOWN_MS, _UP_MS))
        self.reset()

    def reset(self) -> None:
        """As if nothing had been heard; the count goes on."""
        self.is_howling = False  # until the output is turned up again
        self.frequency_hz = 0.0  # of the howl, or of the last one
        self._ear = _Ear(*self._stream)
        self._at = 0  # of the hop's samples
        self._bin, self._level_db = 0, 0.0  # of the howl
        self._hold = self._left = 0  # hops
        self._since = self._hops(_SOON_MS)  # hops since the output was turned up
        self._from = self._to = 1.0  # the gain goes from there to there along a step
        self._step, self._into = self._up, len(self._up)

    def process(self, block: Audio) -> Audio:
        """The next samples as they may be heard, float32 (channels, samples), any number of them; the
        very block where nothing howls. It is kept for a while, and has to stay as it is.
        """
        out, done = block, 0
        while done < block.shape[1]:
            part = block[:, done : done + self._ear.hop_samples - self._at]
            past = done + part.shape[1]
            if self._to != 1 or self._into < len(self._step):
                out = block.copy() if out is block else out
                out[:, done:past] *= self._gains(past - done)
            self._ear.hear(part)
            self._at, done = self._at + past - done, past
            if self._at == self._ear.hop_samples:
                self._at = 0
                self._decide()
        return out

    def _gains(self, samples: int) -> Audio:
        gains = np.full(samples, self._to, np.float32)
        part = self._step[self._into : self._into + samples]
        gains[: part.size] = self._from + (self._to - self._from) * part
        self._into += part.size
        return gains

    def _decide(self) -> None:
        """A hop is whole: whether it howls, or still does."""
        ear = self._ear
        ear.listen()
        if not self.is_howling:
            self._since += 1
            if howl := ear.howl():
                self._bin, self._level_db = howl, ear.level_db(howl)
                self.frequency_hz = ear.pitch_hz(howl)
                again = self._since < self._hops(_SOON_MS)
                hold = 3 * self._hold if again else self._hops(_HOLD_MS)
                self._hold = self._left = min(hold, self._hops(_LONGEST_HOLD_MS))
                self._move(_DUCK, self._down)
                self.count, self.is_howling = self.count + 1, True
        elif ear.level_db(self._bin) > self._level_db - _GONE_DB and ear.is_pure(self._bin):
            self._left = self._hold
        else:
            self._left -= 1
            if not self._left:
                self._since, self.is_howling = 0, False
                self._move(1.0, self._up)

    def _move(self, gain: float, step: NDArray[np.float64]) -> None:
        into = float(self._step[self._into - 1]) if self._into else 0.0
        self._from += (self._to - self._from) * into
        self._to, self._step, self._into = gain, step, 0

    def _hops(self, ms: int) -> int:
        return math.ceil(ms * self._stream[0] / 1000 / self._ear.hop_samples)


class _Ear:
    """Spectra of a stream, half a window apart, and what they say of a howl: in every bin the power of
    a mix of all channels, where a sine of full scale in each of them is 1.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._every = max(1, round(sample_rate / 48_000))  # samples that count as one
        rate = sample_rate / self._every
        window = _STEP * max(2, round(_STEPS * rate / 48_000))  # which has a fast Fourier transform
        self._bin_hz = rate / window
        self.hop_samples = window // 2 * self._every
        # uneven parts, so that what is upside down in one channel is not lost
        parts = 1 + np.arange(channels) * 0.618 % 1
        self._mix = (parts / parts.sum()).astype(np.float32)
        self._weights = (np.hanning(window + 1)[:-1] * (4 / window / self._every)).astype(np.float32)
        self._hop: list[Audio] = []  # as far as it has come
        self._newest_hop = silence(channels, self.hop_samples)
        self._window = silence(2, self.hop_samples)  # the last two, in mono
        self._waves: NDArray[Any] = np.zeros(window // 2 + 1, np.complex64)
        self._spectra = np.zeros((2 * _PAST, window // 2 + 1), np.float32)  # each of them twice
        self._newest = _PAST

    def hear(self, part: Audio) -> None:
        """The next part of a hop."""
        self._hop.append(part)

    def listen(self) -> None:
        """Take the spectrum of what was heard last."""
        self._newest_hop = without_garbage(np.concatenate(self._hop, axis=1))
        self._hop.clear()
        self._window[0] = self._window[1]
        np.matmul(self._mix, self._newest_hop, out=self._window[1])
        mixed = self._window.ravel()
        weighted = mixed[:: self._every] * self._weights
        for other in range(1, self._every):
            weighted += mixed[other :: self._every] * self._weights
        np.fft.rfft(weighted, out=self._waves)
        self._newest = self._newest + 1 if self._newest < 2 * _PAST - 1 else _PAST
        spectrum = np.abs(self._waves, out=self._spectra[self._newest])
        spectrum *= spectrum
        self._spectra[self._newest - _PAST] = spectrum

    def howl(self) -> int:
        """The bin that howls, or 0."""
        spectrum = self._spectra[self._newest]
        loudest = _LOWEST_BIN + int(spectrum[_LOWEST_BIN : -_REACH - 1].argmax())
        if 10 * math.log10(spectrum[loudest] + 1e-20) < _FLOOR_DB:
            return 0
        if not self.is_pure(loudest):
            return 0
        first = self._newest - _PAST + 1
        lower, at, higher = self._spectra[first : first + _PAST, loudest - 1 : loudest + 2].T
        levels = 10 * np.log10(np.maximum(np.maximum(lower, higher), at) + 1e-12, dtype=np.float64)
        rises, means = (_FITS @ levels).tolist()
        squares = (_MEANS @ (levels * levels)).tolist()
        is_rising = rises[-1] >= _RISES_DB[-1] and any(
            rise >= least_rise and square - mean * mean - rise * rise * variance <= _CROOKED_DB**2
            for rise, least_rise, mean, square, variance in zip(
                rises, _RISES_DB, means, squares, _VARIANCES, strict=True
            )
        )
        recent = levels[-_STILL_HOPS - 1 :].tolist()
        if is_rising or (max(recent) - min(recent) <= _STILL_DB and self._is_full(spectrum[loudest])):
            return loudest
        return 0

    def is_pure(self, tone: int) -> bool:
        """Whether a bin stands out from its neighbours, its octaves, and the halves between them."""
        spectrum = self._spectra[self._newest]
        least = float(spectrum[tone]) / 10 ** (_PURE_DB / 10)
        first = max(0, tone - _REACH)
        around = spectrum[first : tone + _REACH + 1].tolist()  # a list is quicker where it is short
        near = around[: max(0, tone - _LOBE - first)] + around[tone + _LOBE + 1 - first :]
        return max(near) < least and all(
            max(spectrum[place - 2 : place + 3].tolist(), default=0.0) < least
            for place in (tone // 2, 3 * tone // 2, 2 * tone)
            if abs(place - tone) > _LOBE + 1
        )

    def level_db(self, tone: int) -> float:
        """Of the newest spectrum at a bin, where a sine of full scale in all channels is 0."""
        return 10 * math.log10(self._spectra[self._newest, tone - 1 : tone + 2].max() + 1e-20)

    def pitch_hz(self, tone: int) -> float:
        """The top of the parabola through a bin and its neighbours."""
        heights = self._spectra[self._newest, tone - 1 : tone + 2]
        below, at, above = (math.log(height + 1e-20) for height in heights)
        return self._bin_hz * (tone + (above - below) / (4 * at - 2 * below - 2 * above + 1e-20))

    def _is_full(self, power: float) -> bool:
        """Whether a channel is near full scale, and a tone of that power much of the sound."""
        loudest = 2 * float(np.square(self._newest_hop).mean(axis=1).max())
        total = float(self._spectra[self._newest].sum()) / 1.5  # a tone is 1.5 bins wide
        return loudest > _FULL and power > _MUCH * total
