"""Concealment: what is heard instead of a packet that is not there.

The codec's own way is always asked, so that its decoder knows of the gap. What is heard instead begins
as the last waves going on, and goes back into the sound along a short ramp; but for silence, whose
nature is a click. Seams, where a packet is there that does not follow the one before, are gone over in
the same way.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.codecs.base import CodecFormat, Packet
from codecfx.stream.ears import Parcel

_EDGE_MS, _FADE_MS = 5.0, 20.0
_SHORTEST_MS, _LONGEST_MS = 2.5, 20.0  # of a wave that is repeated: 400 to 50 Hz
_HEARD_MS = 10.0  # that are to be alike
_SEARCHED_PER_MS = 12.0  # samples: waves are told apart by what is below 6 kHz
_FADING_MS = 120.0  # in which a repeated wave falls to 1/e
_KEPT_MS = 3 * _LONGEST_MS
_OWN = ("codec", "repeat")  # what the decoder does by itself, and from packets


class _Filling(Protocol):
    """Sound for a gap, from its beginning on."""

    def next(self, samples: int) -> Audio:
        """The next samples, float32 (channels, samples)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A packet that is not there when it is due, and what is to be heard instead."""

    number: int  # of the packet
    conceal: str
    stick: float  # the chance that the last packet is repeated, in this gap
    stick_packets: int  # at most
    luck: float  # 0 <= x < 1


class Concealment:
    """Fills the gaps of one decoder's stream. Frame by frame: nothing depends on runs."""

    def __init__(self, codec_format: CodecFormat, seed: int) -> None:
        self._channels, self._frame = codec_format.channels, codec_format.frame_samples
        self._per_ms = codec_format.sample_rate / 1000
        self._kept = round(_KEPT_MS * self._per_ms)
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """As if new."""
        self._before: Packet | None = None  # the last that was there
        self._sticking = 0  # packets that it may still stand for in this gap
        self._in_gap = False
        self._past: deque[Audio] = deque()  # sound before the gap, the newest last
        self._past_samples = 0
        self._filling: _Filling | None = None

    def packets(self, due: Sequence[Packet | Parcel | Gap]) -> list[Packet | None]:
        """What the decoder is given: nothing for a gap, or the last packet again where it sticks."""
        given: list[Packet | None] = []
        for one in due:
            if not isinstance(one, Gap):
                self._before = one.packet if isinstance(one, Parcel) else one
                self._in_gap = False
                given.append(self._before)
                continue
            if not self._in_gap:
                self._in_gap = True
                sticks = one.conceal == "repeat" and one.luck < one.stick
                self._sticking = one.stick_packets if sticks else 0
            given.append(self._before if self._sticking > 0 else None)
            self._sticking -= 1
        return given

    def filled(self, frames: Audio, due: Sequence[object]) -> Audio:
        """What the decoder gave, float32 (channels, k * frame), with other sound in gaps."""
        if self._filling is None and not any(isinstance(one, Gap) or _is_seam(one) for one in due):
            self._keep(frames)
            return frames
        frames = frames.copy()
        for index, one in enumerate(due):
            frame = frames[:, index * self._frame : (index + 1) * self._frame]
            if isinstance(one, Gap) and one.conceal not in _OWN:
                self._fill(frame, one)
                continue
            if self._filling is None and _is_seam(one):
                self._filling = _Waves(self._sound_before(), self._per_ms)
            if self._filling is not None:
                self._come_back(frame)
            self._keep(frame)
        return frames

    def _keep(self, sound: Audio) -> None:
        self._past.append(sound)
        self._past_samples += sound.shape[1]
        while self._past_samples - self._past[0].shape[1] >= self._kept:
            self._past_samples -= self._past.popleft().shape[1]

    def _fill(self, frame: Audio, gap: Gap) -> None:
        if gap.conceal == "silence":
            frame[:] = 0
            self._filling = None
        elif self._filling is None:
            past = self._sound_before()
            self._filling = self._made(gap, past)
            frame[:] = self._filling.next(frame.shape[1])
            self._go_over(_Waves(past, self._per_ms), frame)
        else:
            frame[:] = self._filling.next(frame.shape[1])

    def _sound_before(self) -> Audio:
        past = np.concatenate((silence(self._channels, self._kept), *self._past), axis=1)
        return past[:, -self._kept :]

    def _come_back(self, frame: Audio) -> None:
        """The first frame that is there again."""
        assert self._filling is not None
        self._go_over(self._filling, frame)
        self._filling = None

    def _go_over(self, old: _Filling, frame: Audio) -> None:
        """Begin a frame as what was heard so far, along half a wave of a cosine."""
        milliseconds = _FADE_MS if isinstance(self._filling, _Nothing) else _EDGE_MS
        samples = max(1, min(frame.shape[1], round(milliseconds * self._per_ms)))
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 0.5) / samples)
        begin, before = frame[:, :samples], old.next(samples)
        begin[:] = before + (begin - before) * ramp.astype(np.float32)

    def _made(self, gap: Gap, past: Audio) -> _Filling:
        if gap.conceal == "noise":
            return _Noise(past, np.random.Generator(np.random.Philox(key=[self._seed, gap.number])))
        if gap.conceal == "stretch":
            return _Waves(past, self._per_ms)
        return _Nothing(self._channels)


def _is_seam(due: object) -> bool:
    return isinstance(due, Parcel) and due.is_seam


class _Nothing:
    def __init__(self, channels: int) -> None:
        self._channels = channels

    def next(self, samples: int) -> Audio:
        return silence(self._channels, samples)


class _Noise:
    """Noise of the colour and level of the sound before: its last 60 ms with other phases, in pieces
    that overlap by half.
    """

    def __init__(self, past: Audio, random: np.random.Generator) -> None:
        self._random = random
        self._length = past.shape[1] - past.shape[1] % 2
        # a sine window, so that overlapping halves have constant power
        self._window = np.sin(np.pi * (np.arange(self._length) + 0.5) / self._length)
        self._spectrum = np.abs(np.fft.rfft(past[:, : self._length] * self._window))
        self._ready = self._piece()[:, self._length // 2 :]

    def _piece(self) -> Audio:
        phases = self._random.uniform(0, 2 * np.pi, self._spectrum.shape[1])
        piece = np.fft.irfft(self._spectrum * np.exp(1j * phases), self._length)
        shaped: Audio = (np.sqrt(2) * piece * self._window).astype(np.float32)
        return shaped

    def next(self, samples: int) -> Audio:
        half = self._length // 2
        while self._ready.shape[1] < samples + half:
            piece = self._piece()
            self._ready[:, -half:] += piece[:, :half]
            self._ready = np.concatenate((self._ready, piece[:, half:]), axis=1)
        out, self._ready = self._ready[:, :samples], self._ready[:, samples:].copy()
        return out


def _wave_samples(mono: Audio, per_ms: float) -> int:
    """How long the wave at the end of a sound is, float32 (samples,): looked for in every n-th of its
    sums of n samples, which are enough, and then about there.
    """
    step = max(1, int(per_ms / _SEARCHED_PER_MS))
    shortest, longest = _SHORTEST_MS * per_ms, _LONGEST_MS * per_ms
    whole = mono[mono.size % step :].reshape(-1, step).sum(axis=1)
    about = step * _lag(whole, shortest / step, longest / step, _HEARD_MS * per_ms / step)
    if step == 1:
        return about
    near = max(shortest, about - step), min(longest, about + step)
    return _lag(mono, *near, _HEARD_MS * per_ms)


def _lag(mono: Audio, shortest: float, longest: float, heard: float) -> int:
    """How many samples ago a sound was most like its end, `heard` samples of it."""
    low, high, count = max(1, round(shortest)), round(longest), round(heard)
    mono = mono[-high - count :]
    earlier = mono[: mono.size - low]
    energy = np.cumsum(np.append(0.0, np.square(earlier, dtype=np.float64)))
    likeness = np.correlate(earlier, mono[-count:], "valid")  # the longest lag first
    likeness /= np.sqrt(energy[count:] - energy[:-count] + 1e-9)
    return high - int(np.argmax(likeness))


class _Waves:
    """The last wave of the sound before, again and again and ever quieter, as jitter buffers stretch
    sound (ITU-T G.711, appendix I): its length is where the sound is most like itself.
    """

    def __init__(self, past: Audio, per_ms: float) -> None:
        length = _wave_samples(past.mean(axis=0), per_ms)
        wave = past[:, -length:].copy()
        # its end goes over into what came before its beginning, so that it joins on to itself
        blend = max(1, length // 4)
        rising = (np.arange(blend, dtype=np.float32) + np.float32(0.5)) / np.float32(blend)
        before = past[:, -length - blend : -length]
        wave[:, -blend:] = wave[:, -blend:] * (1 - rising) + before * rising
        self._wave, self._at = wave, 0
        self._fading = -1.0 / (_FADING_MS * per_ms)

    def next(self, samples: int) -> Audio:
        places = self._at + np.arange(samples)
        self._at += samples
        gain = np.exp(places * self._fading).astype(np.float32)
        waves: Audio = self._wave[:, places % self._wave.shape[1]] * gain
        return waves
