"""Chance: random numbers that anybody can work out again, from a seed, a packet's number, and what for.

They are a hash (the mixing of SplitMix64: Steele, Lea and Flood, Fast splittable pseudorandom number
generators, OOPSLA 2014), so that each is there without those before it, whatever else is drawn.
"""

import numpy as np
from numpy.typing import NDArray

_WORD = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, odd
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_PURPOSES = 16
_TO_UNIT = 2.0**-53


class Chance:
    """The random numbers of a seed."""

    def __init__(self, seed: int) -> None:
        self._stream = _mixed((seed * _GOLDEN + 1) & _WORD)  # so that neighbours have nothing in common

    def at(self, number: int, purpose: int) -> float:
        """One of 0 <= x < 1 for packet `number` and one of 16 purposes.

        >>> first = Chance(seed=1)
        >>> first.at(7, 0) == Chance(seed=1).at(7, 0) != first.at(7, 1)
        True
        """
        place = self._stream + (number * _PURPOSES + purpose) * _GOLDEN
        return (_mixed(place & _WORD) >> 11) * _TO_UNIT

    def words(self, number: int, purpose: int, count: int) -> NDArray[np.uint64]:
        """So many words of 64 random bits for packet `number` and one of 16 purposes."""
        first = _mixed((self._stream + (number * _PURPOSES + purpose) * _GOLDEN) & _WORD)
        words = np.arange(count, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(first)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(_FIRST)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(_SECOND)
        return words ^ (words >> np.uint64(31))


def _mixed(word: int) -> int:
    word = ((word ^ (word >> 30)) * _FIRST) & _WORD
    word = ((word ^ (word >> 27)) * _SECOND) & _WORD
    return word ^ (word >> 31)
