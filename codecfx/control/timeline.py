"""Positions in time as people write them: samples, seconds, percent of the sound, beats.

>>> timeline = Timeline(48_000, samples=480_000, tempo=TempoMap.steady(120))
>>> [timeline.sample_of(Position.of(text)) for text in ("2.5 s", "50 %", "4 beats", 960)]
[120000, 240000, 96000, 960]
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codecfx.errors import ConfigurationError, shown

LOWEST_BPM, HIGHEST_BPM = 1, 1000
LONGEST = 2**40  # of samples, seconds and beats: more than any sound has
_UNITS = {
    "": "samples",
    **dict.fromkeys(("sample", "samples"), "samples"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    "ms": "ms",
    **dict.fromkeys(("%", "percent"), "%"),
    **dict.fromkeys(("beat", "beats"), "beats"),
}
_WRITTEN = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z%]*)")


@dataclass(frozen=True, slots=True)
class TempoMap:
    """Beats and seconds. Every tempo holds from its beat to the next one's.

    `changes` are (beat, beats per minute), the first at beat 0, ascending. A beat is a quarter note,
    as in MIDI files.
    """

    changes: tuple[tuple[Fraction, Fraction], ...]
    _seconds: tuple[Fraction, ...] = field(init=False, repr=False, compare=False)
    _rounded: tuple[NDArray[np.float64], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ConfigurationError for no change at beat 0, another order, or a tempo of no music."""
        beats = [beat for beat, _ in self.changes]
        if not beats or beats[0] != 0 or any(a >= b for a, b in pairwise(beats)):
            raise ConfigurationError("tempo changes begin at beat 0 and follow each other in order")
        seconds = [Fraction(0)]
        for (beat, bpm), (later, _) in pairwise(self.changes):
            seconds.append(seconds[-1] + (later - beat) * 60 / bpm)
        object.__setattr__(self, "_seconds", tuple(seconds))
        columns = (
            [float(one) for one in column] for column in (*zip(*self.changes, strict=True), seconds)
        )
        object.__setattr__(self, "_rounded", tuple(np.array(column) for column in columns))

    @classmethod
    def steady(cls, bpm: float | Fraction) -> Self:
        """One tempo. Raises ConfigurationError outside 1 to 1000 bpm."""
        if not LOWEST_BPM <= bpm <= HIGHEST_BPM:
            raise ConfigurationError(
                f"tempo is {shown(bpm)}; it takes {LOWEST_BPM} to {HIGHEST_BPM} beats per minute"
            )
        return cls(((Fraction(0), Fraction(bpm)),))

    def seconds_at(self, beat: Fraction) -> Fraction:
        """When a beat falls, exactly."""
        at = max(0, bisect_right(self.changes, beat, key=lambda change: change[0]) - 1)
        start, bpm = self.changes[at]
        return self._seconds[at] + (beat - start) * 60 / bpm

    def beats_at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which beat it is at each of `seconds`, a fraction of beats included."""
        beats, bpm, starts = self._rounded
        at = np.maximum(np.searchsorted(starts, seconds, side="right") - 1, 0)
        there: NDArray[np.float64] = beats[at] + (seconds - starts[at]) * bpm[at] / 60
        return there


@dataclass(frozen=True, slots=True)
class Position:
    """A place in time: an amount of a unit, "samples", "s", "ms", "%" or "beats"."""

    amount: Fraction
    unit: str = "samples"

    @classmethod
    def of(cls, written: object) -> Self:
        """A position as a file has it: a whole number of samples, or text, an amount and a unit.

        Raises:
            ConfigurationError: no such position; says how one is written.
        """
        text = written if isinstance(written, str) else shown(written)
        match = _WRITTEN.fullmatch(text.strip().lower())
        is_number = isinstance(written, int | float) and not isinstance(written, bool)
        if match and (is_number or isinstance(written, str)) and match[2] in _UNITS:
            amount, unit = Fraction(match[1]), _UNITS[match[2]]
            if amount < LONGEST and (unit != "samples" or amount.denominator == 1):
                return cls(amount, unit)
        raise ConfigurationError(
            f"position '{shown(written)}' is none; write samples (48000), seconds ('2.5 s', '250 ms'), "
            "percent of the sound ('50 %') or beats ('4 beats'), from 0 up"
        )

    def __str__(self) -> str:
        """As a file has it."""
        amount = int(self.amount) if self.amount.denominator == 1 else float(self.amount)
        return f"{amount} {self.unit}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """What positions are measured against: the sound's rate, its length, its tempo.

    `samples` is None for a stream whose end nobody knows, `tempo` where none was given.
    """

    sample_rate: int
    samples: int | None = None
    tempo: TempoMap | None = None

    def sample_of(self, position: Position) -> int:
        """The sample at `position`, to the nearest.

        Raises:
            ConfigurationError: percent of an unknown length, or beats without a tempo.
        """
        amount = position.amount
        match position.unit:
            case "samples":
                return int(amount)
            case "%":
                if self.samples is None:
                    raise ConfigurationError(
                        "a position in percent wants a sound of known length; write it in seconds"
                    )
                return round(amount * self.samples / 100)
            case "beats":
                if self.tempo is None:
                    raise ConfigurationError("a position in beats wants a tempo; write 'tempo = 120'")
                return round(self.tempo.seconds_at(amount) * self.sample_rate)
            case unit:
                return round(amount * self.sample_rate / (1000 if unit == "ms" else 1))


def tempo_of(written: object) -> TempoMap:
    """A tempo as a file has it: beats per minute, or a list of [beat, beats per minute].

    Raises:
        ConfigurationError: no tempo; says how one is written.
    """
    if isinstance(written, int | float) and not isinstance(written, bool):
        return TempoMap.steady(written)
    if isinstance(written, Sequence) and not isinstance(written, str):
        changes = []
        for pair in written:
            if not isinstance(pair, Sequence) or len(pair) != 2 or isinstance(pair, str):
                break
            beat, bpm = pair
            if any(isinstance(one, bool) or not isinstance(one, int | float) for one in pair):
                break
            if not 0 <= beat < LONGEST:
                break
            changes.append((Fraction(beat), TempoMap.steady(bpm).changes[0][1]))
        else:
            return TempoMap(tuple(changes))
    raise ConfigurationError(
        f"tempo is {shown(written)}; write beats per minute (120), or changes as [[0, 120], [16, 90]]"
    )
