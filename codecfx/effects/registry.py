"""Every effect by name: the codecs, pedalboard's built-ins, and the containers."""

from typing import Any

from codecfx import codecs
from codecfx.effects import codec_effect
from codecfx.effects.base import Effect
from codecfx.effects.board import Chain, Container, Mix
from codecfx.effects.generations import Generations
from codecfx.effects.mid_side import MidSide
from codecfx.effects.split import Split
from codecfx.errors import ConfigurationError, UnknownName

CONTAINERS: dict[str, type[Container]] = {
    one.name: one for one in (Chain, Mix, Split, MidSide, Generations)
}


def rebuilt(name: str, label: str, values: dict[str, Any]) -> Effect:
    """An effect by its name with its label and values, as copies and pickles are made."""
    return find(name)(label=label, **values)


def codec_names() -> list[str]:
    """Our codecs, as presets and the command line call them."""
    return list(codecs.names())


def native_names() -> list[str]:
    """pedalboard's built-in effects, by pedalboard's names. Loads pedalboard."""
    from codecfx.effects import native_effect

    return native_effect.names()


def find(name: str) -> type[Effect]:
    """The effect class called `name`; upper and lower case do not matter. Raises UnknownName."""
    lower = name.lower()
    if lower in CONTAINERS:
        return CONTAINERS[lower]
    if codecs.has(lower):
        return codec_effect.find(lower)
    if lower == "plugin":
        raise ConfigurationError(
            "a plugin is a VST3 or AU file: -e plugin:path=FILE, or codecfx.plugin(path) in Python"
        )
    from codecfx.effects import native_effect

    if lower in (known.lower() for known in native_effect.names()):
        return native_effect.find(name)
    known_names = [*codecs.names(), *CONTAINERS, *native_effect.names(), "plugin"]
    raise UnknownName("effect", name, known_names)
