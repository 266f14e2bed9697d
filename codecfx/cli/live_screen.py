"""The screen of `codecfx live`, where there is a terminal that can show one; else lines."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecfx.cli.live_app import LiveApp
    from codecfx.cli.live_turning import LiveHost

_TOUCHED = (  # by us or by Textual
    *("SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGCONT", "SIGWINCH", "SIGTTIN", "SIGTTOU"),
)


def run_screen(host: "LiveHost") -> None:
    """Show the host, and do what keys say, until somebody quits, a signal comes or the host has ended.
    A take is finished first. Where no screen can be, says so and prints lines instead.
    """
    why = why_not()
    if why:
        from codecfx.cli.live_lines import run_lines
        from codecfx.cli.output import print_aside

        print_aside(f"{why}: lines instead of a screen, as with --plain")
        run_lines(host)
        return
    from codecfx.cli.live_app import LiveApp
    from codecfx.cli.live_glyphs import glyphs_for

    app = LiveApp(host, glyphs_for(sys.__stderr__.encoding if sys.__stderr__ else None))
    with _signals(app), _terminal(app):
        app.run(mouse=False)  # so that the terminal's own selecting and copying works
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise RuntimeError("the screen failed; why is above")


def why_not() -> str:
    """Why this terminal has no screen; "" where it has one."""
    terminal = os.environ.get("TERM", "")
    if os.name == "posix" and terminal in ("", "dumb", "unknown"):
        return f"TERM is '{terminal}', which is no screen"
    streams = {"input": sys.__stdin__, "output": sys.__stdout__, "error": sys.__stderr__}
    for name, stream in streams.items():
        if stream is None or stream.closed or not stream.isatty():
            return f"standard {name} is no terminal"
    try:
        import textual  # noqa: F401
    except ImportError:
        return "textual is missing (pip install 'codecfx[live]')"
    return ""


@contextmanager
def _terminal(app: "LiveApp") -> Iterator[None]:
    """Have `app` write to a terminal that may go away."""
    if os.name != "posix":
        yield
        return
    from codecfx.cli.live_terminal import Terminal, driver_for

    try:
        terminal = Terminal(os.ttyname(2), lambda: app.ending.is_asked_for)
    except OSError:  # another user's, or not in this container: Textual writes as it always does
        yield
        return
    with terminal:
        app.is_hung_up = lambda: terminal.is_gone
        app.driver_class = driver_for(terminal)
        yield


@contextmanager
def _signals(app: "LiveApp") -> Iterator[None]:
    """Signals end the screen, which leaves the terminal as it was; afterwards they do what they did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        app.ending.ask()

    touched = [getattr(signal, name) for name in _TOUCHED if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in touched}
    try:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
