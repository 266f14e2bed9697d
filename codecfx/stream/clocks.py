"""Clocks: a codec that believes its own rate while its sound has another, and is played at a third.

::

    host's rate ─► codec's × encode ─► link ─► codec's × decode ─► host's rate ─► [resync]

With one clock for both, a codec works at a rate that it was never made for: GSM at 4 kHz takes a
telephone's band twice lower and frames twice longer. With two, what comes out has another length than
what went in, and another pitch. `Resync` gives it the old length again: of every window it leaves the
rest out, or plays part of it once more. So the stream stutters, and never drifts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import ceil, floor

import numpy as np

from codecfx.audio import Audio, silence, smooth_step
from codecfx.codecs.base import CodecFormat
from codecfx.control.parameters import Change, Curve, Parameter, Value
from codecfx.errors import UnsupportedFormat
from codecfx.stream.resampling import Resampled, there_and_back
from codecfx.stream.stage import Stage

GROUP = "shape"
# Ratios that resamplers take at every usual rate; a semitone is 18/17, a hundredth of one too low
MOST_DENOMINATOR = 48
_FADE_MS = 10.0  # of a joint; in windows that are shorter than four of it, less


def _clock(parameter_id: str, name: str, description: str) -> Parameter:
    return Parameter(
        parameter_id,
        name,
        1.0,
        minimum=0.25,
        maximum=4.0,
        curve=Curve.EXPONENTIAL,
        change=Change.PREPARE,
        description=description,
        group=GROUP,
    )


PARAMETERS = (
    _clock("encode_clock", "Encoder's clock", "Rate of the sound that is encoded, by the codec's own"),
    _clock(
        "decode_clock", "Decoder's clock", "Rate at which it is played; the pitch is one by the other"
    ),
    Parameter(
        "window_ms",
        "Window",
        60.0,
        minimum=5.0,
        maximum=2000.0,
        unit="ms",
        curve=Curve.EXPONENTIAL,
        change=Change.PREPARE,
        description="With two clocks: what is cut, or repeated in part, so that the length is the old "
        "one; in whole frames",
        group=GROUP,
    ),
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks, in the codec's own rates."""

    encode: Fraction = Fraction(1)
    decode: Fraction = Fraction(1)
    window_ms: float = 60.0

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> "Clocks":
        """From parameters, and maybe others; each the nearest fraction of a denominator up to 48.

        >>> Clocks.of({"encode_clock": 2 ** (1 / 12)}).encode
        Fraction(18, 17)
        """
        encode, decode, window = (float(values.get(one.id, one.default)) for one in PARAMETERS)
        return cls(_simple(encode), _simple(decode), window)

    def around(
        self, rate: int, codec: CodecFormat, lookahead_samples: int
    ) -> tuple[list[Stage], list[Stage], list[Stage]]:
        """The stages from a host's rate, in Hz, to the encoder; from the decoder, with so much
        lookahead between them, to the host's rate; and to as much sound as went in. None where there
        is nothing to do.

        Raises:
            UnsupportedFormat: the rates do not go into each other.
        """
        fed, played = codec.sample_rate * self.encode, codec.sample_rate * self.decode
        try:
            if fed == played:
                return *there_and_back(rate, fed, codec.channels, lookahead_samples), []
            there: list[Stage] = [Resampled(rate, fed, codec.channels)] if fed != rate else []
            back: list[Stage] = [Resampled(played, rate, codec.channels)] if played != rate else []
        except UnsupportedFormat:
            if self.encode == self.decode == 1:
                raise
            raise UnsupportedFormat(
                f"clocks of {self.encode} and {self.decode} bring {codec.sample_rate} Hz to rates that "
                f"{rate} Hz does not go into; take simpler ones, as 0.5, 0.75, 1.5 or 2"
            ) from None
        frame = codec.frame_samples * rate / played
        frames = max(1, round(self.window_ms * rate / 1000 / (frame * played / fed)))
        return there, back, [Resync(frames * frame, played / fed, rate, codec.channels)]


class Resync:
    """A stage of ratio r: windows of W samples become windows of W * r samples of the same content, in
    mean; places are whole samples, the same in every stream.

    Below 1 the rest of a window is left out. Above it, the last part of each is repeated, as often as
    it takes: the parts are alike, and each ends where the next window begins. Joints are faded.

    Content is early or late by part of a window; `lookahead_samples` is the mean.
    """

    def __init__(self, window_samples: Fraction, ratio: Fraction, rate: int, channels: int) -> None:
        """`window_samples` is W, at `rate` in Hz."""
        self.ratio = ratio
        self._window = window_samples
        # repeated parts, of half a window at least where there are two
        self._repeats = max(0, ceil(ratio) - 1)
        shortest = min(window_samples / 2, window_samples * ratio)
        self._fade = max(1, min(round(_FADE_MS * rate / 1000), floor(shortest / 2)))
        self._rising = smooth_step(self._fade + 1)[:-1].astype(np.float32)
        self.holdback_samples = Fraction(1)
        if ratio > 1:  # the last of a joint needs what comes so much later than it would sound
            self.holdback_samples += (window_samples + self._fade) * (ratio - 1) + ratio
        self.lookahead_samples = self._mean_lateness()
        self._nothing = silence(channels, 0)
        self._memory = silence(channels, 8 + ceil(4 * window_samples))  # inputs from the oldest on
        self.reset()

    def reset(self) -> None:
        self._in = self._out = 0
        self._oldest = -1  # a part may be a sample longer than its window, which is a mean
        self._memory[:, 0] = 0
        self._parts = self._all_parts()
        self._began = self._before = self._offset = 0  # of the part that plays; before: of the last
        self._next_begin, self._next_offset = next(self._parts)

    def _all_parts(self) -> Iterator[tuple[int, int]]:
        """Where in the output each part begins, and how much further its input is."""
        for window in count(0 if self.ratio > 1 else 1):
            start, stop = (floor(one * self._window) for one in (window, window + 1))
            begin, end = (floor(one * self._window * self.ratio) for one in (window, window + 1))
            if not self._repeats:
                yield begin, start - begin
            more = end - begin - (stop - start)
            for repeat in range(self._repeats):
                first, last = (more * one // self._repeats for one in (repeat, repeat + 1))
                place = end - more + first
                yield place, stop - (last - first) - place

    def _mean_lateness(self) -> Fraction:
        """How late content is, in the mean over the second window, in output samples."""
        first, last = (floor(one * self._window * self.ratio) for one in (1, 2))
        parts, at, offset, late = self._all_parts(), 0, 0, Fraction(0)
        while at < last:
            begin, following = next(parts)
            here = max(at, first)
            length = max(0, min(begin, last) - here)
            middle = here + Fraction(length - 1, 2)  # plays the input that is `offset` further
            late += length * (middle - (middle + offset) * self.ratio)
            if first <= begin < last:  # half of a joint is still of the part before
                late += (following - offset) * self.ratio * self._fade / 2
            at, offset = begin, following
        return late / max(1, last - first)

    def push(self, chunk: Audio) -> Audio:
        self._remember(chunk)
        pieces = []
        while (piece := self._piece()) is not None:
            pieces.append(piece)
        return np.concatenate(pieces, axis=1) if pieces else self._nothing

    def _remember(self, chunk: Audio) -> None:
        held, samples = self._in - self._oldest, chunk.shape[1]
        if held + samples > self._memory.shape[1]:
            # of the part that plays, the next one, and the one after that, a sample before at most
            begin = self._out + min(self._before, self._offset)
            begin = min(begin, self._next_begin + self._next_offset)
            needed = max(self._oldest, min(begin - 1, self._in))
            kept = self._memory[:, needed - self._oldest : held]
            self._oldest, held = needed, kept.shape[1]
            if 2 * (held + samples) > self._memory.shape[1]:
                self._memory = silence(len(chunk), 4 * (held + samples))
            self._memory[:, :held] = kept.copy()
        self._memory[:, held : held + samples] = chunk
        self._in += samples

    def _piece(self) -> Audio | None:
        """What can be played now without another joint; None for nothing."""
        if self._out == self._next_begin:
            self._began, self._before, self._offset = self._out, self._offset, self._next_offset
            self._next_begin, self._next_offset = next(self._parts)
        faded = self._out - self._began
        is_joint = self._before != self._offset and faded < self._fade
        end = min(self._next_begin, self._began + self._fade) if is_joint else self._next_begin
        ahead = max(self._offset, self._before) if is_joint else self._offset
        samples = min(end, self._in - ahead) - self._out
        if samples <= 0:
            return None
        sound = self._heard(self._offset, samples)
        if is_joint:
            old = self._heard(self._before, samples)
            sound = old + (sound - old) * self._rising[faded : faded + samples]
        self._out += samples
        return sound

    def _heard(self, offset: int, samples: int) -> Audio:
        first = self._out + offset - self._oldest
        return self._memory[:, first : first + samples]


def _simple(clock: float) -> Fraction:
    return Fraction(clock).limit_denominator(MOST_DENOMINATOR)
