"""Levels: peak and power of a stream, worked out beside it."""

from collections import deque
from typing import Any

import numpy as np

from codecfx.audio import Audio

_MOST_BLOCKS = 10_000  # that wait to be looked at: seconds
_FALL_DB_PER_SECOND = 12.0  # of peaks, as peak programme meters' do
_POWER_SECONDS = 0.3  # what power is a mean of, as VU meters' is


class Levels:
    """Collects blocks for somebody who has the time to look at them."""

    def __init__(self, sample_rate: int, peaks: Any, powers: Any) -> None:
        """`peaks` and `powers` get what it finds, float32 (channels,): the highest sample, and the mean
        square.
        """
        self._rate = sample_rate
        self._held: deque[Audio] = deque(maxlen=_MOST_BLOCKS)
        self.hear = self._held.append  # the next block, which stays as it is [audio thread]
        self._peaks, self._powers = peaks, powers
        self.silent_samples = 0  # nothing but zeros have come for so long, to the last look

    def tell(self) -> None:
        """Look at what has come since the last time. [control thread]"""
        blocks = [self._held.popleft() for _ in range(len(self._held))]
        if not blocks:
            return
        held = np.concatenate(blocks, axis=1)
        samples = held.shape[1]
        seconds = samples / self._rate
        peaks = np.abs(held).max(axis=1)
        self.silent_samples = 0 if peaks.any() else self.silent_samples + samples
        fall = np.float32(10 ** (-_FALL_DB_PER_SECOND * seconds / 20))
        np.maximum(self._peaks * fall, peaks, out=self._peaks)
        power = np.einsum("cs,cs->c", held, held) / np.float32(samples)
        keeps = np.float32(np.exp(-seconds / _POWER_SECONDS))
        self._powers[:] = self._powers * keeps + power * (np.float32(1) - keeps)
