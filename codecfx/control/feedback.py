"""Feedback: values shown on motor faders, LED rings and lit buttons, as few messages as will do."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from codecfx.control.mapping import Mapped
from codecfx.control.parameters import Value

_PER_SECOND = 50  # messages to one control: what a motor follows
_AGAIN_SECONDS = 0.5  # what could not be sent is tried again
_HELD_SECONDS = 0.25  # after its last message, a control is still in somebody's hand


class Output(Protocol):
    """Where the messages go: a MidiOutput."""

    @property
    def openings(self) -> int: ...

    def send(self, message: bytes) -> bool: ...


@dataclass(slots=True)
class _Control:
    """One knob, fader or button: what it is to show, and what it shows."""

    mapped: Mapped
    value: Value | None = None
    shown: tuple[bytes, ...] | None = None  # None: nobody knows
    due: float = 0.0  # when it may be sent something again
    held_until: float = 0.0

    @property
    def is_button(self) -> bool:
        return self.mapped.map.mode != "absolute"

    def messages(self) -> tuple[bytes, ...]:
        return () if self.value is None else self.mapped.feedback(self.value)


class Feedback:
    """Shows the values of what maps move. A change is sent at once, further ones at most 50 messages a
    second for each control, the newest with a later `tick`. What is moved by hand is left alone until
    it rests, and then shows what it set: usually it does already. Of several maps with one source the
    first is shown. [any thread; call `tick` every 20 ms or so]
    """

    def __init__(
        self,
        maps: Iterable[tuple[Hashable, Mapped]],
        output: Output,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`maps` are what is moved, by any name, and the map that moves it."""
        self._output, self._clock = output, clock
        self._openings = output.openings
        self._lock = threading.Lock()
        self._controls: list[_Control] = []
        self._of: dict[Hashable, list[_Control]] = {}
        sources = set()
        for target, mapped in maps:
            if mapped.map.source not in sources:
                sources.add(mapped.map.source)
                control = _Control(mapped)
                self._controls.append(control)
                self._of.setdefault(target, []).append(control)

    def show(self, target: Hashable, value: Value) -> None:
        """What is moved by that name has this value now. Names that no map moves are passed over."""
        with self._lock:
            for control in self._of.get(target, ()):
                control.value = value
                self._flush(control, self._clock())

    def heard(self, message: bytes) -> None:
        """A controller has sent this: the control is in somebody's hand, and stands where it says."""
        with self._lock:
            for control in self._controls:
                source = control.mapped.map.source
                if not source.hears(message) or source.channel not in (None, (message[0] & 15) + 1):
                    continue
                if control.is_button:
                    control.shown = None  # many light or darken themselves when pressed or released
                else:
                    control.held_until = self._clock() + _HELD_SECONDS
                    control.shown = (message,)

    def tick(self) -> None:
        """Send what was held back, and everything again where the port has come anew."""
        with self._lock:
            if self._output.openings != self._openings:
                self._forget()
            now = self._clock()
            for control in self._controls:
                self._flush(control, now)

    def refresh(self) -> None:
        """Send everything again: after a new preset, or when a controller has been switched on."""
        with self._lock:
            self._forget()
            now = self._clock()
            for control in self._controls:
                self._flush(control, now)

    def _forget(self) -> None:
        self._openings = self._output.openings
        for control in self._controls:
            control.shown, control.due = None, 0.0

    def _flush(self, control: _Control, now: float) -> None:
        if now < control.due or now < control.held_until:
            return
        messages = control.messages()
        if not messages or messages == control.shown:
            return
        if all(self._output.send(message) for message in messages):
            control.shown, control.due = messages, now + len(messages) / _PER_SECOND
        else:
            control.due = now + _AGAIN_SECONDS
