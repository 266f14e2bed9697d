"""A board that nobody hears, moved by messages as one on stage would be."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecfx.cli.midi_words import value_in_words

if TYPE_CHECKING:
    from codecfx.control.controls import Controls
    from codecfx.control.mapping import Mapped
    from codecfx.control.maps import Map
    from codecfx.control.parameters import Value
    from codecfx.control.reader import Reader
    from codecfx.effects.base import Effect
    from codecfx.effects.paths import Target
    from codecfx.effects.steering import PlayedMap

_RATE = 48_000  # nothing sounds; it decides which bitrates a codec takes


@dataclass(frozen=True, slots=True)
class Set:
    """What a message set: the path and the value, and both in words."""

    path: str
    value: "Value"
    words: str


class Rehearsal:
    """Maps, and the board that they move. Without one, they say where their controls stand."""

    def __init__(self, board: "Effect | None", controls: "Controls") -> None:
        """Raises ConfigurationError for a map of what `board` has not; says where it is written."""
        from codecfx.control.reader import Reader

        maps = [one for one in controls.maps if one.source.kind != "modulator"]
        unmoved = [one for one in maps if one.preset or board is None]
        self._unmoved = [(one, Reader(one.source)) for one in unmoved]
        self._played: list[PlayedMap] = []
        if board is not None:
            self._steer(board, [one for one in maps if not one.preset])

    def _steer(self, board: "Effect", maps: "list[Map]") -> None:
        from codecfx.control.automation import tick_samples
        from codecfx.control.controls import Controls
        from codecfx.control.timeline import Timeline
        from codecfx.effects.paths import every_path
        from codecfx.effects.steering import Steering

        self._steering = Steering(
            board, Controls(maps=tuple(maps)), {}, Timeline(_RATE, None), tick_samples(_RATE), 0
        )
        self._played = self._steering.maps
        self._paths = {
            (target.place.number, target.parameter.id): path
            for path, target in every_path(board).items()
        }

    @property
    def maps(self) -> "list[tuple[str, Mapped]]":
        """The maps by the paths that they move."""
        return [(self._path(one.steered.target), one.mapped) for one in self._played]

    @property
    def values(self) -> "list[tuple[str, Value]]":
        """Where everything stands that maps move."""
        return [(self._path(one.steered.target), one.steered.target.value) for one in self._played]

    def hear(self, message: bytes) -> list[Set]:
        """Take a message; what it sets."""
        found = []
        for played in self._steering.listening(message) if self._played else ():
            target = played.steered.target
            value = played.mapped.receive(message, target.value)
            if value is not None:
                target.move(value)
                path = self._path(target)
                found.append(Set(path, value, f"{path} = {value_in_words(target.parameter, value)}"))
        said = (_said(one, reader, message) for one, reader in self._unmoved)
        return found + [one for one in said if one is not None]

    def _path(self, target: "Target") -> str:
        return self._paths[target.place.number, target.parameter.id]


def _said(one: "Map", reader: "Reader", message: bytes) -> Set | None:
    """What a message says of a map without a parameter."""
    from codecfx.control.takeover import detents

    if one.mode == "relative":
        raw = reader.read_raw(message)
        turns = 0 if raw is None else detents(one.relative, raw)
        return Set(one.target, turns, f"{one.target} {turns:+d}") if turns else None
    position = reader.read(message)
    if position is None:
        return None
    if one.preset:
        return Set("preset", one.preset, f"preset = {one.preset}")
    return Set(one.target, round(position, 4), f"{one.target} at {100 * position:.0f} %")
