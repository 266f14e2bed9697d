"""What the screen and the lines of the live host both do to it: turn, type, end."""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from codecfx.control.parameters import Curve
from codecfx.errors import ConfigurationError, UnknownName

if TYPE_CHECKING:
    from codecfx.control.parameters import Parameter, Value
    from codecfx.live.status import Knob, Status

STEPS = 100  # from one end of a continuous parameter to the other
_LARGEST_DB = 1.0  # and a step in decibels is no larger than ears like
_TECHNICAL = 500.0  # a wider range is what an engine can take, and not what people turn: 0 to 60,000 ms
_ECHO_SECONDS = 0.5
_FINISHING_SECONDS = 10.0  # so long a take may take to be finished


class LiveHost(Protocol):
    """The running host as whoever sits before it knows it; `codecfx.live.host.Host` is one.

    What cannot be done raises a CodecFxError of one line.
    """

    def status(self) -> "Status": ...
    def mute(self) -> None: ...
    def bypass(self) -> None: ...
    def record(self) -> None: ...
    def panic(self) -> None: ...
    def swap(self) -> None: ...
    def next_preset(self, step: int = 1) -> None: ...
    def turn(self, path: str, value: "Value") -> None: ...
    def learn(self, path: str) -> None: ...
    def forget(self, path: str) -> None: ...
    def save(self) -> str: ...


def knob_at(status: "Status", path: str) -> "Knob":
    """The parameter called so. Raises UnknownName with the nearest."""
    by_path = {knob.path.lower(): knob for knob in status.knobs}
    if path.lower() not in by_path:
        raise UnknownName("parameter", path, [knob.path for knob in status.knobs])
    return by_path[path.lower()]


def typed(parameter: "Parameter", text: str) -> "Value":
    """A value as somebody writes it: "24", "24 kbps", "off". Raises ParameterError."""
    text = text.strip()
    unit = parameter.unit
    if unit and text.lower().endswith(unit.lower()):
        text = text[: -len(unit)].strip()
    return parameter.check(text)


def written(value: "Value") -> str:
    """A value as `typed` reads it.

    >>> written(24.0), written(True), written("voip")
    ('24', 'on', 'voip')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def stepped(parameter: "Parameter", value: "Value", steps: int) -> "Value":
    """`value`, so many steps further: named values one by one, whole numbers by 1 at least, others by
    hundredths of the way, or less where ranges are wide; as round as such a step allows. Ends at the
    ends.

    Raises:
        ConfigurationError: a text has no steps.
    """
    named = parameter.steps
    if named:
        at = named.index(value) if value in named else 0
        return named[min(max(at + steps, 0), len(named) - 1)]
    if isinstance(value, str):
        raise ConfigurationError(f"{parameter.id} has no steps; press Enter and type")
    way = 1 if steps > 0 else -1
    one, target = (_moved(parameter, value, count) for count in (way, steps))
    size = abs(one - value)
    digits = -math.floor(math.log10(size)) if size else 0
    nearer = target - way * size * 1e-6  # from the middle between two, to the near one
    moved = round(nearer, digits) + 0.0 if size else target
    if isinstance(parameter.default, int):
        moved = moved if size >= 1 else value + steps
    return _within(parameter, moved)


def _moved(parameter: "Parameter", value: float, steps: int) -> float:
    """`value` so many hundredths further, not rounded."""
    bounds = [end for end in (parameter.minimum, parameter.maximum) if end is not None]
    span = bounds[1] - bounds[0] if len(bounds) == 2 else math.inf  # the engine has a range of its own
    if parameter.curve is Curve.EXPONENTIAL and span < math.inf:
        smooth = replace(parameter, default=float(parameter.default))  # a whole number's is rounded
        return float(smooth.value_at(smooth.position_of(value) + steps / STEPS))
    step = span / STEPS
    if parameter.unit == "dB":
        step = min(step, _LARGEST_DB)
    elif span > _TECHNICAL:
        step = min(step, max(abs(value) / 10, span / 100_000 if span < math.inf else 0.1))
    return float(_within(replace(parameter, default=0.0), value + steps * step))


def _within(parameter: "Parameter", number: float) -> "Value":
    if parameter.minimum is not None:
        number = max(parameter.minimum, number)
    if parameter.maximum is not None:
        number = min(parameter.maximum, number)
    return round(number) if isinstance(parameter.default, int) else float(number)


class Turning:
    """Parameters turned by steps. A key that is held comes faster than what it did is told, so that for
    a moment what was sent is where a parameter stands.
    """

    def __init__(self, host: LiveHost) -> None:
        self._host = host
        self._path = ""
        self._sent: Value = 0.0
        self._until = 0.0

    def step(self, knob: "Knob", steps: int) -> None:
        """Turn a parameter on, or back. Raises ConfigurationError where it has no steps."""
        now = time.monotonic()
        value = self._sent if knob.path == self._path and now < self._until else knob.value
        moved = stepped(knob.parameter, value, steps)
        self._path, self._sent, self._until = knob.path, moved, now + _ECHO_SECONDS
        if moved != value:
            self._host.turn(knob.path, moved)

    def set(self, knob: "Knob", text: str) -> None:
        """Set a parameter to what somebody wrote. Raises ParameterError where that cannot be."""
        self._path = ""
        self._host.turn(knob.path, typed(knob.parameter, text))


class Ending:
    """The end, which waits until a take that is recorded is finished."""

    def __init__(self, host: LiveHost) -> None:
        self._host = host
        self._latest = math.inf
        self._is_begun = False

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody wants to end."""
        return self._latest < math.inf

    @property
    def waited_seconds(self) -> float:
        """How long ago somebody first wanted to; 0 for never."""
        return max(0.0, time.monotonic() - (self._latest - _FINISHING_SECONDS))

    def ask(self) -> None:
        """Let it end. May be called in a signal's handler."""
        self._latest = min(self._latest, time.monotonic() + _FINISHING_SECONDS)

    def is_due(self, status: "Status") -> bool:
        """Whether nothing is waited for any more; to be asked again and again. Ends the take."""
        if status.state == "ended":
            return True
        if self.is_asked_for and not self._is_begun:
            self._is_begun = True
            if status.take:
                self._host.record()
        return self.is_asked_for and (not status.take or time.monotonic() > self._latest)
