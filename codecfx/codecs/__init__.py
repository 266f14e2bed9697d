"""The codecs there are: a table of names, each imported on first use.

A codec of your own joins with `register`; everything that walks the table (the command line, the
presets, the conformance tests) then knows it too. `examples/add_your_own_codec.py` is one page.
"""

from collections.abc import Iterator
from importlib import import_module

from codecfx.codecs.base import Codec
from codecfx.errors import UnknownName

# name -> (module, class); nothing here is imported before somebody asks for it
_BUILT_IN = {
    "pcm": ("codecfx.codecs.pcm", "PCM"),
    "opus": ("codecfx.codecs.opus", "Opus"),
}
_registered: dict[str, type[Codec]] = {}


def names() -> Iterator[str]:
    """Every codec's name, in the order of the tables."""
    yield from _BUILT_IN
    yield from _registered


def find(name: str) -> type[Codec]:
    """The codec class called `name`.

    Raises:
        UnknownName: nobody has it; says the nearest.
    """
    if name in _registered:
        return _registered[name]
    if name not in _BUILT_IN:
        raise UnknownName("codec", name, names())
    module, class_name = _BUILT_IN[name]
    codec: type[Codec] = getattr(import_module(module), class_name)
    return codec


def register(codec: type[Codec]) -> type[Codec]:
    """Make a codec of your own known under its `name`. Usable as a decorator.

    Raises:
        ValueError: the name is taken.
    """
    if codec.name in names():
        raise ValueError(f"there is a codec '{codec.name}' already; choose another name")
    _registered[codec.name] = codec
    return codec
