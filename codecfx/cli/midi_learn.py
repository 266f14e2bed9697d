"""`codecfx midi learn`: turn a knob, name a parameter, and the preset has a map."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codecfx.cli.midi_monitor import wanted_port
from codecfx.cli.midi_words import value_in_words

if TYPE_CHECKING:
    from codecfx.cli.map_writing import MapFile
    from codecfx.control.controls import Controls
    from codecfx.control.learning import Heard
    from codecfx.control.maps import Map
    from codecfx.control.parameters import Parameter, Value
    from codecfx.effects.base import Effect
    from codecfx.effects.paths import Target

_ROUND_SECONDS = 0.02


def command(
    preset: Annotated[str, typer.Argument(help="A preset's name, or a .toml file.", metavar="PRESET")],
    port: Annotated[
        str, typer.Argument(metavar="[PORT]", help="An input, or a part of its name; else the first.")
    ] = "",
    parameter: Annotated[
        str, typer.Option("--parameter", metavar="PATH", help="Learn this one, without asking.")
    ] = "",
    minimum: Annotated[
        str, typer.Option("--min", metavar="VALUE", help="With --parameter: where the control begins.")
    ] = "",
    maximum: Annotated[
        str, typer.Option("--max", metavar="VALUE", help="With --parameter: where it ends.")
    ] = "",
    out_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write here: a map or preset, or a new copy of this one."),
    ] = None,
) -> None:
    """Map a controller's knobs, faders and buttons to a preset's parameters."""
    from codecfx.cli.map_writing import MapFile
    from codecfx.errors import ConfigurationError
    from codecfx.presets import load_preset

    loaded = load_preset(preset)
    assert loaded.path is not None
    if not parameter and (minimum or maximum):
        raise ConfigurationError("--min and --max go with --parameter; else they are asked for")
    lesson = _Lesson(loaded.board(), MapFile(loaded.path, out_file))
    if parameter:
        target = lesson.find(parameter)
        ends = tuple(target.parameter.check(end) if end else None for end in (minimum, maximum))
        lesson.refuse(target, *ends)  # before anybody turns a knob
    wanted = wanted_port(port)
    with _Ears(wanted) as ears:
        if parameter:
            lesson.save(ears.hear(), target, *ends)
            return
        lesson.show()
        while lesson.asked(ears.hear()):
            pass


class _Ears:
    """What is played on a port."""

    def __init__(self, port: str) -> None:
        from codecfx.control.midi_ports import MidiInput

        self._messages: list[tuple[float, bytes]] = []
        self._input = MidiInput(port, lambda *heard: self._messages.append(heard), self._state)

    def __enter__(self) -> "_Ears":
        return self

    def __exit__(self, *error: object) -> None:
        self._input.close()

    def _state(self, name: str, is_there: bool) -> None:
        print(f"{name}: {'listening' if is_there else 'waiting for it'}", flush=True)

    def hear(self) -> "Heard":
        """The control that is moved next; waits for it, and until it rests."""
        from codecfx.control.learning import guess, is_over

        print("turn a knob slowly, or press a button (Ctrl-C ends)", flush=True)
        self._messages.clear()  # what was played while nobody asked
        while True:
            time.sleep(_ROUND_SECONDS)
            if not is_over(self._messages, time.monotonic()):
                continue
            heard = guess(self._messages)
            self._messages.clear()
            if heard is None:
                print("that is no control; turn or press another", flush=True)
                continue
            print(
                f"heard {heard}" + f" (if that is wrong: {heard.hint})" * bool(heard.hint), flush=True
            )
            return heard


class _Lesson:
    """A preset's board, and the file that its maps go to."""

    def __init__(self, board: "Effect", file: "MapFile") -> None:
        from codecfx.effects.paths import every_path, moves_live

        self._board, self._file = board, file
        self._targets = {
            path: target
            for path, target in every_path(board).items()
            if moves_live(target.parameter)
            and (target.parameter.steps or not isinstance(target.parameter.default, str))
        }
        self._paths = list(self._targets)

    def show(self) -> None:
        """Print the parameters, numbered."""
        from codecfx.cli.output import print_table

        rows = [
            (str(number), path, value_in_words(one.parameter, one.value), one.parameter.allowed)
            for number, (path, one) in enumerate(self._targets.items(), 1)
        ]
        print_table(("", "parameter", "now", "takes"), rows, right=("",), close=True)

    def find(self, text: str) -> "Target":
        """The parameter of that number, path, or part of a path.

        Raises:
            ConfigurationError: no such parameter, one that does not move, or several; lists those.
        """
        from codecfx.effects.steering import steerable
        from codecfx.errors import ConfigurationError, UnknownName

        if text.isdecimal() and 1 <= int(text) <= len(self._paths):
            return self._targets[self._paths[int(text) - 1]]
        try:
            return steerable(self._board, text)
        except UnknownName:
            alike = [path for path in self._paths if text.lower() in path.lower()]
            if len(alike) == 1:
                return self._targets[alike[0]]
            if not alike:
                raise
        raise ConfigurationError(f"'{text}' may be {', '.join(alike)}; write more of it")

    def asked(self, heard: "Heard") -> bool:
        """Ask what a control is to move, and write it; False where nobody wants more."""
        from codecfx.errors import ConfigurationError

        while answer := _answer("which parameter (number, path or part of it; nothing: end)? "):
            try:
                target = self.find(answer)
                self.save(heard, target, *_ends(target.parameter))
            except ConfigurationError as error:
                print(error)
                continue
            return True
        return False

    def refuse(self, target: "Target", minimum: "Value | None", maximum: "Value | None") -> None:
        """Raises ConfigurationError for ends that the parameter cannot be moved between."""
        from codecfx.control.learning import Heard
        from codecfx.control.sources import Source

        self._map(Heard(Source("cc", 0, 1)), target, minimum, maximum)

    def _map(
        self, heard: "Heard", target: "Target", minimum: "Value | None", maximum: "Value | None"
    ) -> "Map":
        from codecfx.control.mapping import Mapped
        from codecfx.control.maps import Map
        from codecfx.control.takeover import RELATIVE

        relative = heard.relative or RELATIVE[0]
        made = Map(heard.source, target.path, minimum, maximum, mode=heard.mode, relative=relative)
        return Mapped(made, target.parameter).map

    def save(
        self, heard: "Heard", target: "Target", minimum: "Value | None", maximum: "Value | None"
    ) -> None:
        """Write a map, and say so; or that there is one.

        Raises:
            ConfigurationError: it cannot be; says why.
        """
        made = self._map(heard, target, minimum, maximum)
        before = self._same(made, target, self._file.controls())
        if before is not None:
            print(
                f"{made.source} moves {target.path} already ({before.where or self._file.path}): kept"
            )
            return
        if self._file.is_copy:
            why = "is built in" if self._file.is_built_in else "stays as it is"
            print(f"the preset {why}: this is a copy, {self._file.path}")
        self._file.append(made.to_table(), self._board)
        print(f"saved: {heard} moves {target.path}, in {self._file.path}", flush=True)

    def _same(self, made: "Map", target: "Target", controls: "Controls") -> "Map | None":
        """A map of the same control to the same parameter."""
        from codecfx.effects.paths import find
        from codecfx.errors import ConfigurationError

        for one in controls.maps:
            mine, its = made.source, one.source
            if (mine.kind, mine.number) != (its.kind, its.number):
                continue
            if None not in (mine.channel, its.channel) and mine.channel != its.channel:
                continue
            try:
                there = find(self._board, one.target)
            except ConfigurationError:  # an optional one, or a preset's
                continue
            if (there.place.number, there.parameter) == (target.place.number, target.parameter):
                return one
        return None


def _ends(parameter: "Parameter") -> "tuple[Value | None, Value | None]":
    """Ask between which values the control moves; nothing is the parameter's own."""
    from codecfx.errors import ConfigurationError

    if isinstance(parameter.default, bool):
        return None, None
    steps = parameter.steps
    own = (steps[0], steps[-1]) if steps else (parameter.minimum, parameter.maximum)
    ends: list[Value | None] = []
    for word, value in zip(("from", "to"), own, strict=True):
        known = "" if value is None else f" [{value_in_words(parameter, value)}]"
        while True:
            answer = _answer(f"{word}{known}? ")
            try:
                ends.append(parameter.check(answer) if answer else None)
                break
            except ConfigurationError as error:
                print(error)
    return ends[0], ends[1]


def _answer(question: str) -> str:
    """What somebody writes; nothing where nobody can."""
    try:
        return input(question).strip()
    except EOFError:
        print()
        return ""
