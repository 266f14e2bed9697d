"""Levels: peak and power of a stream, told fifty times a second. [audio thread]"""

from typing import Any

import numpy as np

from codecfx.audio import Audio, silence

_EVERY_SECONDS = 0.02
_FALL_DB_PER_SECOND = 12.0  # of peaks, as peak programme meters' do
_POWER_SECONDS = 0.3  # what power is a mean of, as VU meters' is


class Levels:
    """Collects blocks, since every look costs more than a copy."""

    def __init__(self, sample_rate: int, channels: int, peaks: Any, powers: Any) -> None:
        """`peaks` and `powers` get what it finds, float32 (channels,): the highest sample, and the mean
        square.
        """
        self._samples = max(1, int(_EVERY_SECONDS * sample_rate))
        self._held = silence(channels, self._samples)
        self._at = 0
        self._peaks, self._powers = peaks, powers
        self._fall = np.float32(10 ** (-_FALL_DB_PER_SECOND * _EVERY_SECONDS / 20))
        self._keeps = np.float32(np.exp(-_EVERY_SECONDS / _POWER_SECONDS))

    def hear(self, block: Audio) -> None:
        """The next block."""
        samples, done = block.shape[1], 0
        while done < samples:
            fits = min(samples - done, self._samples - self._at)
            self._held[:, self._at : self._at + fits] = block[:, done : done + fits]
            self._at, done = self._at + fits, done + fits
            if self._at == self._samples:
                self._at = 0
                self._tell()

    def _tell(self) -> None:
        held, keeps = self._held, self._keeps
        np.maximum(self._peaks * self._fall, np.abs(held).max(axis=1), out=self._peaks)
        power = np.einsum("cs,cs->c", held, held) / np.float32(self._samples)
        self._powers[:] = self._powers * keeps + power * (np.float32(1) - keeps)
