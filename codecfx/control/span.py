"""Spans: a parameter's values from one end of a map to the other, and the positions of each."""

import math

from codecfx.control.maps import Map, naming
from codecfx.control.parameters import Change, Parameter, Value
from codecfx.errors import ConfigurationError

_DETENT = 1 / 127


class Span:
    """A parameter's values from one end to the other, either way round, and their positions, 0 to 1."""

    def __init__(self, map: Map, parameter: Parameter) -> None:
        """Raises ConfigurationError where `map` does not fit `parameter`; begins with the key."""
        choices = parameter.steps
        if parameter.change is Change.PREPARE:
            raise ConfigurationError(
                f"target: {map.target} cannot move while sound runs; set it in the preset instead"
            )
        if isinstance(parameter.default, str) and not choices:
            raise ConfigurationError(
                f"target: {map.target} is text, which no control gives; map a number, choice or switch"
            )
        self.first, self.last = self._ends(map, parameter)
        self._is_whole = isinstance(parameter.default, int)
        self._is_exponential = (map.curve or parameter.curve.value) == "exponential"
        self._steps: tuple[Value, ...] = ()  # of a span that moves in steps, every value
        self._beyond: tuple[Value, ...] = ()  # of choices, those on either side too
        if choices:
            if map.curve in ("exponential", "stepped"):
                raise ConfigurationError(
                    f"curve: {map.target} has steps of its own; leave the curve out"
                )
            up = choices.index(self.first) < choices.index(self.last)
            self._beyond = choices if up else choices[::-1]
            self._steps = self._beyond[
                self._beyond.index(self.first) : self._beyond.index(self.last) + 1
            ]
        elif map.steps:
            self._steps = tuple(self._between(step / (map.steps - 1)) for step in range(map.steps))
            if len(set(self._steps)) < map.steps:
                raise ConfigurationError(
                    f"steps: {map.steps} is more than {self.first} to {self.last} has; take fewer"
                )
        elif self._is_exponential and min(float(self.first), float(self.last)) <= 0:
            raise ConfigurationError("curve: 'exponential' wants min and max above 0; write 'linear'")
        if self._steps and map.step:
            raise ConfigurationError(f"step: {map.target} moves one step a detent; leave it out")

    @staticmethod
    def _ends(map: Map, parameter: Parameter) -> tuple[Value, Value]:
        """The values at position 0 and 1: the map's, else the parameter's own."""
        choices = parameter.steps
        own = (choices[0], choices[-1]) if choices else (parameter.minimum, parameter.maximum)
        ends: list[Value] = []
        for key, written, value in zip(("min", "max"), (map.minimum, map.maximum), own, strict=True):
            end = value if written is None else written
            if end is None:
                raise ConfigurationError(
                    f"{key}: {map.target} has no range of its own; write min and max"
                )
            with naming(key):
                ends.append(parameter.check(end))
        if ends[0] == ends[1]:
            raise ConfigurationError(f"max: is {ends[1]}, as min is; write two values to move between")
        return ends[0], ends[1]

    def value_at(self, position: float) -> Value:
        """The value at a position; steps share the way evenly, and 1 is the last."""
        position = min(1.0, max(0.0, position))
        if self._steps:
            return self._steps[min(int(position * len(self._steps)), len(self._steps) - 1)]
        return self._between(position)

    def _between(self, position: float) -> Value:
        if position in (0, 1):
            return self.last if position else self.first
        first, last = float(self.first), float(self.last)
        value: float
        if self._is_exponential:
            value = first * (last / first) ** position
        else:
            value = first + (last - first) * position
        value = min(max(first, last), max(min(first, last), value))
        return round(value) if self._is_whole else value

    def position_of(self, value: Value) -> float:
        """The position that gives `value`, or the nearest in the span; of a step, its middle."""
        if self._steps:
            place = min(len(self._steps) - 1, max(0, self._place(value)))
            return (place + 0.5) / len(self._steps)
        first, last = float(self.first), float(self.last)
        number = min(max(first, last), max(min(first, last), float(value)))
        if self._is_exponential:
            position = math.log(number / first) / math.log(last / first)
        else:
            position = (number - first) / (last - first)
        return min(1.0, max(0.0, position))

    def shown(self, value: Value) -> float:
        """Where a fader or a light shows `value`: as `position_of`, but the end steps at the ends."""
        if self._steps and value in (self.first, self.last):
            return float(value == self.last)
        return self.position_of(value)

    def stepped(self, value: Value, steps: int) -> Value | None:
        """The value so many steps further; None for a span that does not move in steps."""
        if not self._steps:
            return None
        return self._steps[min(len(self._steps) - 1, max(0, self._place(value) + steps))]

    @property
    def detent(self) -> float:
        """How far an encoder's detent goes: as a knob's 127 steps, and at least one whole number."""
        if not self._is_whole:
            return _DETENT
        return max(_DETENT, 1 / abs(float(self.last) - float(self.first)))

    def _place(self, value: Value) -> int:
        """Which step `value` is, or is nearest to; choices before the span count from -1 down."""
        if self._beyond:
            return self._beyond.index(value) - self._beyond.index(self.first)
        return min(range(len(self._steps)), key=lambda at: abs(float(self._steps[at]) - float(value)))
