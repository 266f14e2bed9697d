"""MIDI in words: messages, values, ports."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecfx.control.parameters import Parameter, Value

_PORT_LETTERS = 16


def in_words(message: bytes) -> str:
    """A channel message in words.

    >>> in_words(bytes([0xB0, 21, 64])), in_words(bytes([0x99, 36, 100]))
    ('ch 1 cc 21 = 64', 'ch 10 note 36 on 100')
    >>> in_words(bytes([0xE0, 0, 80]))
    'ch 1 pitch +2048'
    """
    from codecfx.control.messages import Status

    one, last = message[1], message[-1]
    match message[0] & 0xF0:
        case Status.NOTE_ON if last:
            what = f"note {one} on {last}"
        case Status.NOTE_ON | Status.NOTE_OFF:
            what = f"note {one} off"
        case Status.POLY:
            what = f"poly {one} = {last}"
        case Status.CC:
            what = f"cc {one} = {last}"
        case Status.PROGRAM:
            what = f"program {one}"
        case Status.PRESSURE:
            what = f"pressure = {last}"
        case _:
            what = f"pitch {(last << 7 | one) - 8192:+d}"
    return f"ch {(message[0] & 15) + 1} {what}"


def value_in_words(parameter: "Parameter", value: "Value") -> str:
    """A parameter's value and unit: "24 kbps", "on"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value
    digits = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{digits} {parameter.unit}".rstrip()


def short(port: str) -> str:
    """A port's name in at most 16 letters: the part after the client's name.

    >>> short("Launchkey Mini MK3:Launchkey Mini MK3 MIDI 1 20:0")
    'Launchkey Mini …'
    """
    name = port.partition(":")[2] or port
    return name if len(name) <= _PORT_LETTERS else f"{name[: _PORT_LETTERS - 1]}…"
