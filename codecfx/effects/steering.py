"""Steering: a board's parameters in the hands of lanes, modulators and maps."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from codecfx.control.automation import Trajectory, nearest, on_grid
from codecfx.control.controls import Controls
from codecfx.control.mapping import Mapped
from codecfx.control.maps import Map
from codecfx.control.modulation import RunningModulator
from codecfx.control.parameters import Parameter, Value
from codecfx.control.timeline import Timeline
from codecfx.effects.base import Effect
from codecfx.effects.paths import Target, find, moves_live
from codecfx.errors import ConfigurationError, UnknownName

Planned: TypeAlias = tuple[int, "Steered", Value]
"""A move worked out ahead: at which sample of the stream, what, to which value."""


@dataclass(slots=True)
class Glide:
    """A value on its way, from where it was at sample `begin` of the stream to where it is at `end`."""

    begin: int
    end: int
    start: Value
    to: Value

    def value_at(self, parameter: Parameter, sample: int) -> Value:
        """Even steps of a knob in even times, where the parameter has a range."""
        if sample >= self.end:
            return self.to
        t = (sample - self.begin) / (self.end - self.begin)
        if parameter.minimum is not None and parameter.maximum is not None:
            low, high = (parameter.position_of(one) for one in (self.start, self.to))
            return parameter.value_at(low + (high - low) * t)
        low, high = float(self.start), float(self.to)
        return nearest(parameter, np.array([low + (high - low) * t]))[0]


class Steered:
    """A parameter that something moves."""

    def __init__(self, target: Target, number: int) -> None:
        self.target, self.number = target, number
        self.move = partial(target.effect.move, target.parameter)  # to a value that was checked, now
        self.late_samples = 0  # how much later than a file's own time it is to move
        self.grid_samples = 1  # where between samples it can move
        self.rewind()

    def rewind(self) -> None:
        self.glide: Glide | None = None
        self.waiting: list[Value] = []  # set, and not due yet

    def wanted(self, moved: Mapping["Steered", Value]) -> Value:
        """Where it is, or is going to be; `moved` are the moves of this sample so far."""
        if self.waiting:
            return self.waiting[-1]
        if self.glide is not None:
            return self.glide.to
        if self in moved:
            return moved[self]
        return self.target.value

    def refuse(self, values: Iterable[Value], sample_rate: int) -> None:
        """Raises ParameterError for a value that its effect does not take in such a stream."""
        for value in values:
            self.target.effect.refuse(self.target.parameter, value, sample_rate)

    def due(self, sample: int) -> int:
        """When it moves that is to meet the sound of this sample."""
        return -(-(sample + self.late_samples) // self.grid_samples) * self.grid_samples


@dataclass(frozen=True, slots=True)
class PlayedLane:
    """A lane on the stream."""

    steered: Steered
    trajectory: Trajectory

    def moves(self, begin: int, end: int, tick_samples: int) -> list[Planned]:
        """What it moves from sample `begin` of the stream up to `end`."""
        steered, grid = self.steered, self.steered.grid_samples
        samples, values = self.trajectory.moves(begin, end, tick_samples, steered.late_samples)
        samples = -(-samples // grid) * grid
        return list(zip(samples.tolist(), repeat(steered), values, strict=False))


@dataclass(frozen=True, slots=True)
class PlayedModulator:
    """A modulator that moves a parameter, a tick at a time."""

    steered: Steered
    mapped: Mapped
    modulator: RunningModulator

    def moves(self, begin: int, end: int, tick_samples: int) -> list[Planned]:
        """As PlayedLane's; of what it listens to, `end` samples must have been heard."""
        late = self.steered.late_samples
        first, past = (-(-one // tick_samples) for one in (max(begin, late), end))
        if past <= first:
            return []
        tick = (first * tick_samples - late) // tick_samples
        positions = self.modulator.positions(tick, past - first).tolist()
        samples = range(first * tick_samples, past * tick_samples, tick_samples)
        values = map(self.mapped.value_at, positions)
        return list(zip(samples, repeat(self.steered), values, strict=False))


@dataclass(frozen=True, slots=True)
class PlayedMap:
    """A map that listens to messages."""

    steered: Steered
    mapped: Mapped
    glide_samples: int


class Steering:
    """All that moves a board, looked up and checked."""

    def __init__(
        self,
        board: Effect,
        controls: Controls,
        curves: Mapping[str, ArrayLike],
        timeline: Timeline,
        tick_samples: int,
        seed: int,
    ) -> None:
        """Raises ConfigurationError for what `board` cannot do; says where that is written."""
        self._board, self._rate = board, timeline.sample_rate
        self._grid_samples, self._in_file_time = 1, False  # until the board is prepared
        self._steered: dict[tuple[str, str], Steered] = {}
        self._by_path: dict[str, Steered | ConfigurationError] = {}
        self.lanes: list[PlayedLane] = []
        for lane in controls.lanes:
            with written_at(lane.where):
                steered = self.at(lane.target)
                self._add(steered, lane.along(steered.target.parameter, timeline))
        for path, curve in curves.items():
            with written_at(path):
                steered = self.at(path)
                self._add(steered, Trajectory.of_array(steered.target.parameter, curve, tick_samples))
        running = {one.name: one.running(timeline, tick_samples, seed) for one in controls.modulators}
        self.hearing = [one for one in running.values() if one.listens_to is not None]
        self.modulators: list[PlayedModulator] = []
        self.followers: list[PlayedModulator] = []
        self.maps: list[PlayedMap] = []
        self._listening: dict[tuple[int, int], list[PlayedMap]] = {}
        for one in controls.maps:
            with written_at(one.where):
                self._map(one, running)

    def _add(self, steered: Steered, trajectory: Trajectory) -> None:
        steered.refuse(trajectory.extremes, self._rate)
        self.lanes.append(PlayedLane(steered, trajectory))

    def _map(self, one: Map, running: Mapping[str, RunningModulator]) -> None:
        if one.preset:
            return
        try:
            steered = self.at(one.target)
        except ConfigurationError:
            if one.optional:
                return
            raise
        parameter = steered.target.parameter
        low, high = steered.target.effect.usual_range(parameter, self._rate)
        if one.minimum is None and not parameter.steps:
            one = replace(one, minimum=low)
        if one.maximum is None and not parameter.steps:
            one = replace(one, maximum=high)
        mapped = Mapped(one, parameter)
        steered.refuse([mapped.value_at(0.0), mapped.value_at(1.0)], self._rate)
        if one.source.kind != "modulator":
            glide = on_grid(one.smoothing_ms * self._rate / 1000) if mapped.is_gradual else 0
            self.maps.append(PlayedMap(steered, mapped, glide))
            return
        if one.source.name not in running:
            raise UnknownName("modulator", one.source.name, running)
        modulator = running[one.source.name]
        played = PlayedModulator(steered, mapped, modulator)
        (self.followers if modulator in self.hearing else self.modulators).append(played)

    def at(self, path: str) -> Steered:
        """The parameter at `path`. Raises as `steerable` does; what was found out once is known."""
        known = self._by_path.get(path)
        if isinstance(known, Steered):
            return known
        if known is not None:
            raise known
        try:
            target = steerable(self._board, path)
        except ConfigurationError as error:
            self._by_path[path] = error
            raise
        key = target.place.number, target.parameter.id
        if key not in self._steered:
            self._steered[key] = Steered(target, len(self._steered))
            self._meet(self._steered[key])
        self._by_path[path] = self._steered[key]
        return self._steered[key]

    def begin(self, sample: int, tick_samples: int, *, running: bool) -> None:
        """Set what lanes and modulators say of the sample that a board begins at; of one that does not
        run yet, for the stream that it is going to be prepared for.
        """
        first: dict[Steered, Value] = {}
        for lane in self.lanes:
            value = lane.trajectory.value_at(sample)
            if value is not None:
                first[lane.steered] = value
        for one in (*self.modulators, *self.followers):
            position = float(one.modulator.positions(sample // tick_samples, 1)[0])
            first[one.steered] = one.mapped.value_at(position)
        for steered, value in first.items():
            effect = steered.target.effect
            (effect.move if running else effect.put)(steered.target.parameter, value)

    def meet(self, grid_samples: int, in_file_time: bool) -> None:
        """Take over from the prepared board where it can move: how late the sound is at each parameter,
        and that its own mix and bypass move on its grid too, which inside it is the same anyway.
        """
        self._grid_samples, self._in_file_time = grid_samples, in_file_time
        for steered in self._steered.values():
            self._meet(steered)

    def _meet(self, steered: Steered) -> None:
        target = find(self._board, steered.target.path)
        steered.late_samples = target.late_samples if self._in_file_time else 0
        steered.grid_samples = 1 if target.place.number else self._grid_samples

    def listening(self, message: bytes) -> list[PlayedMap]:
        """The maps that a well-formed message may concern."""
        kind = message[0] & 0xF0, message[1] if message[0] & 0xF0 == 0xB0 else 0
        if kind not in self._listening:
            self._listening[kind] = [one for one in self.maps if one.mapped.map.source.hears(message)]
        return self._listening[kind]

    def rewind(self) -> None:
        """Forget what was played."""
        for steered in self._steered.values():
            steered.rewind()
        for one in self.maps:
            one.mapped.reset()


def refuse_unknown(board: Effect, controls: Controls) -> None:
    """Raises ConfigurationError for a path or value that `board` does not have, whatever the sound: to
    be asked before there is any.
    """
    for lane in controls.lanes:
        with written_at(lane.where):
            parameter = steerable(board, lane.target).parameter
            for point in lane.breakpoints:
                parameter.check(point.value)
    names = {one.name for one in controls.modulators}
    for one in controls.maps:
        with written_at(one.where):
            if one.preset:
                continue
            try:
                target = steerable(board, one.target)
            except ConfigurationError:
                if one.optional:
                    continue
                raise
            Mapped(one, target.parameter)
            if one.source.kind == "modulator" and one.source.name not in names:
                raise UnknownName("modulator", one.source.name, names)


def fitting(board: Effect, controls: Controls) -> Controls:
    """`controls`, written for another board, as far as this one has what they move: a map of values
    that it does not take goes over all of its own.
    """
    lanes, maps = [], []
    for lane in controls.lanes:
        with suppress(ConfigurationError):
            refuse_unknown(board, Controls(lanes=(lane,)))
            lanes.append(lane)
    for one in controls.maps:
        for made in (one, replace(one, minimum=None, maximum=None, curve=None, steps=None)):
            with suppress(ConfigurationError):
                refuse_unknown(board, Controls(maps=(made,), modulators=controls.modulators))
                maps.append(made)
                break
    return replace(controls, lanes=tuple(lanes), maps=tuple(maps))


def steerable(board: Effect, path: str) -> Target:
    """The parameter at `path`, if it may move while sound runs.

    Raises:
        UnknownName: no such parameter; says the nearest.
        ConfigurationError: one that cannot move; says which of its effect can.
    """
    target = find(board, path)
    if not moves_live(target.parameter):
        able = [one.id for one in target.place.parameters if moves_live(one)]
        raise ConfigurationError(
            f"{path} cannot move while sound runs: it is part of how the stream is built; these can: "
            + ", ".join(able)
        )
    return target


@contextmanager
def written_at(where: str) -> Iterator[None]:
    """Errors inside name the place, file and line, of what they are about."""
    try:
        yield
    except ConfigurationError as error:
        if not where:
            raise
        raise ConfigurationError(" ".join(f"{where}: {error}".splitlines())) from None
