"""`codecfx midi monitor`: what controllers say, and what it would set."""

import json
import time
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecfx.cli.midi_words import in_words, short

if TYPE_CHECKING:
    from codecfx.cli.midi_rehearsal import Rehearsal
    from codecfx.control.feedback import Feedback

_ROUND_SECONDS = 0.02  # so often lines are printed, all that came meanwhile at once


def command(
    port: Annotated[
        str, typer.Argument(metavar="[PORT]", help="An input, or a part of its name; else the first.")
    ] = "",
    preset: Annotated[
        str, typer.Option("--preset", "-p", metavar="NAME", help="Say what it would set in this.")
    ] = "",
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", metavar="NAME", help="Through this map too; may be repeated."),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", metavar="PORT", help="Show values here: motor faders, lights.")
    ] = "",
    seconds: Annotated[
        float, typer.Option(metavar="N", min=0, help="End after so long; 0: with Ctrl-C.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """A line for every message: when, from where, what, and what it would set."""
    from codecfx.cli.midi_rehearsal import Rehearsal
    from codecfx.control.midi_ports import Feedback, MidiInput, MidiOutput, output_names
    from codecfx.recipe import Recipe

    recipe = Recipe(preset, maps=tuple(maps or ()))
    rehearsal = Rehearsal(recipe.board() if preset else None, recipe.controls())
    screen = _Screen(rehearsal, as_json)
    wanted = wanted_port(port)
    wanted_out = wanted_port(out, output_names()) if out else ""
    ending = time.monotonic() + seconds if seconds else float("inf")
    with ExitStack() as opened:
        if wanted_out:
            output = opened.enter_context(MidiOutput(wanted_out, screen.output_state))
            screen.feedback = Feedback(rehearsal.maps, output)
        heard = opened.enter_context(MidiInput(wanted, screen.message, screen.input_state))
        while time.monotonic() < ending:
            time.sleep(_ROUND_SECONDS)
            screen.show(heard.problem)
    screen.show(heard.problem)


def wanted_port(port: str, names: list[str] | None = None) -> str:
    """The full name of the port that is meant; `port`, and a line that says so, where it is waited for.
    `names` are the inputs.

    Raises:
        ConfigurationError: several may be meant; lists them.
        MidiUnavailable: none is named and none is there, or python-rtmidi is missing.
    """
    from codecfx.cli.output import print_aside
    from codecfx.control.midi_ports import find_port, input_names, midi_api
    from codecfx.errors import MidiUnavailable, UnknownName

    try:
        return find_port(port, input_names() if names is None else names)
    except UnknownName as error:
        if port:
            print_aside(f"{error}; waiting for it")
            return port
    midi_api()  # says what is missing, if it is the system
    raise MidiUnavailable("no MIDI input; plug in a controller, or name the port to wait for")


class _Screen:
    """Lines for what comes, in the order in which it came."""

    def __init__(self, rehearsal: "Rehearsal", as_json: bool) -> None:
        self._rehearsal, self._as_json = rehearsal, as_json
        self._began = time.monotonic()
        self._came: deque[tuple[float, str, Any]] = deque()  # when, "message", "in" or "out", what
        self._port = ""
        self.feedback: Feedback | None = None

    # [the ports' threads]

    def message(self, seconds: float, message: bytes) -> None:
        self._came.append((seconds, "message", message))

    def input_state(self, name: str, is_there: bool) -> None:
        self._came.append((time.monotonic(), "in", (name, is_there)))

    def output_state(self, name: str, is_there: bool) -> None:
        self._came.append((time.monotonic(), "out", (name, is_there)))

    # [main thread]

    def show(self, problem: str) -> None:
        """Print what came since the last time. `problem` is why no port can be there."""
        lines = []
        while self._came:
            seconds, kind, what = self._came.popleft()
            at = round(max(0.0, seconds - self._began), 4)
            if kind == "message":
                lines.append(self._of_message(at, what))
            else:
                name, is_there = what
                lines.append(self._of_state(at, kind, name, is_there, problem))
        if lines:
            print("\n".join(lines), flush=True)
        if self.feedback is not None:
            for path, value in self._rehearsal.values:
                self.feedback.show(path, value)
            self.feedback.tick()

    def _of_message(self, at: float, message: bytes) -> str:
        sets = self._rehearsal.hear(message)
        if self.feedback is not None:
            self.feedback.heard(message)
        words = in_words(message)
        if self._as_json:
            facts = {"time": at, "port": self._port, "bytes": list(message), "message": words}
            return json.dumps(
                facts | {"sets": [{"path": one.path, "value": one.value} for one in sets]}
            )
        said = "; ".join(one.words for one in sets)
        return f"{at:8.3f}  {short(self._port):<16}  {words:<20}  {said}".rstrip()

    def _of_state(self, at: float, way: str, name: str, is_there: bool, problem: str) -> str:
        if way == "in" and is_there:
            self._port = name
        if self._as_json:
            return json.dumps({"time": at, "way": way, "port": name, "there": is_there})
        if is_there:
            return f"{at:8.3f}  {name}: {'listening' if way == 'in' else 'showing values'}"
        return f"{at:8.3f}  {name}: waiting for it" + f" ({problem})" * bool(problem)
