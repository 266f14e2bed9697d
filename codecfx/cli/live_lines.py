"""The live host without a screen: lines for people who hear or log them, JSON for programs; commands
as lines on standard input.
"""

import json
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from codecfx.cli import live_words as words
from codecfx.cli.live_journal import Journal
from codecfx.cli.live_turning import Ending, knob_at, typed
from codecfx.errors import CodecFxError, ConfigurationError, UnknownName

if TYPE_CHECKING:
    from codecfx.cli.live_turning import LiveHost

_ROUND_SECONDS = 0.05
_OBJECT_SECONDS = 0.2  # between two of JSON
_RETRY_SECONDS = 1.0  # for a terminal that is somebody else's now

COMMANDS = {
    "mute": "silence, or sound again",
    "bypass": "the dry sound, or the board again",
    "panic": "silence, now",
    "next": "go to the next preset",
    "previous": "go to the preset before",
    "swap": "go to the other of A and B",
    "record": "record a take, or end it",
    "set PATH VALUE": "set a parameter",
    "learn PATH": "let the next control that is moved move it; without PATH: let it be",
    "forget PATH": "let nothing move it any more",
    "save": "save the board as a preset",
    "parameters": "say all parameters",
    "status": "say how everything is",
    "help": "say this",
    "quit": "end; a take is finished first",
}


def run_lines(host: "LiveHost", as_json: bool = False, seconds: float = 0.0) -> None:
    """Print what happens, a line each, and a summary every 10 s; or, as JSON, all of the status five
    times a second. Commands come from standard input, where there is one. Ends when somebody quits,
    with a signal, when the host has ended, or after `seconds` (0: never); a take is finished first.

    Raises:
        OSError: the lines cannot be written; nobody reads them any more (BrokenPipeError), mostly.
    """
    commands = _Commands()
    commands.start()
    desk = _Desk(host, as_json)
    latest = time.monotonic() + seconds if seconds else math.inf
    with _signals(desk.ending):
        try:
            while desk.round(commands.pending()):
                if time.monotonic() > latest:
                    desk.ending.ask()
                time.sleep(_ROUND_SECONDS)
        except OSError:
            desk.finish()
            raise


class _Desk:
    """What comes in and goes out, round by round."""

    def __init__(self, host: "LiveHost", as_json: bool) -> None:
        self._host, self._as_json = host, as_json
        self._journal = Journal()
        self._next_object = 0.0
        self.ending = Ending(host)

    def round(self, commands: list[str]) -> bool:
        """Tell what happened, do what is asked; whether it goes on."""
        status, now = self._host.status(), time.monotonic()
        is_over = self.ending.is_due(status)
        if not self._as_json:
            self._print(self._journal.lines(status, now))
        elif is_over or now >= self._next_object:
            self._next_object = now + _OBJECT_SECONDS
            self._print([json.dumps(facts(status))])
        for command in commands:
            self._obey(command)
        return not is_over

    def finish(self) -> None:
        """Finish the take, and say nothing."""
        self.ending.ask()
        while not self.ending.is_due(self._host.status()):
            time.sleep(_ROUND_SECONDS)

    def _print(self, lines: list[str]) -> None:
        if lines:
            print("\n".join(lines), flush=True)

    def _obey(self, command: str) -> None:
        try:
            reply = self._done(command)
            fact: dict[str, Any] = {"reply": reply}
        except CodecFxError as error:
            reply = [f"error: {words.clean(str(error))}"]
            fact = {"error": str(error)}
        if reply:
            self._print([json.dumps({"command": command, **fact})] if self._as_json else reply)

    def _done(self, command: str) -> list[str]:
        """Do a command; what is to be said at once.

        Raises:
            CodecFxError: it cannot be done, or is none.
        """
        host = self._host
        word, _, rest = command.strip().partition(" ")
        simple: dict[str, Callable[[], object]] = {
            "mute": host.mute,
            "bypass": host.bypass,
            "panic": host.panic,
            "next": lambda: host.next_preset(1),
            "previous": lambda: host.next_preset(-1),
            "swap": host.swap,
            "record": host.record,
            "learn": lambda: host.learn(self._path(rest) if rest.strip() else ""),
            "forget": lambda: host.forget(self._path(rest)),
            "quit": self.ending.ask,
        }
        match word.lower():
            case "":
                return []
            case name if name in simple:
                simple[name]()
                return []
            case "set":
                path, _, text = rest.strip().partition(" ")
                knob = knob_at(host.status(), path)
                if not text.strip():
                    raise ConfigurationError(f"set {knob.path} to what? {knob.parameter.allowed}")
                host.turn(knob.path, typed(knob.parameter, text))
                return []
            case "save":
                return [words.clean(host.save())]
            case "parameters":
                return [words.knob(knob) for knob in host.status().knobs]
            case "status":
                return words.report(host.status())
            case "help":
                return [f"{name}: {what}" for name, what in COMMANDS.items()]
            case _:
                raise UnknownName("command", word, [name.split()[0] for name in COMMANDS])

    def _path(self, text: str) -> str:
        return knob_at(self._host.status(), text.strip()).path


def facts(of: Any) -> Any:
    """A status, and what is in it, as JSON has it; levels that are not finite are null."""
    if is_dataclass(of):
        found = {one.name: facts(getattr(of, one.name)) for one in fields(of)}
        for derived in ("latency_ms", "headroom"):
            if hasattr(of, derived):
                found[derived] = facts(getattr(of, derived))
        return found
    if isinstance(of, Enum):
        return of.value
    if isinstance(of, float):
        return of if math.isfinite(of) else None
    return [facts(one) for one in of] if isinstance(of, tuple) else of


class _Commands:
    """Lines from standard input, read by a thread of their own since nothing else waits everywhere."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()

    def start(self) -> None:
        """Begin to read; where there is nothing to read, nothing comes."""
        try:
            number = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):  # closed, or none
            return
        threading.Thread(target=self._read, args=(number,), daemon=True, name="commands").start()

    def pending(self) -> list[str]:
        """What came since the last time."""
        return [self._lines.popleft() for _ in range(len(self._lines))]

    def _read(self, number: int) -> None:
        rest = b""
        while True:
            try:
                heard = os.read(number, 4096)  # not sys.stdin, whose lock would be held at the end
            except OSError:
                if not os.isatty(number):
                    return
                time.sleep(_RETRY_SECONDS)  # we are in the background
                continue
            *lines, rest = (rest + heard).split(b"\n")
            self._lines.extend(line.decode("utf-8", "replace") for line in lines)
            if not heard:
                self._lines.extend([rest.decode("utf-8", "replace")] * bool(rest))
                return


@contextmanager
def _signals(ending: Ending) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end it; again, a second later, at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        if ending.waited_seconds > 1.0:  # and not the same one, handed on by whoever runs us
            raise KeyboardInterrupt
        ending.ask()

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heard = [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]  # by nohup
    before = {number: signal.signal(number, stop) for number in heard}
    background = getattr(signal, "SIGTTIN", None)
    if background is not None:  # reading then fails instead of stopping us, sound and all
        before[background] = signal.signal(background, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
