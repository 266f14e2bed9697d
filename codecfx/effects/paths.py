"""Paths: how automation, controllers and takes name a parameter of a board.

::

    opus.bitrate_kbps       the effect by its label or its name
    opus.2.bitrate_kbps     the second of that name
    2.mix                   the effect by its place, from 1; chain.2.mix says the same
    2.1.room_size           the first effect inside the second, which is a container
    *.bitrate_kbps          the first effect that has such a parameter
    mix                     the board's own
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codecfx.control.parameters import Change, Parameter, Value
from codecfx.effects.base import BYPASS, MIX, Effect
from codecfx.effects.board import Container, is_native
from codecfx.errors import ConfigurationError, UnknownName

_ORDINAL = re.compile(r"(.+)\.([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Place:
    """An effect in a board: where it stands, and how late the sound is that reaches it."""

    number: str  # "2", "2.1"; "" for the board itself
    effect: Effect
    parameters: tuple[Parameter, ...]
    upstream_samples: int = 0  # as of the board's latest `prepare`

    @property
    def names(self) -> list[str]:
        """What it is called in a path, its label first."""
        names = [self.effect.label, self.effect.name] if self.number else []
        return [name.lower() for name in names if name]


@dataclass(frozen=True, slots=True)
class Target:
    """A parameter of an effect in a board."""

    path: str
    place: Place
    parameter: Parameter

    @property
    def effect(self) -> Effect:
        return self.place.effect

    @property
    def value(self) -> Value:
        """Its plain value now."""
        return self.effect.value_of(self.parameter)

    def move(self, value: Value) -> None:
        """Set it, from the next block on, to a value that `parameter.check` returned."""
        self.effect.move(self.parameter, value)

    @property
    def late_samples(self) -> int:
        """How much later than a sound's own time in the file a change must come to meet it: by what is
        late before the effect, and for the mix of dry and wet, which comes last, by its own latency.
        """
        own = self.effect.latency_samples if self.parameter in (MIX, BYPASS) else 0
        return self.place.upstream_samples + own


def places(board: Effect) -> Iterator[Place]:
    """A board and every effect in it, containers before what is inside. A bare pedalboard plugin is
    there with the parameters of its own.
    """
    yield Place("", board, board.parameters)
    yield from _inside(board, "", 0)


def _inside(container: Effect, number: str, upstream: int) -> Iterator[Place]:
    if not isinstance(container, Container):
        return
    for at, plugin in enumerate(container, 1):
        there = f"{number}.{at}".lstrip(".")
        late = upstream + container.upstream_samples(plugin)
        if isinstance(plugin, Effect):
            yield Place(there, plugin, plugin.parameters, late)
            yield from _inside(plugin, there, late)
        elif is_native(plugin) and not isinstance(plugin, Iterable):  # no container of pedalboard's
            from codecfx.effects import native_effect

            effect = native_effect.wrap(plugin)
            yield Place(there, effect, tuple(effect.natives), late)


def find(board: Effect, path: str) -> Target:
    """The parameter at `path`.

    Raises:
        UnknownName: no such effect or parameter; says the nearest path there is.
        ConfigurationError: several effects of that name; says how to tell them apart.
    """
    everywhere = list(places(board))
    effect_name, _, parameter_id = path.strip().lower().rpartition(".")
    where = _found(everywhere, effect_name, parameter_id)
    for place in where:
        for parameter in place.parameters:
            if parameter.id.lower() == parameter_id:
                return Target(path.strip(), place, parameter)
    if where and where[0].number:  # the effect is right: say what it has
        known = [parameter.id for parameter in where[0].parameters]
        raise UnknownName("parameter", parameter_id, known, path)
    raise UnknownName("parameter", path, list(every_path(board)))


def _found(everywhere: list[Place], name: str, parameter_id: str) -> list[Place]:
    """The place that a path's first part names, or all that it may be."""
    board = everywhere[0]
    if name in ("", "board", board.effect.label.lower()):
        return [board]
    if len(everywhere) == 1 and name == board.effect.name.lower():  # its own board
        return [board]
    if name == "*":
        return everywhere[1:] or everywhere
    number = re.sub(r"(^|\.)chain\.(?=[0-9])", r"\1", name)
    if number[0].isdigit():
        return [one for one in everywhere if one.number == number]
    ordinal = 0
    alike = _called(everywhere, name)
    if not alike and (match := _ORDINAL.fullmatch(name)):
        alike, ordinal = _called(everywhere, match[1]), int(match[2])
        return alike[ordinal - 1 : ordinal]
    if len(alike) > 1:
        raise ConfigurationError(
            f"{name}.{parameter_id}: there are {len(alike)} called '{name}'; write "
            f"{name}.1.{parameter_id} to {name}.{len(alike)}.{parameter_id}, or give them labels"
        )
    return alike


def _called(everywhere: list[Place], name: str) -> list[Place]:
    """Effects with that label, or, where none has it, with that name."""
    labelled = [one for one in everywhere if one.number and one.effect.label.lower() == name]
    return labelled or [one for one in everywhere if name in one.names]


def every_path(board: Effect) -> dict[str, Target]:
    """Every parameter of a board, by the path that tells it from all others, in order."""
    everywhere = list(places(board))
    found: dict[str, Target] = {}
    for place in everywhere:
        name = ""
        if place.number:
            name = place.names[0]
            alike = _called(everywhere, name)
            if len(alike) > 1:
                name = f"{name}.{1 + [one.number for one in alike].index(place.number)}"
            name += "."
        for parameter in place.parameters:
            path = f"{name}{parameter.id}"
            found[path] = Target(path, place, parameter)
    return found


def moves_live(parameter: Parameter) -> bool:
    """Whether a parameter may be set while sound runs."""
    return parameter.change is not Change.PREPARE
