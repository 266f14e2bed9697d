"""Movement that follows from time alone: the shapes of an LFO, and a random walk.

Random numbers are a hash of (seed, number), so that each is there without those before it, and stays
what it is whatever numpy makes of its generators.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio
from codecfx.control.timeline import Timeline
from codecfx.errors import ConfigurationError

Floats = NDArray[np.float64]
_WORD = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Clock:
    """What a modulator runs on: a timeline, the distance of ticks, the performance's seed, and how many
    of the latest ticks can be asked for.

    Raises:
        ConfigurationError: ticks that do not go on, or none to be kept.
    """

    timeline: Timeline
    tick_samples: int
    seed: int = 0
    history: int = 4096

    def __post_init__(self) -> None:
        for key in ("tick_samples", "history"):
            if getattr(self, key) < 1:
                raise ConfigurationError(f"{key}: it takes 1 or more, not {getattr(self, key)}")


# SplitMix64's constants (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators")
_GAMMA = 0x9E3779B97F4A7C15
_MIX = tuple(np.uint64(one) for one in (30, 0xBF58476D1CE4E5B9, 27, 0x94D049BB133111EB, 31))
_TO_53_BITS = np.uint64(11)


def stream_of(seed: int) -> int:
    """Where the random numbers of a seed begin: mixed, since those of its neighbours would else be the
    same ones, moved.
    """
    return int(_mixed(np.array([seed & _WORD], np.uint64))[0])


def uniform(stream: int, numbers: NDArray[np.int64]) -> Floats:
    """A random number, 0 up to but not 1, for each of `numbers`, in their shape.

    SplitMix64 counts its state up by one constant: its n-th number is a function of n.
    """
    states = numbers.astype(np.uint64) * np.uint64(_GAMMA) + np.uint64((stream + _GAMMA) & _WORD)
    there: Floats = (_mixed(states) >> _TO_53_BITS).astype(np.float64) * 2.0**-53
    return there


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    first, first_factor, second, second_factor, third = _MIX
    z = (z ^ (z >> first)) * first_factor
    z = (z ^ (z >> second)) * second_factor
    return z ^ (z >> third)


@dataclass(frozen=True, slots=True)
class Turns:
    """How many cycles have passed: `rate_hz` a second, or one in `beats` beats where those are given.

    Raises:
        ConfigurationError: beats, and no tempo.
    """

    clock: Clock
    rate_hz: float
    beats: float | None = None

    def __post_init__(self) -> None:
        if self.beats is not None and self.clock.timeline.tempo is None:
            raise ConfigurationError("beats: a cycle in beats wants a tempo; write 'tempo = 120'")

    def at(self, first_tick: int, count: int) -> Floats:
        """The cycles until each of `count` ticks: (count,), and whole numbers where one begins."""
        ticks = np.arange(first_tick, first_tick + count, dtype=np.float64)
        samples: Floats = ticks * self.clock.tick_samples
        timeline = self.clock.timeline
        if self.beats is None or timeline.tempo is None:
            # not by way of seconds, which would round: 50 cycles a second begin on whole numbers
            return samples * self.rate_hz / timeline.sample_rate
        turns: Floats = timeline.tempo.beats_at(samples / timeline.sample_rate) / self.beats
        return turns


class Knots:
    """A random position at the beginning of every cycle. `made` gives those from one number up to
    another, some of them ahead, to be kept: a block of audio wants one or two.
    """

    _AHEAD = 64

    def __init__(self, made: Callable[[int, int], Floats]) -> None:
        self._made = made
        self._first, self._kept = 0, np.empty(0)

    def around(self, cycle: Floats) -> tuple[Floats, Floats]:
        """Those at the beginning and at the end of each of `cycle`: whole numbers, ascending, (n,)."""
        if not cycle.size:
            return cycle, cycle
        first, last = int(cycle[0]), int(cycle[-1])
        if first < self._first or last + 1 >= self._first + self._kept.size:
            self._first, self._kept = first, self._made(first, last + self._AHEAD)
        places = cycle.astype(np.int64) - self._first
        return self._kept[places], self._kept[places + 1]


def _random(cycle: Floats, fraction: Floats, width: float, knots: Knots) -> Floats:
    start, end = knots.around(cycle)
    return start + (end - start) * (fraction * fraction * (3 - 2 * fraction))  # smoothstep: no corners


# Positions from the number of the cycle, the fraction of it that has passed, width, and knots
SHAPES: dict[str, Callable[[Floats, Floats, float, Knots], Floats]] = {
    "sine": lambda cycle, fraction, width, knots: 0.5 + 0.5 * np.sin(2 * np.pi * fraction),
    "triangle": lambda cycle, fraction, width, knots: 1 - np.abs(2 * ((fraction + 0.25) % 1) - 1),
    "saw-up": lambda cycle, fraction, width, knots: fraction,
    "saw-down": lambda cycle, fraction, width, knots: 1 - fraction,
    "square": lambda cycle, fraction, width, knots: (fraction < width).astype(np.float64),
    "random": _random,
    "hold": lambda cycle, fraction, width, knots: knots.around(cycle)[0],
}


class _Timed:
    """What follows from time hears nothing, and has nothing to forget."""

    listens_to: str | None = None

    def hear(self, audio: Audio) -> None:
        """Nothing to hear."""

    def reset(self) -> None:
        """Nothing to forget: what is kept is a function of the tick."""


class RunningLFO(_Timed):
    """An LFO on a timeline."""

    def __init__(self, turns: Turns, shape: str, phase: float, width: float, seed: int) -> None:
        self._turns, self._shape, self._phase, self._width = turns, SHAPES[shape], phase, width
        stream = stream_of(seed)
        self._knots = Knots(lambda first, past: uniform(stream, np.arange(first, past)))

    def positions(self, first_tick: int, count: int) -> Floats:
        turns = self._turns.at(first_tick, count) + self._phase
        cycle = np.floor(turns)
        return self._shape(cycle, turns - cycle, self._width, self._knots)


class RunningWalk(_Timed):
    """A random walk on a timeline.

    A walk between two mirrors is a walk without them, folded. So it is added up in whole numbers, where
    sums are exact in any order, backwards too, and where it stands is all that need be remembered.
    """

    # 2^40 units from 0 to 1 are finer than any knob, and 2^23 of the longest steps add up in 64 bits
    _ONE = 1 << 40
    _AT_ONCE = 1 << 16  # steps, so that a walk far ahead takes little memory

    def __init__(self, turns: Turns, step: float, start: float, seed: int) -> None:
        self._turns, self._stream = turns, stream_of(seed)
        self._step = step * self._ONE
        self._number, self._sum = 0, round(start * self._ONE)  # the steps so far, and where they lead
        self._knots = Knots(self._stops)

    def positions(self, first_tick: int, count: int) -> Floats:
        turns = self._turns.at(first_tick, count)
        cycle = np.floor(turns)
        start, end = self._knots.around(cycle)
        return start + (end - start) * (turns - cycle)

    def _stops(self, first: int, past: int) -> Floats:
        """Where the walk stands after `first` steps, up to those after `past` less one."""
        while self._number != first:
            way = min(max(first - self._number, -self._AT_ONCE), self._AT_ONCE)
            ends = sorted((self._number, self._number + way))
            moved = int(self._moves(*ends).sum())
            self._sum = (self._sum + (moved if way > 0 else -moved)) % (2 * self._ONE)
            self._number += way
        sums = self._sum + np.append(0, np.cumsum(self._moves(first, past - 1)))
        folded: Floats = np.abs((sums + self._ONE) % (2 * self._ONE) - self._ONE) / self._ONE
        return folded

    def _moves(self, first: int, past: int) -> NDArray[np.int64]:
        """The steps from `first` up to `past`, in units, cut towards 0: never longer than `step`."""
        random = uniform(self._stream, np.arange(first, past))
        return ((2 * random - 1) * self._step).astype(np.int64)
