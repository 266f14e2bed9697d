"""Sources: which MIDI messages move something.

>>> source = Source.of("cc 21", channel=1)
>>> source.messages(0.5)
(b'\\xb0\\x15@',)
>>> Source.of("cc 200")
Traceback (most recent call last):
...
codecfx.errors.ConfigurationError: 'cc 200' is no source; write 'cc' and a number from 0 to 127
"""

import re
from dataclasses import dataclass
from typing import Self

from codecfx.control.messages import Controller, Status
from codecfx.errors import ConfigurationError, UnknownName

# The highest number that a kind takes, and the kinds that are whole without one
_HIGHEST = {"cc": 127, "cc14": 31, "nrpn": 16383}
_HIGHEST |= dict.fromkeys(("poly", "velocity", "gate", "program"), 127)
_ALONE = ("pitch", "pressure", "velocity", "gate")
_MODULATOR = "modulator"
KINDS = tuple(dict.fromkeys((*_HIGHEST, *_ALONE, _MODULATOR)))


_STATUS_OF = {
    "pitch": Status.PITCH,
    "pressure": Status.PRESSURE,
    "poly": Status.POLY,
    "velocity": Status.NOTE_ON,
    "program": Status.PROGRAM,
}


def channel_of(written: object) -> int | None:
    """A channel as a file has it: 1 to 16, or "omni" for all, which is None.

    Raises:
        ConfigurationError: anything else.
    """
    text = written.strip().lower() if isinstance(written, str) else written
    if text == "omni":
        return None
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,2}", text):
        text = int(text)
    if isinstance(text, int) and not isinstance(text, bool) and 1 <= text <= 16:
        return text
    raise ConfigurationError(f"{written!r} is no channel; it takes 1 to 16 or 'omni'")


@dataclass(frozen=True, slots=True)
class Source:
    """What a value follows: `kind` (one of `KINDS`) with its controller, key or program.

    `channel` is 1 to 16, None for all. `name` is a modulator's.
    """

    kind: str
    number: int | None = None
    channel: int | None = None
    name: str = ""

    @classmethod
    def of(cls, text: object, channel: object = "omni") -> Self:
        """A source as a file has it: "cc 21", "cc14 1", "nrpn 300", "pitch", "pressure", "poly 60",
        "velocity", "velocity 36", "gate", "gate 36", "program 5" or "modulator NAME".

        Raises:
            UnknownName: no such kind; says the nearest.
            ConfigurationError: a number that the kind does not take, or no channel.
        """
        at = channel_of(channel)
        if not isinstance(text, str) or not text.split():
            raise ConfigurationError(f"{text!r} is no source; write one as in 'cc 21' or 'pitch'")
        kind, *words = text.split()
        kind, rest = kind.lower(), " ".join(words)
        if kind == _MODULATOR and rest:
            return cls(kind, name=rest, channel=at)
        if kind in _ALONE and not rest:
            return cls(kind, channel=at)
        if kind in _HIGHEST and re.fullmatch(r"[0-9]{1,5}", rest) and int(rest) <= _HIGHEST[kind]:
            return cls(kind, int(rest), at)
        if kind in KINDS:
            raise ConfigurationError(f"{text!r} is no source; write {_written(kind)}")
        word, number = kind.rstrip("0123456789"), kind.lstrip("abcdefghijklmnopqrstuvwxyz")
        if word in _HIGHEST and not rest:
            raise ConfigurationError(f"{text!r} is no source; write '{word} {number}', with a space")
        raise UnknownName("source", kind, KINDS)

    def __str__(self) -> str:
        """The text it is read from; the channel stands beside it."""
        number = "" if self.number is None else str(self.number)
        return " ".join(word for word in (self.kind, number, self.name) if word)

    def hears(self, message: bytes) -> bool:
        """Whether a well-formed message of such a kind may say anything of it, on some channel."""
        status, number = message[0] & 0xF0, message[1]
        match self.kind:
            case "cc":
                return status == Status.CC and number == self.number
            case "cc14":
                return status == Status.CC and number % 32 == self.number and number < 64
            case "nrpn":
                return status == Status.CC
            case "gate":
                return status in (Status.NOTE_OFF, Status.NOTE_ON, Status.CC)
        return status == _STATUS_OF.get(self.kind)

    def messages(self, position: float) -> tuple[bytes, ...]:
        """What a controller sends at a position, 0 to 1; on channel 1 where the source is on all.

        A gate or velocity is a lit or dark key: its note, on with velocity 127 or 0. Nothing for those
        of any key, and for what no controller shows: pressure, poly, program, modulators.
        """
        channel, number = (self.channel or 1) - 1, self.number or 0
        position = min(1.0, max(0.0, position))
        msb, lsb = divmod(round(position * 16383), 128)
        match self.kind:
            case "cc":
                sent = [(Status.CC, number, round(position * 127))]
            case "cc14":
                sent = [(Status.CC, number, msb), (Status.CC, number + 32, lsb)]
            case "nrpn":
                told = (
                    (Controller.NRPN_MSB, number >> 7),
                    (Controller.NRPN_LSB, number & 127),
                    (Controller.DATA_MSB, msb),
                    (Controller.DATA_LSB, lsb),
                )
                sent = [(Status.CC, controller, value) for controller, value in told]
            case "pitch":
                bend = round((position - 0.5) * (16384 if position < 0.5 else 16382)) + 8192
                sent = [(Status.PITCH, bend & 127, bend >> 7)]
            case "gate" | "velocity" if self.number is not None:
                sent = [(Status.NOTE_ON, number, 127 if position >= 0.5 else 0)]
            case _:
                sent = []
        return tuple(bytes((status | channel, one, two)) for status, one, two in sent)


def _written(kind: str) -> str:
    """How a source of `kind` is written: "'gate' alone, or 'gate' and a number from 0 to 127"."""
    ways = [f"'{kind}' alone"] * (kind in _ALONE)
    ways += [f"'{kind}' and a number from 0 to {_HIGHEST[kind]}"] if kind in _HIGHEST else []
    return ", or ".join(ways) or f"'{kind}' and its name"
