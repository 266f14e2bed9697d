"""The codecs there are: a table of names, each imported on first use.

A codec of your own joins with `register`; everything that walks the table (the command line, the
presets, the conformance tests) then knows it too. `examples/add_your_own_codec.py` is one page.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from codecfx.codecs.base import Codec
from codecfx.errors import UnknownName

# name -> (module, class); nothing here is imported before somebody asks for it. The classic ones are
# in a table of their own.
_BUILT_IN = {
    "pcm": ("codecfx.codecs.pcm", "PCM"),
    "opus": ("codecfx.codecs.opus", "Opus"),
    "encodec": ("codecfx.codecs.encodec.encodec", "EnCodec"),
    "encodec48": ("codecfx.codecs.encodec.encodec48", "EnCodec48"),
    "lyra": ("codecfx.codecs.lyra.lyra", "Lyra"),
    "soundstream": ("codecfx.codecs.lyra.lyra", "SoundStream"),
}
_FAMILY = "codecfx.codecs.family"
# What else an effect may be called
_OTHERS = ("chain", "mix", "split", "midside", "generations", "plugin")
_registered: dict[str, type[Codec]] = {}


def names() -> Iterator[str]:
    """Every codec's name, in the order of the tables."""
    _load_installed()
    yield from _BUILT_IN
    yield from _family()
    yield from _registered


def has(name: str) -> bool:
    """Whether there is a codec called `name`. Looks among installed packages only where it must."""
    return name in _BUILT_IN or name in _registered or name in names()


def _family() -> Mapping[str, type[Codec]]:
    table: Mapping[str, type[Codec]] = import_module(_FAMILY).CODECS
    return table


def titles() -> dict[str, str]:
    """Every codec's title, which is its effect's class name, and its name."""
    _load_installed()
    others = {codec.title: name for name, codec in [*_family().items(), *_registered.items()]}
    return {title: name for name, (_, title) in _BUILT_IN.items()} | others


@cache
def _load_installed() -> None:
    """Codecs of installed packages: entry points of the group `codecfx.codecs`, name to class."""
    from importlib.metadata import entry_points

    for point in entry_points(group="codecfx.codecs"):
        if point.name not in _registered:
            register(point.load())


def find(name: str) -> type[Codec]:
    """The codec class called `name`.

    Raises:
        UnknownName: nobody has it; says the nearest.
    """
    if not has(name):
        raise UnknownName("codec", name, names())
    if name in _registered:
        return _registered[name]
    if name not in _BUILT_IN:
        return _family()[name]
    module, class_name = _BUILT_IN[name]
    codec: type[Codec] = getattr(import_module(module), class_name)
    return codec


def register(codec: type[Codec]) -> type[Codec]:
    """Make a codec of your own known under its `name`. Usable as a decorator.

    A package does so for the command line too, with an entry point of the group `codecfx.codecs`.

    Raises:
        ValueError: the name is taken, or has upper-case letters.
    """
    taken = (*_BUILT_IN, *_family(), *_registered, *_OTHERS)
    if codec.name in taken:
        raise ValueError(f"there is a codec '{codec.name}' already; choose another name")
    if codec.name != codec.name.lower():
        raise ValueError(f"a codec's name is lower case; call it '{codec.name.lower()}'")
    _registered[codec.name] = codec
    return codec
