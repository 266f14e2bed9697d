"""Maps: one [[map]] table, a source that moves a parameter; and what its messages make of a value.

>>> bitrate = Parameter("bitrate_kbps", "Bitrate", 32.0, 2.0, 510.0, unit="kbps",
...                     curve=Curve.EXPONENTIAL, change=Change.NEXT_FRAME)
>>> table = {"source": "cc 21", "target": "opus.bitrate_kbps", "min": 6, "max": 96}
>>> knob = Mapped(Map.of(table), bitrate)
>>> [round(knob.value_at(position), 1) for position in (0, 0.5, 1)]
[6.0, 24.0, 96.0]
>>> knob.receive(bytes([0xB0, 21, 127]), current=32.0)
96.0
>>> knob.feedback(24.0)
(b'\\xb0\\x15@',)
>>> Map.of(table).to_table() == table
True
>>> Mapped(Map.of(table | {"max": 600}), bitrate)
Traceback (most recent call last):
...
codecfx.errors.ParameterError: max: bitrate_kbps is 600; it takes 2 to 510 kbps
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Self

from codecfx.control.parameters import Change, Curve, Parameter, Value
from codecfx.control.sources import Reader, Source, channel_of
from codecfx.control.takeover import RELATIVE, Pickup, detents
from codecfx.errors import ConfigurationError, UnknownName

CURVES = (*(curve.value for curve in Curve), "stepped")
MODES = ("absolute", "toggle", "momentary", "relative")
_NAMES = {"curve": CURVES, "mode": MODES, "relative": RELATIVE}
_EXAMPLES = {"target": "opus.bitrate_kbps", "preset": "gsm-call"}
_FIELDS = {"min": "minimum", "max": "maximum"}  # Python has functions of these names
_DETENT = 1 / 127  # as fine as a knob
_STRIKES = ("program", "velocity")  # every message is a press, and none says when it ends


@dataclass(frozen=True, slots=True)
class Map:
    """One [[map]] table, checked as far as it can be without its parameter.

    `minimum` and `maximum` are plain values, either way round, and like `curve` the parameter's own
    where they are None. `step` is the share of the range that a detent moves; None is 1/127. Of
    `target` ("opus.bitrate_kbps") and `preset` one is empty.
    """

    source: Source
    target: str = ""
    minimum: Value | None = None
    maximum: Value | None = None
    curve: str | None = None
    steps: int | None = None
    smoothing_ms: float = 0
    pickup: bool = False
    mode: str = "absolute"
    relative: str = RELATIVE[0]
    step: float | None = None
    feedback: bool = True
    optional: bool = False
    preset: str = ""
    where: str = field(default="", compare=False)  # in which file and line, for messages

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """The map that a table says. Messages of errors begin with the key.

        Raises:
            UnknownName: a key, source, curve, mode or encoding that is none; says the nearest.
            ConfigurationError: a value that its key does not take, or keys that do not go together.
        """
        settings = dict(table)
        for key, value in settings.items():
            _check(key, value)
        if "source" not in settings:
            raise ConfigurationError("source: is missing; write what moves it, as in 'cc 21'")
        with _naming("channel"):
            channel = channel_of(settings.pop("channel", "omni"))
        with _naming("source"):
            source = Source.of(settings.pop("source"), channel or "omni")
        made = cls(source, **{_FIELDS.get(key, key): value for key, value in settings.items()})
        made._check_together(settings)
        return made

    def _check_together(self, settings: Mapping[str, Any]) -> None:
        """Raises ConfigurationError where keys exclude or miss each other."""
        source = self.source
        if self.preset:
            for key in settings:
                if key not in ("preset", "optional"):
                    raise ConfigurationError(f"{key}: does not go with 'preset'; leave one of them out")
            if source.kind != "program":
                raise ConfigurationError(
                    f"preset: is picked by a source 'program N', not by '{source}'"
                )
        elif not self.target:
            raise ConfigurationError("target: is missing; write what moves, as in 'opus.bitrate_kbps'")
        for key, mode in (("pickup", "absolute"), ("relative", "relative"), ("step", "relative")):
            if settings.get(key) and self.mode != mode:
                raise ConfigurationError(f"{key}: wants mode '{mode}', and the mode is '{self.mode}'")
        if (self.curve == "stepped") != (self.steps is not None):
            raise ConfigurationError("steps: goes with curve 'stepped', and that with it; write both")
        if self.mode == "relative" and source.kind != "cc":
            raise ConfigurationError(f"mode: 'relative' wants a source 'cc N', not '{source}'")
        if self.mode != "absolute" and source.kind == "modulator":
            raise ConfigurationError(f"mode: a modulator wants 'absolute', not '{self.mode}'")

    def to_table(self) -> dict[str, Any]:
        """The table that `of` makes this map of: its source, and what differs from the defaults."""
        table: dict[str, Any] = {"source": str(self.source)}
        if self.source.channel is not None:
            table["channel"] = self.source.channel
        keys = {name: key for key, name in _FIELDS.items()}
        for one in fields(self)[1:]:
            if one.compare and getattr(self, one.name) != one.default:
                table[keys.get(one.name, one.name)] = getattr(self, one.name)
        return table


def _check(key: str, value: Any) -> None:
    """Raises where `key` is none, or does not take `value`; source and channel are looked at later."""
    number = None if isinstance(value, bool) or not isinstance(value, int | float) else value
    if number is not None and not abs(number) < math.inf:
        number = None
    match key:
        case "source" | "channel":
            return
        case "target" | "preset":
            is_right = isinstance(value, str) and bool(value.strip())
            allowed = f"a name in quotes, as in '{_EXAMPLES[key]}'"
        case "min" | "max":
            is_right = isinstance(value, bool | str) or number is not None
            allowed = "a value of the parameter"
        case "curve" | "mode" | "relative":
            if isinstance(value, str) and value not in _NAMES[key]:
                kind = "encoding" if key == "relative" else key
                raise UnknownName(kind, value, _NAMES[key], key)
            is_right, allowed = isinstance(value, str), ", ".join(_NAMES[key])
        case "steps":
            is_right = isinstance(number, int) and 2 <= number <= 128
            allowed = "a whole number from 2 to 128"
        case "smoothing_ms":
            is_right, allowed = number is not None and 0 <= number <= 10_000, "0 to 10000 ms"
        case "step":
            is_right, allowed = number is not None and 0 < number <= 1, "a share of the range, up to 1"
        case "pickup" | "feedback" | "optional":
            is_right, allowed = isinstance(value, bool), "true or false"
        case _:
            known = [
                one.name for one in fields(Map) if one.compare and one.name not in _FIELDS.values()
            ]
            raise UnknownName("key", str(key), [*known, *_FIELDS, "channel"])
    if not is_right:
        raise ConfigurationError(f"{key}: is {value!r}; it takes {allowed}")


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Puts `key` before the message of an error."""
    try:
        yield
    except ConfigurationError as error:
        error.args = (f"{key}: {error}",)
        raise


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
            with _naming(key):
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

    def _place(self, value: Value) -> int:
        """Which step `value` is, or is nearest to; choices before the span count from -1 down."""
        if self._beyond:
            return self._beyond.index(value) - self._beyond.index(self.first)
        return min(range(len(self._steps)), key=lambda at: abs(float(self._steps[at]) - float(value)))


class Mapped:
    """A map and its parameter: makes values of messages, and messages of values. Not thread-safe."""

    def __init__(self, map: Map, parameter: Parameter) -> None:
        """Raises ConfigurationError where `map` does not fit `parameter`; begins with the key."""
        self.map, self.parameter = map, parameter
        self._span = Span(map, parameter)
        self._reader, self._pickup = Reader(map.source), Pickup()
        self.reset()

    @property
    def is_gradual(self) -> bool:
        """Whether there is something between its values, through which a glide may go."""
        return not isinstance(self.parameter.default, bool | str) and not self.parameter.choices

    def reset(self) -> None:
        """As new: nothing is held or pressed, and the control stands nowhere."""
        self._reader.reset()
        self._pickup.reset()
        self._is_pressed = False
        self._given: Value | None = None  # what was last given, and the position it came from
        self._position = 0.0

    def value_at(self, position: float) -> Value:
        """The plain value at a position from 0 (min) to 1 (max); `Parameter.check` takes it."""
        return self._span.value_at(position)

    def position_of(self, value: Value) -> float:
        """The position, 0 to 1, that gives `value`; the nearest for one outside min and max."""
        return self._span.position_of(value)

    def at(self, position: float) -> Value:
        """The value that a modulator's position, 0 to 1, gives."""
        self._position = position
        self._given = self._span.value_at(position)
        return self._given

    def receive(self, message: bytes, current: Value) -> Value | None:
        """The value that `message` gives, or None where it gives none.

        `current` is the parameter's value now, before any smoothing: encoders and toggles go on from
        there, and a pickup compares with it.
        """
        if self.map.mode == "relative":
            return self._turned(message, current)
        standing = self._standing(current)
        position = self._reader.read(message, standing)
        if position is None:
            return None
        if self.map.mode == "absolute":
            if self.map.pickup and not self._pickup.take(position, standing):
                return None
            return self.at(position)
        was_pressed, self._is_pressed = self._is_pressed, position >= 0.5
        if self.map.mode == "momentary":
            return self.at(float(self._is_pressed))
        flips = self._is_pressed and not was_pressed
        if self.map.source.kind in _STRIKES:
            self._is_pressed = False
        return self.at(float(self.position_of(current) < 0.5)) if flips else None

    def _turned(self, message: bytes, current: Value) -> Value | None:
        raw = self._reader.read_raw(message)
        turns = 0 if raw is None else detents(self.map.relative, raw)
        if not turns:
            return None
        stepped = self._span.stepped(current, turns)
        if stepped is not None:
            return stepped
        position = self._standing(current) + turns * (self.map.step or _DETENT)
        return self.at(min(1.0, max(0.0, position)))

    def _standing(self, current: Value) -> float:
        """The position of `current`, which is finer than the value where it came from here."""
        return self._position if current == self._given else self.position_of(current)

    def feedback(self, value: Value) -> tuple[bytes, ...]:
        """The messages that show `value` on a motor fader, an LED ring or a lit button.

        A value that came from this control is shown where the control stands, so that no fader is
        pulled from under a hand. Buttons are lit (127) for what is nearer to max, and else dark (0).
        None for relative encoders, nor for sources that show nothing (see `Source.messages`).
        """
        source, mode = self.map.source, self.map.mode
        if not self.map.feedback or mode == "relative":
            return ()
        if mode != "absolute":
            return source.messages(float(self.position_of(value) >= 0.5))
        if source.kind == "velocity":  # a blow has no place where it stays
            return ()
        return source.messages(self._position if value == self._given else self._span.shown(value))
