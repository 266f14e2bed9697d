"""Automation: a parameter's way through time, as lanes of breakpoints.

A `Lane` is what a person writes: a path, positions in samples, seconds, percent or beats, plain values,
and how to get from one to the next. Against a parameter and a timeline it becomes a `Trajectory`, which
says what to set at which sample.

>>> bitrate = Parameter("bitrate_kbps", "Bitrate", 32.0, 2.0, 510.0)
>>> lane = Lane("opus.bitrate_kbps", [("0 s", 64), ("1 s", 16)])
>>> samples, values = lane.along(bitrate, Timeline(48_000)).moves(0, 48_001, tick_samples=12_000)
>>> list(zip(samples.tolist(), values))
[(0, 64.0), (12000, 52.0), (24000, 40.0), (36000, 28.0), (48000, 16.0)]
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from math import ceil
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codecfx.control.parameters import Parameter, Value
from codecfx.control.timeline import Position, Timeline
from codecfx.errors import ConfigurationError, ParameterError, UnknownName, shown

# What moves all the time is set so often: gains and plugins fade for 20 ms, most frames last as long
_TICK_MS = 10
_GRID_SAMPLES = 64  # pedalboard's plugins change on it: ticks that fall on it cut nothing twice
# An array that changes more often than this within a tick is a curve, and set once a tick
_STEPS_A_TICK = 4

Moves: TypeAlias = tuple[NDArray[np.int64], list[Value]]
"""Samples, ascending, and the value that holds from each of them on."""


class Interpolation(Enum):
    """How a value gets from one breakpoint to the next."""

    STEP = "step"  # stays, then jumps
    LINEAR = "linear"
    EXPONENTIAL = "exponential"  # equal ratios in equal times
    SMOOTH = "smooth"  # slow at both ends: 3t² - 2t³

    @classmethod
    def of(cls, written: object) -> "Interpolation":
        """By its name. Raises UnknownName with the nearest."""
        names = {one.value: one for one in cls}
        if not isinstance(written, str) or written not in names:
            raise UnknownName("interpolation", shown(written), names)
        return names[written]


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A value at a position, and the way from here to the next; None is the lane's own."""

    position: Position
    value: Value
    interpolation: Interpolation | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A parameter's breakpoints. Until the first the parameter stays as it is, after the last too.

    `points` may be given as `Breakpoint`s, or as files have them, (position, value) or (position,
    value, interpolation): ("2.5 s", 6). Two at one position are a jump. `interpolation` is "linear"
    where nothing is said, "step" for what has no values in between.
    """

    target: str
    points: Sequence[Breakpoint | tuple[object, ...]]
    interpolation: Interpolation | None = None
    where: str = field(default="", compare=False)  # in which file and line, for messages

    def __post_init__(self) -> None:
        """Raises ConfigurationError for no points, or a position or interpolation that is none."""
        if not isinstance(self.target, str) or not isinstance(self.points, Sequence):
            raise ConfigurationError("a lane takes a path and a list of points, [position, value] each")
        if not self.points:
            raise ConfigurationError("points is empty; write [position, value] for each")
        object.__setattr__(self, "points", tuple(_breakpoint(one) for one in self.points))
        if isinstance(self.interpolation, str):
            object.__setattr__(self, "interpolation", Interpolation.of(self.interpolation))

    @property
    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """The points, every one a `Breakpoint`."""
        return tuple(one for one in self.points if isinstance(one, Breakpoint))

    def to_table(self) -> dict[str, object]:
        """As a control file has it."""
        way = {} if self.interpolation is None else {"interpolation": self.interpolation.value}
        points = [
            [str(one.position), one.value, *([one.interpolation.value] if one.interpolation else [])]
            for one in self.breakpoints
        ]
        return {"target": self.target, **way, "points": points}

    def along(self, parameter: Parameter, timeline: Timeline) -> "Trajectory":
        """This lane for `parameter` on `timeline`.

        Raises:
            ParameterError, ConfigurationError: a value the parameter does not take, positions that go
                back, a way that its values do not have.
        """
        usual = self.interpolation or Interpolation.LINEAR
        if not _is_number(parameter):
            if usual is not Interpolation.STEP and self.interpolation:
                raise _no_way(parameter, usual)
            usual = Interpolation.STEP
        points = self.breakpoints
        samples = [timeline.sample_of(point.position) for point in points]
        for before, after in pairwise(samples):
            if after < before:
                raise ConfigurationError(
                    f"points go back in time, from sample {before} to {after}; write them in order"
                )
        values = [parameter.check(point.value) for point in points]
        ways = [point.interpolation or usual for point in points]
        for (value, following), way in zip(pairwise(values), ways, strict=False):
            if way is not Interpolation.STEP and not _is_number(parameter):
                raise _no_way(parameter, way)
            if way is Interpolation.EXPONENTIAL and float(value) * float(following) <= 0:
                raise ConfigurationError(
                    f"{parameter.id} goes from {value:g} to {following:g}, which no equal ratios do; "
                    "use linear or smooth"
                )
        return Trajectory(parameter, np.array(samples, np.int64), values, ways)


class Trajectory:
    """What a parameter is set to, at which sample."""

    def __init__(
        self,
        parameter: Parameter,
        samples: NDArray[np.int64],
        values: Sequence[Value],
        ways: Sequence[Interpolation],
    ) -> None:
        """`samples` ascending; `values` checked; `ways` from each to the next."""
        self._parameter = parameter
        self._samples, self._values = samples, list(values)
        if _is_number(parameter):
            numbers = np.array([float(value) for value in values])
            self._from, self._to = numbers, np.append(numbers[1:], numbers[-1:])
            self._until = np.append(samples[1:], samples[-1:])
            moving = np.array([way is not Interpolation.STEP for way in ways])
            moving[-1:] = False
            self._moving = moving & (self._from != self._to)
            self._ways = np.array([list(Interpolation).index(way) for way in ways])
        else:
            self._moving = np.zeros(len(samples), bool)

    @classmethod
    def of_array(cls, parameter: Parameter, curve: ArrayLike, tick_samples: int) -> "Trajectory":
        """A value for every sample, (samples,). Single steps are taken where they stand; where it
        changes more often, it is looked at once a tick.

        Raises:
            ParameterError: a value the parameter does not take; names its sample.
        """
        values = np.asarray(curve)
        _refuse_any(parameter, values)
        changes = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
        ticks = changes // tick_samples
        at_tick, first, count = np.unique(ticks, return_index=True, return_counts=True)
        busy = count > _STEPS_A_TICK
        # of a busy tick its beginning, and its last change where what follows is quiet
        quiet_next = busy & ~np.isin(at_tick + 1, at_tick[busy])
        last = changes[first + count - 1][quiet_next]
        kept = np.concatenate((changes[~np.repeat(busy, count)], at_tick[busy] * tick_samples, last))
        kept = np.unique(kept)
        checked = [parameter.check(value) for value in values[kept].tolist()]
        return cls(parameter, kept, checked, [Interpolation.STEP] * len(kept))

    @property
    def extremes(self) -> list[Value]:
        """Values that it is never beyond: what to try before anything sounds."""
        if _is_number(self._parameter):
            return [min(self._values, key=float), max(self._values, key=float)]
        return list(dict.fromkeys(self._values))

    def value_at(self, sample: int) -> Value | None:
        """What holds at a sample of its own time; None before its first breakpoint."""
        at = int(np.searchsorted(self._samples, sample, side="right")) - 1
        if at < 0:
            return None
        if self._moving[at] and sample > self._samples[at]:
            return self._between(np.array([sample]), np.array([at]))[0]
        return self._values[at]

    def moves(self, begin: int, end: int, tick_samples: int, shift: int = 0) -> Moves:
        """What to set at the samples of a stream from `begin` up to, not including, `end`, whose sample
        `shift` is this trajectory's 0: its breakpoints, and every tick of the stream in between where
        it moves. The same however the stream is cut up.
        """
        points = np.arange(*np.searchsorted(self._samples, (begin - shift, end - shift)))
        if not self._moving.any():
            return self._samples[points] + shift, [self._values[at] for at in points]
        ticks = np.arange(-(-begin // tick_samples) * tick_samples, end, tick_samples) - shift
        at = np.searchsorted(self._samples, ticks, side="right") - 1
        ticks, at = ticks[at >= 0], at[at >= 0]
        moving = self._moving[at] & (self._samples[at] < ticks)
        ticks, at = ticks[moving], at[moving]
        samples = np.concatenate((self._samples[points], ticks))
        values = [self._values[point] for point in points] + self._between(ticks, at)
        order = np.argsort(samples, kind="stable")
        return samples[order] + shift, [values[one] for one in order]

    def _between(self, samples: NDArray[np.int64], at: NDArray[np.int64]) -> list[Value]:
        """The values at samples on the ways that begin at the breakpoints `at`."""
        t = (samples - self._samples[at]) / (self._until[at] - self._samples[at])
        low, high = self._from[at], self._to[at]
        way = self._ways[at]
        smooth = way == list(Interpolation).index(Interpolation.SMOOTH)
        t = np.where(smooth, t * t * (3.0 - 2.0 * t), t)
        values = low + (high - low) * t
        ratios = way == list(Interpolation).index(Interpolation.EXPONENTIAL)
        values[ratios] = low[ratios] * (high[ratios] / low[ratios]) ** t[ratios]
        return nearest(self._parameter, values)


def _refuse_any(parameter: Parameter, values: NDArray[Any]) -> None:
    """Raises ParameterError for the first of `values` that is none of the parameter's."""
    if values.dtype.kind in "fiu" and not parameter.choices:
        wrong = np.flatnonzero(~np.isfinite(values))[:1].tolist()
        suspects = wrong or [int(values.argmin()), int(values.argmax())] if len(values) else []
    else:
        suspects = sorted(np.unique(values, return_index=True)[1].tolist())
    for sample in suspects:
        try:
            parameter.check(values[sample].item())
        except ParameterError as error:
            raise ParameterError(f"at sample {sample}, {error}") from None


def tick_samples(sample_rate: int) -> int:
    """Samples from one setting of a moving parameter to the next: 10 ms, on a grid of 64."""
    return on_grid(sample_rate * _TICK_MS / 1000)


def on_grid(samples: float) -> int:
    """So many samples, up to the next multiple of 64; 0 stays 0."""
    return ceil(samples / _GRID_SAMPLES) * _GRID_SAMPLES


def nearest(parameter: Parameter, numbers: NDArray[np.float64]) -> list[Value]:
    """Numbers as the parameter's own: whole steps, the nearest of its choices, never out of range."""
    if parameter.choices:
        choices = np.array(parameter.choices, float)
        apart = np.abs(numbers[:, np.newaxis] - choices)
        return [parameter.choices[at] for at in apart.argmin(axis=1).tolist()]
    if parameter.minimum is not None or parameter.maximum is not None:
        numbers = np.clip(numbers, parameter.minimum, parameter.maximum)
    if isinstance(parameter.default, int):
        return [int(one) for one in np.rint(numbers).tolist()]
    values: list[Value] = numbers.tolist()
    return values


def _is_number(parameter: Parameter) -> bool:
    """Whether a parameter has values between its values."""
    return not isinstance(parameter.default, bool | str)


def _no_way(parameter: Parameter, way: Interpolation) -> ConfigurationError:
    return ConfigurationError(
        f"interpolation is {way.value}, and {parameter.id} has nothing in between: it takes "
        f"{parameter.allowed}; use step"
    )


def _breakpoint(written: object) -> Breakpoint:
    """Raises ConfigurationError for what is no [position, value], with an interpolation or without."""
    if isinstance(written, Breakpoint):
        return written
    if isinstance(written, Iterable) and not isinstance(written, str):
        parts = [one.item() if isinstance(one, np.generic) else one for one in written]
        if len(parts) in (2, 3) and isinstance(parts[1], float | int | bool | str):
            way = Interpolation.of(parts[2]) if len(parts) == 3 else None
            return Breakpoint(Position.of(parts[0]), parts[1], way)
    raise ConfigurationError(
        f"point {shown(written)} is none; write [position, value] or [position, value, interpolation]"
    )
