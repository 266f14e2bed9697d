"""Ears: whatever a decoder makes of packets that were tampered with, nothing gets louder than 1.5 times
the highest sample that went in within the last second.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.base import CodecFormat, Packet

LOUDEST = 1.5  # times the peak of what went in
_MEMORY_SECONDS = 1.0  # of peaks; a decoder that was led astray takes as long to come back


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packet that may be another than the one that was sent, and how loud its frame may be."""

    packet: Packet
    limit: float
    is_seam: bool = False  # whether its sound is to go over from that of the frame before

    @property
    def bits(self) -> int:
        return self.packet.bits


class Peaks:
    """The highest sample of the last second, frame by frame."""

    def __init__(self, codec_format: CodecFormat) -> None:
        self._frame = codec_format.frame_samples
        self.frames = ceil(_MEMORY_SECONDS * codec_format.sample_rate / self._frame)  # that count
        self.reset()

    def reset(self) -> None:
        """Nothing was heard."""
        self._number = 0
        self._before = self._last = 0.0  # heights of the last two frames
        self._highest: deque[tuple[int, float]] = deque()  # of frames, each the highest since

    def heard(self, frames: Audio) -> Iterator[float]:
        """Take frames, float32 (channels, k * frame), one after another. Gives, for each, its highest
        sample and those of the two before: a packet's sound may reach back as far.
        """
        if frames.shape[1] == self._frame:
            heights = [_peak(frames)]
        else:
            heights = np.abs(frames).reshape(len(frames), -1, self._frame).max(axis=(0, 2)).tolist()
        for height in heights:
            near = max(height, self._last, self._before)
            self._before, self._last = self._last, height
            self._number += 1
            if self._highest and self._highest[0][0] <= self._number - self.frames:
                self._highest.popleft()
            self.raised(height)
            yield near

    def raised(self, height: float) -> float:
        """Count the last frame for at least as high; the highest sample of the second up to it."""
        highest = self._highest
        while highest and highest[-1][1] <= height:
            highest.pop()
        highest.append((self._number, height))
        return highest[0][1]


class Ears:
    """Keeps what is decoded of parcels, and in gaps between them, no louder than it may be."""

    def __init__(self, frame_samples: int) -> None:
        self._frame = frame_samples
        self.has_ceiling = False
        self.reset()

    def reset(self) -> None:
        """As if new."""
        self._limit = np.inf
        self._frame_limits: list[float] = []  # of the frames that were heard last
        self._number = 0  # of the next frame
        # of the frames that are not to be louder, for a Ceiling: their numbers, and how loud
        self.limits: deque[tuple[int, float]] = deque()

    def limited(self, frames: Audio, due: Sequence[object]) -> Audio:
        """Frames, float32 (channels, k * frame), and what they were decoded from."""
        begin = self._number
        self._number += len(due)
        if self._limit == np.inf and not any(isinstance(one, Parcel) for one in due):
            self._frame_limits = []
            return frames
        self._frame_limits = limits = []
        for one in due:
            if isinstance(one, Parcel):
                self._limit = one.limit
            elif isinstance(one, Packet):
                self._limit = np.inf
            limits.append(self._limit)
            if self._limit < np.inf and self.has_ceiling:
                self.limits.append((begin + len(limits) - 1, self._limit))
        return self.again(frames)

    def again(self, frames: Audio) -> Audio:
        """The same for what was made of frames that were limited last."""
        limits = self._frame_limits
        if not limits or _peak(frames) <= min(limits):  # as nearly always
            return frames
        ceilings = np.repeat(np.array(limits, np.float32), self._frame)
        clamped: Audio = np.clip(frames, -ceilings, ceilings)
        return clamped


class Ceiling:
    """The same as a stage behind the way back to the host's rate: what was clipped there overshoots."""

    ratio = Fraction(1)
    holdback_samples = lookahead_samples = Fraction(0)

    def __init__(self, ears: Ears, frame_samples: Fraction, reach_samples: int) -> None:
        """A frame has so many samples at the host's rate, and what is in it reaches so much further."""
        self._ears, self._reach, self._at = ears, reach_samples, 0
        ears.has_ceiling = True
        self._whole, self._parts = frame_samples.numerator, frame_samples.denominator

    def push(self, chunk: Audio) -> Audio:
        begin, samples = self._at, chunk.shape[1]
        self._at += samples
        limits = self._ears.limits
        if not limits or not samples:
            return chunk
        known = tuple(limits)  # a codec that computes beside the audio adds to it meanwhile
        if _peak(chunk) > min(limit for _, limit in known):
            chunk = self._clamped(chunk, begin, known)
        while limits and self._end(limits[0][0]) + self._reach <= self._at:
            limits.popleft()
        return chunk

    def _clamped(self, chunk: Audio, begin: int, limits: Iterable[tuple[int, float]]) -> Audio:
        ceilings = np.full(chunk.shape[1], np.inf, np.float32)
        for number, limit in limits:
            # nothing of it is heard before it has begun: a resampler is late by all of its reach
            first, past = self._end(number - 1), self._end(number) + self._reach
            reached = slice(max(0, first - begin), max(0, past - begin))
            known = ceilings[reached]
            ceilings[reached] = np.where(np.isinf(known), limit, np.maximum(known, limit))
        clamped: Audio = np.clip(chunk, -ceilings, ceilings)
        return clamped

    def _end(self, number: int) -> int:
        """Where a frame ends, at the host's rate."""
        return -(-(number + 1) * self._whole // self._parts)

    def reset(self) -> None:
        self._at = 0


def _peak(sound: Audio) -> float:
    """The highest sample. The ufuncs' own reductions take half as long as methods for short blocks."""
    highest = np.maximum.reduce(sound, axis=None, initial=0)
    return float(max(highest, -np.minimum.reduce(sound, axis=None, initial=0)))
