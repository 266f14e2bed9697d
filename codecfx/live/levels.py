"""Levels: peak and power of a stream, told fifty times a second. [audio thread]"""

from typing import Any

import numpy as np

from codecfx.audio import Audio

_EVERY_SECONDS = 0.02
_FALL_DB_PER_SECOND = 12.0  # of peaks, as peak programme meters' do
_POWER_SECONDS = 0.3  # what power is a mean of, as VU meters' is


class Levels:
    """Collects blocks, since every look costs more than keeping one."""

    def __init__(self, sample_rate: int, peaks: Any, powers: Any) -> None:
        """`peaks` and `powers` get what it finds, float32 (channels,): the highest sample, and the mean
        square.
        """
        self._samples = max(1, int(_EVERY_SECONDS * sample_rate))
        self._held: list[Audio] = []
        self._count = 0
        self._peaks, self._powers = peaks, powers
        self._fall = np.float32(10 ** (-_FALL_DB_PER_SECOND * _EVERY_SECONDS / 20))
        self._keeps = np.float32(np.exp(-_EVERY_SECONDS / _POWER_SECONDS))
        self.silent_samples = 0  # nothing but zeros have come for so long, to the last 20 ms

    def hear(self, block: Audio) -> None:
        """The next block, which stays as it is."""
        self._held.append(block)
        self._count += block.shape[1]
        if self._count >= self._samples:
            self._tell()

    def _tell(self) -> None:
        held, keeps = np.concatenate(self._held, axis=1), self._keeps
        self._held.clear()
        peaks = np.abs(held).max(axis=1)
        self.silent_samples = 0 if peaks.any() else self.silent_samples + self._count
        np.maximum(self._peaks * self._fall, peaks, out=self._peaks)
        power = np.einsum("cs,cs->c", held, held) / np.float32(self._count)
        self._powers[:] = self._powers * keeps + power * (np.float32(1) - keeps)
        self._count = 0
