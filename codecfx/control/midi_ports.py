"""MIDI ports: which there are, and inputs and outputs that come and go with their cables.

::

    controller ─► rtmidi's queue ─► a thread, every 1 to 3 ms ─► on_message
                                     └ ten times a second: is the port still there?

A port that is not there is waited for, and one that comes back is opened again. Where the whole MIDI
system goes (JACK's server), the next is waited for.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from codecfx.control.feedback import Feedback as Feedback  # what outputs are for
from codecfx.control.messages import is_message
from codecfx.control.midi_client import MidiClient, Way, apis
from codecfx.control.midi_plug import Plug
from codecfx.control.port_names import find_port as find_port
from codecfx.errors import MidiUnavailable

OnMessage: TypeAlias = Callable[[float, bytes], None]
"""Takes when it came (seconds of time.monotonic) and a channel message."""

OnState: TypeAlias = Callable[[str, bool], None]
"""Takes a port's name, and whether it is there now."""

# What a message waits at most: while something moves, less than JACK's own cycle; else a little longer,
# since every look takes Python's lock from whoever makes sound
_FETCH_SECONDS, _IDLE_SECONDS = 0.001, 0.003
_MOVING_SECONDS = 1.0  # so long after the last message
_GLANCE_SECONDS = 0.1  # how many ports are there: a cable that is plugged in again takes longer
_FETCHED_MESSAGES = 1000  # at a time, so that a flood does not keep us from ending
_END_SECONDS = 0.9


def midi_api() -> str:
    """Which MIDI system is used: "alsa", "jack", "coremidi" or "winmm". [control thread; takes 30 ms]

    Raises:
        MidiUnavailable: python-rtmidi is missing, or no system opens; says what is needed.
        ConfigurationError: CODECFX_MIDI_API names none.
    """
    client = MidiClient("in")
    client.delete()
    return client.api


def input_names() -> list[str]:
    """Every port that messages come from; none where there is no MIDI system. Our own are left out.
    [control thread; takes 30 ms]

    Raises:
        MidiUnavailable: python-rtmidi is missing, or has not the system that CODECFX_MIDI_API asks for.
        ConfigurationError: CODECFX_MIDI_API names no system.
    """
    return _names("in")


def output_names() -> list[str]:
    """Every port that messages go to; as `input_names`."""
    return _names("out")


def _names(way: Way) -> list[str]:
    apis()
    try:
        client = MidiClient(way)
    except MidiUnavailable:
        return []
    names = client.names()
    client.delete()
    return names


class _Ports:
    """Plugs, and the thread that looks after them."""

    def __init__(self, way: Way, wanted: str | Sequence[str], on_state: OnState | None) -> None:
        apis()  # raises what no waiting would cure
        all_wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        self._plugs = [Plug(way, one) for one in all_wanted]
        self._on_state = on_state
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"codecfx MIDI {way}", daemon=True)

    @property
    def names(self) -> list[str]:
        """The ports that are open, in full."""
        return [plug.name for plug in self._plugs if plug.name]

    @property
    def connected(self) -> bool:
        """Whether every port that is wanted is open."""
        return all(plug.name for plug in self._plugs)

    @property
    def problem(self) -> str:
        """Why no port can be there, in a line; "" where there is a MIDI system."""
        return next((plug.problem for plug in self._plugs if plug.problem), "")

    def close(self) -> None:
        """End, within a second; again, nothing. [any thread]"""
        self._closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS)  # it waits longer only for a JACK server that stands still

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        next_glance, is_first = 0.0, True
        while not self._closing.is_set():
            now = time.monotonic()
            if now >= next_glance:
                next_glance = now + _GLANCE_SECONDS
                for plug in self._plugs:
                    before = plug.name
                    if plug.look(now, self.names) or is_first:
                        self._tell(plug.name or before or plug.wanted, bool(plug.name))
                is_first = False
            self._work()
        for plug in self._plugs:
            plug.delete()

    def _work(self) -> None:
        """What there is to do between looks; takes a while."""
        self._closing.wait(_GLANCE_SECONDS)

    def _tell(self, name: str, is_there: bool) -> None:
        if self._on_state is not None and not self._closing.is_set():
            try:
                self._on_state(name, is_there)
            except Exception:
                _report()


class MidiInput(_Ports):
    """Channel messages from one port or several, as long as they are there."""

    def __init__(
        self,
        wanted: str | Sequence[str],
        on_message: OnMessage,
        on_state: OnState | None = None,
    ) -> None:
        """
        Args:
            wanted: a port's name or a part of it, as `find_port` takes it, but of several the first; ""
                for the first there is; or a list of them. What is not there is waited for.
            on_message: called with every channel message. [this input's thread]
            on_state: called with a port's name when it comes and goes, and at the start with whether it
                is there, or with what was wanted and is not. [this input's thread]

        Raises:
            MidiUnavailable: python-rtmidi is missing, or has not what CODECFX_MIDI_API asks for.
            ConfigurationError: CODECFX_MIDI_API names no system.
        """
        super().__init__("in", wanted, on_state)
        self._on_message = on_message
        self.others = 0  # messages that are no channel's: clock, active sensing, system exclusive
        self._still_from = 0.0
        self._thread.start()

    def _work(self) -> None:
        for plug in self._plugs:
            for _ in range(_FETCHED_MESSAGES):
                heard = None if plug.client is None else plug.client.fetch()
                if heard is None:
                    break
                self._take(time.monotonic(), bytes(heard))
        time.sleep(_FETCH_SECONDS if time.monotonic() < self._still_from else _IDLE_SECONDS)

    def _take(self, now: float, message: bytes) -> None:
        if not is_message(message):
            self.others += 1
            return
        self._still_from = now + _MOVING_SECONDS
        try:
            self._on_message(now, message)
        except Exception:
            _report()


class MidiOutput(_Ports):
    """A port that messages go to, as long as it is there."""

    def __init__(self, wanted: str = "", on_state: OnState | None = None) -> None:
        """As MidiInput."""
        super().__init__("out", wanted, on_state)
        self.dropped = 0  # messages that could not be sent
        self._thread.start()

    @property
    def openings(self) -> int:
        """How often the port has come: each time, what it shows is to be sent again."""
        return self._plugs[0].opened[1]

    def send(self, message: bytes) -> bool:
        """Send a message; whether it went. Never raises; waits 50 ms at most, while ports are looked
        at. [any thread]
        """
        plug = self._plugs[0]
        client = plug.client
        sent = client is not None and bool(plug.name) and client.send(message)
        self.dropped += not sent
        return sent


def _report() -> None:
    """A callback's error, as of a thread that ends with it; ours goes on."""
    threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), threading.current_thread()]))
