"""Decoders that never find back by themselves: ADPCM that is nothing but differences.

Yamaha's and Dialogic's decoders add up steps whose size follows from the codes before. A wrong code
leaves a wrong level and a wrong step, for good: hardware was reset, or rang on. Here each packet says
where the sender's own decoder stood before it; one that stands elsewhere is opened anew, led to that
level and step by codes of its own language, and what little is missing then is added.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, silence
from codecfx.codecs.engine import Decoder

_SIGN = 8  # of a code of four bits
_AT_REST = 3  # the largest magnitude that leaves a new decoder's step as it is


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a decoder stands between two packets."""

    levels: tuple[float, ...]  # the last sample, by channel
    steps: tuple[int, ...]  # the step, or its place in a table, by channel


class StepWalk:
    """How the step moves with each code of four bits, of which the upper one is but a sign.

    `table` is (steps, 8): the step after a step and a magnitude. `first` is a new decoder's step, which
    magnitudes up to 3 leave as it is.
    """

    def __init__(self, table: NDArray[np.int64], first: int, *, low_half_first: bool) -> None:
        self.first = first
        self._table = table
        self._low_half_first = low_half_first

    @cached_property
    def _next(self) -> list[int]:
        """The table in a row: eight times faster to walk than an array."""
        flat: list[int] = self._table.ravel().tolist()
        return flat

    def after(self, steps: tuple[int, ...], payload: bytes) -> tuple[int, ...]:
        """The steps of each channel after a packet."""
        following = self._next
        walked = []
        for step, magnitudes in zip(steps, self._magnitudes(payload, len(steps)), strict=True):
            for magnitude in magnitudes:
                step = following[8 * step + magnitude]
            walked.append(step)
        return tuple(walked)

    def _magnitudes(self, payload: bytes, channels: int) -> list[list[int]]:
        """A packet's codes without their signs, by channel."""
        whole = np.frombuffer(payload, np.uint8)
        halves = (whole & 15, whole >> 4) if self._low_half_first else (whole >> 4, whole & 15)
        codes = np.stack(halves, axis=1).reshape(-1, channels) & 7
        return [codes[:, channel].tolist() for channel in range(channels)]

    def packed(self, walks: list[list[int]]) -> bytes:
        """Codes of each channel as a packet; the shorter ones begin with small steps to and fro."""
        longest = max(map(len, walks))
        longest += (longest * len(walks)) % 2  # whole bytes
        codes = np.zeros((longest, len(walks)), np.uint8)
        codes[1::2] = _SIGN
        for channel, walk in enumerate(walks):
            codes[longest - len(walk) :, channel] = walk
        halves = codes.reshape(-1, 2)
        low, high = (0, 1) if self._low_half_first else (1, 0)
        return (halves[:, low] | halves[:, high] << 4).astype(np.uint8).tobytes()

    def codes_to(self, step: int, level: float) -> list[int]:
        """A walk from a new decoder's step to this one, up and down in turns; the first away from the
        level, where there is room.
        """
        first = 0 if level > 0 else 1
        return [
            magnitude | (_SIGN if index % 2 == first else 0)
            for index, magnitude in enumerate(self._way(step))
        ]

    def _way(self, step: int) -> list[int]:
        """The shortest walk from a new decoder's step to this one, as magnitudes."""
        way: list[int] = []
        while step != self.first:
            before, magnitude = self._origins[step]
            way.append(int(magnitude))
            step = int(before)
        return way[::-1]

    @cached_property
    def _origins(self) -> NDArray[np.int64]:
        """Of every step that can be reached, the step before and the magnitude that leads on."""
        origins = np.full((len(self._table), 2), -1)
        origins[self.first] = self.first, 0
        frontier = np.array([self.first])
        while frontier.size:
            reached = []
            for magnitude in range(8):
                following, where = np.unique(self._table[frontier, magnitude], return_index=True)
                new = origins[following, 0] < 0
                origins[following[new]] = np.stack(
                    (frontier[where[new]], np.full(new.sum(), magnitude)), axis=1
                )
                reached.append(following[new])
            frontier = np.concatenate(reached)
        return origins


class DriftingDecoder:
    """A decoder that knows its level, and can be told to stand elsewhere."""

    def __init__(self, opened: Callable[[], Decoder], walk: StepWalk, channels: int) -> None:
        self._opened, self._walk, self._channels = opened, walk, channels
        self._decoder = opened()
        self._offset = self._level = silence(channels, 1)

    @property
    def levels(self) -> tuple[float, ...]:
        """The last sample of each channel."""
        return tuple(self._level[:, 0].tolist())

    def stand_at(self, stand: Stand) -> None:
        """Stand there, unless it does. A wrong step shows in the level after the next packet."""
        if stand.levels == self.levels:
            return
        ways = [
            self._walk.codes_to(step, level)
            for step, level in zip(stand.steps, stand.levels, strict=True)
        ]
        gone = self._led(ways)
        strides = self._led([[_AT_REST, _AT_REST]] * self._channels) / 2
        walks = []
        for way, level, there, stride in zip(ways, stand.levels, gone, strides, strict=True):
            count = round(abs(level - there) / stride)
            walks.append([_AT_REST | (_SIGN if level < there else 0)] * count + way)
        self._level = np.array(stand.levels, np.float32)[:, np.newaxis]
        self._offset = self._level - self._led(walks)[:, np.newaxis]

    def _led(self, walks: list[list[int]]) -> Audio:
        """Open the decoder anew, and lead it by these codes; its levels then, (channels)."""
        self._decoder = self._opened()
        payload = self._walk.packed(walks)
        frame = self._decoder.decode(payload) if payload else None
        ends: Audio = np.zeros(self._channels, np.float32) if frame is None else frame[:, -1].copy()
        return ends

    def decode(self, payload: bytes) -> Audio | None:
        frame = self._decoder.decode(payload)
        if frame is None or not frame.shape[1]:
            return None
        frame = frame + self._offset
        self._level = frame[:, -1:].copy()
        return frame

    def conceal(self) -> Audio | None:
        return None


# Yamaha (YMZ263 and kin): a step of 127 to 24576, times these 256ths (FFmpeg's adpcm_data.c)
_FACTORS = np.array([230, 230, 230, 230, 307, 409, 512, 614])
YAMAHA = StepWalk(
    np.clip(np.arange(24_577)[:, np.newaxis] * _FACTORS >> 8, 127, 24_576), 127, low_half_first=True
)
# Dialogic's VOX (OKI MSM5205): places in a table of 49 steps
_PLACES = np.array([-1, -1, -1, -1, 2, 4, 6, 8])
VOX = StepWalk(np.clip(np.arange(49)[:, np.newaxis] + _PLACES, 0, 48), 0, low_half_first=False)
