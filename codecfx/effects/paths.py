"""Paths: how automation, controllers and takes name a parameter of a board.

::

    opus.bitrate_kbps       the effect by its label or its name
    opus.2.bitrate_kbps     the second of that name
    2.mix                   the effect by its place, from 1; chain.2.mix says the same
    2.1.room_size           the first effect inside the second, which is a container
    *.bitrate_kbps          the first effect that has such a parameter, as its own before others
    mix                     the board's own; board.mix says the same

Where one may mean several things, labels come first, then names, then places, then the board.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codecfx.control.parameters import Change, Parameter, Value
from codecfx.effects.base import Effect
from codecfx.effects.board import Container, is_native
from codecfx.errors import ConfigurationError, UnknownName

_ORDINAL = re.compile(r"(.+)\.([1-9][0-9]*)")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)*")
_CHAINS = re.compile(r"(^|\.)chain\.(?=[0-9])")


@dataclass(frozen=True, slots=True)
class Place:
    """An effect in a board: where it stands, and how late the sound is that reaches it."""

    number: str  # "2", "2.1"; "" for the board itself
    effect: Effect
    parameters: tuple[Parameter, ...]
    upstream_samples: int = 0  # as of the board's latest `prepare`

    @property
    def label(self) -> str:
        """Its label as a path has it."""
        return self.effect.label.strip().lower()


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
        late before the effect, and for what comes last in it, as the mix of dry and wet, by its own
        latency.
        """
        return self.place.upstream_samples + self.effect.samples_before(self.parameter)


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
    name, _, parameter_id = path.strip().lower().rpartition(".")
    if name == "*":
        having = [one for one in everywhere[1:] or everywhere if _parameter(one, parameter_id)]
        # what an effect is made for comes before what every codec has: a Delay's feedback
        having.sort(key=lambda one: bool(getattr(_parameter(one, parameter_id), "group", "")))
        found = having[:1]
    else:
        found = _found(everywhere, name)
    if len(found) > 1:
        raise ConfigurationError(
            f"{path}: there are {len(found)} called '{name}'; write "
            f"{_name_of(found[0], everywhere)}.{parameter_id} or "
            f"{_name_of(found[-1], everywhere)}.{parameter_id}, or give them labels"
        )
    for place in found:
        parameter = _parameter(place, parameter_id)
        if parameter is not None:
            return Target(path.strip(), place, parameter)
        if place.number:  # the effect is right: say what it has
            raise UnknownName("parameter", parameter_id, [one.id for one in place.parameters], path)
    raise UnknownName("parameter", path, list(every_path(board)))


def every_path(board: Effect) -> dict[str, Target]:
    """Every parameter of a board, by the path that tells it from all others, in order."""
    everywhere = list(places(board))
    found: dict[str, Target] = {}
    for place in everywhere:
        name = _name_of(place, everywhere)
        for parameter in place.parameters:
            path = f"{name}.{parameter.id}" if name else parameter.id
            found[path] = Target(path, place, parameter)
    return found


def _parameter(place: Place, parameter_id: str) -> Parameter | None:
    return next((one for one in place.parameters if one.id.lower() == parameter_id), None)


def _found(everywhere: list[Place], name: str) -> list[Place]:
    """The places that a path's first part may mean."""
    board, *inside = everywhere
    if not name:
        return [board]
    labelled = [one for one in inside if one.label == name]
    alike = labelled or [one for one in inside if one.effect.name.lower() == name]
    if alike:
        return alike
    if match := _ORDINAL.fullmatch(name):
        alike = [one for one in inside if match[1] in (one.label, one.effect.name.lower())]
        if len(alike) > 1:
            return alike[int(match[2]) - 1 :][:1]
    number = _CHAINS.sub(r"\1", name)
    if _NUMBER.fullmatch(number):
        return [one for one in inside if one.number == number]
    alone = board.effect.name.lower() if not inside else ""
    return [board] if name in ("board", board.label, alone) else []


def _name_of(place: Place, everywhere: list[Place]) -> str:
    """What a path calls this place, and no other."""
    if not place.number:
        return "" if _found(everywhere, "") == [place] else "board"
    name = place.effect.name.lower()
    alike = [one for one in everywhere[1:] if name in (one.label, one.effect.name.lower())]
    ordinal = f"{name}.{alike.index(place) + 1}"
    number = place.number.replace(".", ".chain.")
    names = (place.label, name, ordinal, place.number, f"chain.{number}")
    return next(one for one in names if one and _found(everywhere, one) == [place])


def moves_live(parameter: Parameter) -> bool:
    """Whether a parameter may be set while sound runs."""
    return parameter.change is not Change.PREPARE
