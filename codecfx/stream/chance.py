"""Chance: random numbers that anybody can work out again, from a seed, a packet's number, and what for.

They are a hash (the mixing of SplitMix64: Steele, Lea and Flood, Fast splittable pseudorandom number
generators, OOPSLA 2014), so that each is there without those before it, whatever else is drawn.
"""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_WORD = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, odd
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_TO_UNIT = 2.0**-53
_PURPOSES = 32


class Purpose(IntEnum):
    """What a number is drawn for: at most 32 purposes, so that none has to do with another."""

    LOST = 0
    KNOT = 1  # of drifting loss
    JITTER = 2
    ANGLE = 3
    REORDER = 4
    DUPLICATE = 5
    COPY = 6
    COPY_ANGLE = 7
    STICK = 8
    FLIP = 9
    SWAP = 10
    HIT = 11
    BEHIND = 12
    SPLICE = 13
    SPLICE_WHERE = 14
    SCATTER = 15
    SWAP_BOOKS = 16
    SHUFFLE = 17
    WALK = 18


class Chance:
    """The random numbers of a seed."""

    def __init__(self, seed: int) -> None:
        self._stream = _mixed((seed * _GOLDEN + 1) & _WORD)  # so that neighbours have nothing in common

    def at(self, number: int, purpose: Purpose) -> float:
        """One of 0 <= x < 1 for packet `number` and a purpose.

        >>> first = Chance(seed=1)
        >>> first.at(7, Purpose.LOST) == Chance(seed=1).at(7, Purpose.LOST) != first.at(7, Purpose.KNOT)
        True
        """
        place = self._stream + (number * _PURPOSES + purpose) * _GOLDEN
        return (_mixed(place & _WORD) >> 11) * _TO_UNIT

    def lucks(self, number: int, purpose: Purpose) -> Iterator[tuple[float, int]]:
        """Any number of them, one by one, each with 11 random bits beside it: those of `words`."""
        place = _mixed((self._stream + (number * _PURPOSES + purpose) * _GOLDEN) & _WORD)
        while True:
            word = _mixed(place)
            yield (word >> 11) * _TO_UNIT, word & 0x7FF
            place = (place + _GOLDEN) & _WORD

    def fractions(self, number: int, purpose: Purpose, count: int) -> NDArray[np.float64]:
        """So many of 0 <= x < 1, float64 (count,): those of `words`."""
        return fractions_of(self.words(number, purpose, count))

    def words(self, number: int, purpose: Purpose, count: int) -> NDArray[np.uint64]:
        """So many words of 64 random bits for packet `number` and a purpose."""
        first = _mixed((self._stream + (number * _PURPOSES + purpose) * _GOLDEN) & _WORD)
        words = np.arange(count, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(first)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(_FIRST)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(_SECOND)
        return words ^ (words >> np.uint64(31))


def _mixed(word: int) -> int:
    word = ((word ^ (word >> 30)) * _FIRST) & _WORD
    word = ((word ^ (word >> 27)) * _SECOND) & _WORD
    return word ^ (word >> 31)


def fractions_of(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The upper 53 bits of each as 0 <= x < 1; the lower 11 are free for something else."""
    return (words >> np.uint64(11)).astype(np.float64) * _TO_UNIT
