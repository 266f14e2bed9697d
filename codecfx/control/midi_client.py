"""rtmidi: which MIDI system this machine has, and a client in it, with one port or none.

rtmidi calls back from the driver's threads. That is not used: the driver would wait for Python's lock,
and with it whatever waits for the driver (JACK's whole graph); a port that is closed meanwhile never
closes. Messages wait in rtmidi's queue instead, to be fetched. And rtmidi holds Python's lock through
every call: what may take long is asked of JACK's server first, by other means.
"""

import ctypes
import os
import threading
from functools import cache
from typing import Any, Literal, TypeAlias

from codecfx.control.jack_server import JackServer, libjack_in_use
from codecfx.errors import ConfigurationError, MidiUnavailable

Way: TypeAlias = Literal["in", "out"]

_VARIABLE = "CODECFX_MIDI_API"
_APIS = {
    "alsa": "API_LINUX_ALSA",
    "jack": "API_UNIX_JACK",
    "coremidi": "API_MACOSX_CORE",
    "winmm": "API_WINDOWS_MM",
}
_CURES = {"alsa": "load the module snd-seq", "jack": "start jackd"}
_SEQUENCER = "/dev/snd/seq"
_CLIENT = "codecfx"  # JACK makes it codecfx-01 where there is one
_QUEUE_MESSAGES = 16_384  # a controller sends 1000 a second at most
# What one cycle of JACK may be given. rtmidi's queue holds 16 KiB, some 2000 messages; once it is full,
# the next waits until the server takes one, if that is for ever
_STALLED_MESSAGES = 500
_PATIENCE_SECONDS = 0.05  # of who sends, while others are at work
_TRIES = 3


@cache
def _rtmidi() -> Any:
    try:
        import rtmidi  # type: ignore[import-untyped]
    except ImportError:
        raise MidiUnavailable("python-rtmidi is missing; pip install 'codecfx[live]'") from None
    return rtmidi


_making = threading.Lock()  # of the only watch: of two, one would be forgotten, and told of in vain


@cache
def _made_jack() -> JackServer:
    return JackServer(libjack_in_use("rtmidi"))


def _jack() -> JackServer:
    with _making:
        return _made_jack()


def apis() -> list[str]:
    """The MIDI systems to try, in order: CODECFX_MIDI_API, else all that rtmidi was built for.

    Raises:
        MidiUnavailable: python-rtmidi is missing, or has not the one that is asked for.
        ConfigurationError: CODECFX_MIDI_API names none.
    """
    built = _rtmidi().get_compiled_api()
    there = [name for name, api in _APIS.items() if getattr(_rtmidi(), api) in built]
    asked = os.environ.get(_VARIABLE, "").strip().lower()
    if asked and asked not in _APIS:
        raise ConfigurationError(f"{_VARIABLE} is '{asked}'; it takes {', '.join(_APIS)}")
    if asked and asked not in there:
        raise MidiUnavailable(f"{_VARIABLE} is '{asked}'; python-rtmidi has {', '.join(there)} here")
    return [asked] if asked else there


def _problem(api: str) -> str:
    """What a system lacks, "" for nothing. Trying would bring libraries' own words to the screen."""
    if api == "alsa" and not os.path.exists(_SEQUENCER):
        return f"there is no {_SEQUENCER}"
    if api == "alsa" and not os.access(_SEQUENCER, os.R_OK | os.W_OK):
        return f"{_SEQUENCER} is not for you (join the group audio)"
    if api == "jack" and not _jack().reach():
        return "no JACK server runs"
    return ""


class MidiClient:
    """A client, and the port that it has open. Once its JACK server has gone it does nothing any more.
    [any thread]
    """

    def __init__(self, way: Way) -> None:
        """Takes 20 ms; waits for a JACK server that is just ending.

        Raises:
            MidiUnavailable: no system opens; says what is needed.
            ConfigurationError: CODECFX_MIDI_API names none.
        """
        problems = []
        for self.api in apis():
            problem = _problem(self.api)
            if not problem:
                try:
                    self._open_in(way)
                    return
                except OSError as error:
                    problem = f"{self.api} does not open ({error})"
            problems.append(problem)
        cures = [_CURES[api] for api in apis() if api in _CURES] or ["plug in a controller"]
        raise MidiUnavailable(f"no MIDI here: {' and '.join(problems)}; {' or '.join(cures)}")

    def _open_in(self, way: Way) -> None:
        api = getattr(_rtmidi(), _APIS[self.api])
        self._server = _jack() if self.api == "jack" else None
        self._lock = self._server.lock if self._server else threading.RLock()
        self._cycle = self._given = 0
        with self._lock:
            self._connection = self._server.connection if self._server else 0
            if way == "out":
                self._port = _rtmidi().MidiOut(api, name=_CLIENT)
            else:
                self._port = _rtmidi().MidiIn(api, name=_CLIENT, queue_size_limit=_QUEUE_MESSAGES)
                self._port.ignore_types(sysex=False, timing=False, active_sense=False)
            # It refers to itself. Collected whenever Python likes, it would hold everything up for
            # 20 ms, and after its server's end take the process with it: it is kept until `delete`
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._port))

    @property
    def is_alive(self) -> bool:
        """Whether it may still be used."""
        return self._server is None or self._server.is_alive(self._connection)

    @property
    def count(self) -> int:
        """How many ports there are, ours too."""
        with self._lock:
            return int(self._port.get_port_count()) if self.is_alive else 0

    def names(self) -> list[str]:
        """The ports there are, by name, other than ours; none where they are just changing."""
        ours = (f"{_CLIENT}:", f"{_CLIENT}-")
        return [name for name in self._all_names() if name and not name.startswith(ours)]

    def _all_names(self) -> list[str]:
        for _ in range(_TRIES):
            try:
                with self._lock:
                    return list(self._port.get_ports()) if self.is_alive else []
            except OSError:  # one went while they were counted
                continue
        return []

    def open(self, name: str) -> bool:
        """Open a port; False where it has gone meanwhile."""
        with self._lock:
            if not self._answers() or name not in (names := self._all_names()):
                return False
            try:
                self._port.open_port(names.index(name), "midi")
            except OSError:
                return False
            if self._all_names() == names:  # ports have numbers, which change with others'
                return True
            self.close()
            return False

    def close(self) -> None:
        """Close the port; nothing where none is open. An output may take a second."""
        with self._lock:
            if self._answers():
                self._port.close_port()

    def delete(self) -> None:
        """Close the port and the client, which is of no use afterwards."""
        with self._lock:
            if self._answers():
                self._port.close_port()
                self._port.delete()
                ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._port))

    def _answers(self) -> bool:
        """Whether it may be used, and will not keep Python waiting."""
        if self._server is None:
            return True
        return self.is_alive and self._server.reach() and self.is_alive

    def fetch(self) -> list[int] | None:
        """The next message of an open input, None where there is none."""
        heard = self._port.get_message()
        return heard[0] if heard else None

    def send(self, message: bytes) -> bool:
        """Hand a message to the open output; False where it cannot be taken."""
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            return False
        try:
            if not self.is_alive or self._is_stalled():
                return False
            self._port.send_message(message)
        except (OSError, ValueError):
            return False
        finally:
            self._lock.release()
        return True

    def _is_stalled(self) -> bool:
        """Whether JACK's server takes nothing."""
        if self._server is None:
            return False
        cycle = self._server.cycle
        if cycle != self._cycle:
            self._cycle, self._given = cycle, 0
        self._given += 1
        return self._given > _STALLED_MESSAGES
