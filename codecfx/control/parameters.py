"""Parameters: declared once per effect, and used by attributes, presets, the command line and MIDI.

A parameter speaks **plain values** in its unit (24 kbps, -12 dB, "voice"); a controller speaks a
**position** from 0 to 1. `Parameter.value_at` and `Parameter.position_of` translate. Presets, files
and messages always hold plain values, so that a range may grow without moving anybody's sound.

>>> bitrate = Parameter("bitrate_kbps", "Bitrate", 32.0, 2.0, 510.0, unit="kbps",
...                     curve=Curve.EXPONENTIAL, change=Change.NEXT_FRAME)
>>> bitrate.check("24")
24.0
>>> round(bitrate.value_at(0.5), 1)
31.9
>>> bitrate.check(600)
Traceback (most recent call last):
...
codecfx.errors.ParameterError: bitrate_kbps is 600; it takes 2 to 510 kbps
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from inspect import Parameter as Keyword
from inspect import Signature
from typing import SupportsFloat, TypeAlias

from codecfx.errors import ParameterError, UnknownName, shown

Value: TypeAlias = float | int | bool | str


class Curve(Enum):
    """How a controller's position spreads over the range."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"  # equal steps are equal ratios: bitrates, frequencies


class Change(Enum):
    """What it costs to change a parameter while audio runs."""

    IMMEDIATE = "immediate"  # at once, faded: ours over 20 ms, pedalboard's from its grid of 64 on
    NEXT_FRAME = "next frame"  # from the codec frame that the change falls in
    PREPARE = "re-prepare"  # builds the effect anew; latency may change


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that can be set.

    The kind follows from `default`: a bool is a switch, a str one of `choices`, an int whole steps
    of 1, a float continuous. `minimum` and `maximum` are plain values in `unit`, both included;
    None means that the engine behind it has a limit of its own and refuses what it cannot take.

    `choices` may also list the only numbers allowed ("frame_ms": 2.5, 5, 10, ...), in order.
    """

    id: str
    name: str
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    choices: tuple[Value, ...] = ()
    curve: Curve = Curve.LINEAR
    change: Change = Change.IMMEDIATE
    description: str = ""
    group: str = ""  # of those that many effects have: "network"; neutral by default
    is_file: bool = False  # the path of one, which in a preset is seen from the preset

    def __post_init__(self) -> None:
        if self.curve is Curve.EXPONENTIAL and self.minimum is not None and self.minimum <= 0:
            raise ValueError(f"{self.id}: equal ratios need a minimum above 0")

    def check(self, value: object) -> Value:
        """`value` as this parameter's kind; text from a command line or a file is converted.

        Raises:
            ParameterError: not of this kind, or outside the range. Names the allowed values.
        """
        try:
            checked = self._converted(value)
        except (TypeError, ValueError, OverflowError):
            raise self._refused(value) from None
        if self.choices:
            if checked not in self.choices:
                raise self._refused(value)
        elif isinstance(checked, float | int) and not isinstance(checked, bool):
            below = self.minimum is not None and checked < self.minimum
            above = self.maximum is not None and checked > self.maximum
            if not math.isfinite(checked) or below or above:
                raise self._refused(value)
        return checked

    def _converted(self, value: object) -> Value:
        if isinstance(self.default, bool):
            return _switch(value)
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise TypeError
            return value.strip().lower() if self.choices else value
        if isinstance(value, bool) or not isinstance(value, str | SupportsFloat):
            raise TypeError
        number = float(value)
        if isinstance(self.default, int):
            if number != int(number):
                raise ValueError
            return int(number)
        return number

    def _refused(self, value: object) -> ParameterError:
        return ParameterError(f"{self.id} is {shown(value)}; it takes {self.allowed}")

    @property
    def allowed(self) -> str:
        """The legal values in words: '2 to 510 kbps', 'voip, audio or lowdelay'."""
        if isinstance(self.default, bool):
            return "on or off"
        if self.choices:
            words = [_plain(choice) for choice in self.choices]
            listed = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
            return f"{listed} {self.unit}".rstrip()
        if isinstance(self.default, str):
            return "text"
        number = "a whole number" if isinstance(self.default, int) else "a number"
        if self.minimum is None or self.maximum is None:
            return f"{number} {f'in {self.unit}' if self.unit else ''}".rstrip()
        span = f"{_plain(self.minimum)} to {_plain(self.maximum)} {self.unit}".rstrip()
        return f"{number} from {span}" if isinstance(self.default, int) else span

    def value_at(self, position: float) -> Value:
        """The plain value at a controller's position, 0 to 1; choices spread evenly, 1 is the last."""
        position = min(1.0, max(0.0, position))
        steps = self.steps
        if steps:
            return steps[min(int(position * len(steps)), len(steps) - 1)]
        low, high = self._range()
        if self.curve is Curve.EXPONENTIAL:
            value: float = low * (high / low) ** position
        else:
            value = low + (high - low) * position
        number = min(high, max(low, value))
        return round(number) if isinstance(self.default, int) else number

    def position_of(self, value: Value) -> float:
        """The controller position, 0 to 1, that gives `value`; the middle of its step for choices."""
        steps = self.steps
        if steps:
            return (steps.index(value) + 0.5) / len(steps)
        low, high = self._range()
        number = min(high, max(low, float(value)))
        if self.curve is Curve.EXPONENTIAL:
            return math.log(number / low) / math.log(high / low)
        return (number - low) / (high - low)

    @property
    def steps(self) -> tuple[Value, ...]:
        """Every legal value of a parameter that moves in named steps; empty for a continuous one."""
        return (False, True) if isinstance(self.default, bool) else self.choices

    def _range(self) -> tuple[float, float]:
        if self.minimum is None or self.maximum is None:
            raise ParameterError(f"{self.id} has no range of its own; give a minimum and a maximum")
        return self.minimum, self.maximum


def signature_of(parameters: Iterable[Parameter]) -> Signature:
    """Parameters as the keyword arguments they are, for help and completion."""
    keywords = [
        Keyword(one.id, Keyword.KEYWORD_ONLY, default=one.default, annotation=type(one.default))
        for one in parameters
    ]
    label = Keyword("label", Keyword.KEYWORD_ONLY, default="", annotation=str)
    return Signature([*keywords, label])


def by_id(parameters: Iterable[Parameter], parameter_id: str, owner: str) -> Parameter:
    """The parameter called `parameter_id`. Raises UnknownName with the nearest right name."""
    table = {parameter.id: parameter for parameter in parameters}
    if parameter_id not in table:
        raise UnknownName("parameter", parameter_id, table, owner)
    return table[parameter_id]


def checked(
    parameters: Iterable[Parameter], settings: Mapping[str, object], owner: str
) -> dict[str, Value]:
    """Every parameter's value: from `settings` where it is given, else the default.

    Raises:
        UnknownName, ParameterError: `owner` (an effect's name) begins the message.
    """
    parameters = tuple(parameters)
    values = {parameter.id: parameter.default for parameter in parameters}
    for parameter_id, value in settings.items():
        parameter = by_id(parameters, parameter_id, owner)
        try:
            values[parameter_id] = parameter.check(value)
        except ParameterError as error:
            raise ParameterError(f"{owner}: {error}") from None
    return values


def _switch(value: object) -> bool:
    words = {"on": True, "true": True, "yes": True, "1": True}
    words |= {"off": False, "false": False, "no": False, "0": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    if isinstance(value, SupportsFloat) and float(value) in (0, 1):  # True and numpy's too
        return bool(float(value))
    raise ValueError


def _plain(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(value)
