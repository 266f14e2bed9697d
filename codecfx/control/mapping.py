"""What a map's messages make of a parameter's value, and its value of messages.

>>> from codecfx.control.parameters import Change, Curve
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

from codecfx.control.maps import Map
from codecfx.control.parameters import Parameter, Value
from codecfx.control.reader import Reader
from codecfx.control.span import Span
from codecfx.control.takeover import Pickup, detents

_STRIKES = ("program", "velocity")  # every message is a press, and none says when it ends


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
        position = self._standing(current) + turns * (self.map.step or self._span.detent)
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
