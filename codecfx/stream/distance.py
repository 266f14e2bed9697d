"""Distance: the time that light takes, which nobody has got around yet."""

from fractions import Fraction

import numpy as np

from codecfx.audio import Audio, silence

KM_PER_MS = 204.2  # in fibre: 299,792 km/s over 1.468, the group index of ITU-T G.652 at 1550 nm


class Distance:
    """A stage that gives what it is given, `samples` later."""

    ratio = Fraction(1)
    holdback_samples = Fraction(0)

    def __init__(self, samples: int, channels: int) -> None:
        self.lookahead_samples = Fraction(samples)
        self._way = silence(channels, samples)

    def push(self, chunk: Audio) -> Audio:
        known = np.concatenate((self._way, chunk), axis=1)
        self._way = known[:, chunk.shape[1] :]
        return known[:, : chunk.shape[1]]

    def reset(self) -> None:
        self._way = np.zeros_like(self._way)


def samples_of(distance_km: float, sample_rate: int) -> int:
    """How many samples of this rate, in Hz, a distance takes.

    >>> samples_of(16_000, 48_000)  # Oslo to Sydney
    3761
    """
    return round(distance_km / KM_PER_MS * sample_rate / 1000)
