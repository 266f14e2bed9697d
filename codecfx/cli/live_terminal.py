"""The terminal as the live screen writes to it: one that stalls or goes away never keeps the host.

Textual writes in a thread, through a queue that blocks when it is full. Where a line to a far terminal
stalls, that is right; where it is cut, the thread would die and the queue block for ever.
"""

import io
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.driver import Driver

_PATIENCE_SECONDS = 1.0  # with a terminal that takes nothing, once somebody wants to end


class Terminal(io.RawIOBase):
    """A terminal to write to. Once it is gone, what is written is lost, and nobody hears of it."""

    def __init__(self, name: str, is_ending: Callable[[], bool]) -> None:
        """`name` is the device's. `is_ending` says whether somebody wants to end."""
        super().__init__()
        # opened anew: that it does not block must not be so for the shell, which shares ours
        self._number = os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        self._is_ending = is_ending
        self.is_gone = False

    def write(self, data: Any, /) -> int:
        latest = float("inf")
        while not self.is_gone:
            try:
                return os.write(self._number, data)
            except BlockingIOError:
                select.select([], [self._number], [], 0.1)
                now = time.monotonic()
                if self._is_ending():
                    latest = min(latest, now + _PATIENCE_SECONDS)
                self.is_gone = now > latest
            except OSError:
                self.is_gone = True
        return len(memoryview(data))

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._number)


def driver_for(terminal: Terminal) -> "type[Driver]":
    """Textual's driver, writing to `terminal`."""
    from textual.drivers.linux_driver import LinuxDriver

    encoding = sys.__stderr__.encoding if sys.__stderr__ else "ascii"

    class TerminalDriver(LinuxDriver):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            writer = io.BufferedWriter(terminal)
            self._file = io.TextIOWrapper(writer, encoding, "replace", newline="", write_through=True)

    return TerminalDriver
