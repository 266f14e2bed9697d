"""A plug: one MIDI port that is wanted, opened whenever it is there."""

import time
from collections.abc import Collection

from codecfx.control.midi_client import MidiClient, Way
from codecfx.control.port_names import chosen
from codecfx.errors import MidiUnavailable

_LOOK_SECONDS = 0.5  # what ports are called, and, where there is no MIDI system, whether there is one
_SETTLING_SECONDS = 0.05


class Plug:
    """One port that is wanted, and the client that has it open while it is there."""

    def __init__(self, way: Way, wanted: str) -> None:
        self.way, self.wanted = way, wanted
        self.client: MidiClient | None = None
        self.opened = ("", 0)  # the port that is open, and how many were: at once, for other threads
        self._before = ""  # the port that was open
        self.problem = ""  # why there can be no port, where there is no MIDI system
        self._count = -1
        self._next_look = 0.0

    def look(self, now: float, taken: Collection[str]) -> bool:
        """See to it that the port is open if it is there; whether anything has changed."""
        before = self.name
        if self.client is not None and not self.client.is_alive:
            self._closed()
            self.client, self._next_look = None, 0.0
        if now >= self._next_look or (self.client is not None and self.client.count != self._count):
            self._next_look = now + _LOOK_SECONDS
            self._look(taken)
        return self.name != before

    def _look(self, taken: Collection[str]) -> None:
        if self.client is None:
            try:
                self.client, self.problem = MidiClient(self.way), ""
            except MidiUnavailable as error:
                self.problem = str(error)
                return
        self._count = self.client.count
        names = self.client.names()
        if self.name and self.name not in names:
            self.client.close()
            self._closed()
        if not self.name:
            name = chosen(self.wanted, self._before, names, taken)
            if name and self.client.open(name):
                if self.way == "out":  # JACK connects it from one of its next cycles on
                    time.sleep(_SETTLING_SECONDS)
                self.opened, self._before = (name, self.opened[1] + 1), name

    @property
    def name(self) -> str:
        """The port that is open; "" for none."""
        return self.opened[0]

    def _closed(self) -> None:
        self.opened = ("", self.opened[1])

    def delete(self) -> None:
        """Close the port, and the client."""
        self._closed()
        if self.client is not None:
            self.client.delete()
            self.client = None
