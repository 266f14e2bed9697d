"""Sources: which MIDI messages move something, and what they say, as a position from 0 to 1.

>>> source = Source.of("cc 21", channel=1)
>>> Reader(source).read(bytes([0xB0, 21, 127]))
1.0
>>> source.messages(0.5)
(b'\\xb0\\x15@',)
>>> Source.of("cc 200")
Traceback (most recent call last):
...
codecfx.errors.ConfigurationError: 'cc 200' is no source; write 'cc' and a number from 0 to 127
"""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from codecfx.errors import ConfigurationError, UnknownName

# The highest number that a kind takes, and the kinds that are whole without one
_HIGHEST = {"cc": 127, "cc14": 31, "nrpn": 16383}
_HIGHEST |= dict.fromkeys(("poly", "velocity", "gate", "program"), 127)
_ALONE = ("pitch", "pressure", "velocity", "gate")
_MODULATOR = "modulator"
KINDS = tuple(dict.fromkeys((*_HIGHEST, *_ALONE, _MODULATOR)))


class _Status(IntEnum):
    NOTE_OFF = 0x80
    NOTE_ON = 0x90
    POLY = 0xA0
    CC = 0xB0
    PROGRAM = 0xC0
    PRESSURE = 0xD0
    PITCH = 0xE0


class _Controller(IntEnum):
    """Those with a meaning of their own (MIDI 1.0 Detailed Specification, table III)."""

    DATA_MSB = 6
    DATA_LSB = 38
    INCREMENT = 96
    DECREMENT = 97
    NRPN_LSB = 98
    NRPN_MSB = 99
    RPN_LSB = 100
    RPN_MSB = 101


_SILENCING = {120, 123, 124, 125, 126, 127}  # all sound off, all notes off, and what implies it
_SHORT = {_Status.PROGRAM, _Status.PRESSURE}  # two bytes; all others have three


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
                return status == _Status.CC and number == self.number
            case "cc14":
                return status == _Status.CC and number % 32 == self.number and number < 64
            case "nrpn":
                return status == _Status.CC
            case "gate":
                return status in (_Status.NOTE_OFF, _Status.NOTE_ON, _Status.CC)
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
                sent = [(_Status.CC, number, round(position * 127))]
            case "cc14":
                sent = [(_Status.CC, number, msb), (_Status.CC, number + 32, lsb)]
            case "nrpn":
                told = (
                    (_Controller.NRPN_MSB, number >> 7),
                    (_Controller.NRPN_LSB, number & 127),
                    (_Controller.DATA_MSB, msb),
                    (_Controller.DATA_LSB, lsb),
                )
                sent = [(_Status.CC, controller, value) for controller, value in told]
            case "pitch":
                bend = round((position - 0.5) * (16384 if position < 0.5 else 16382)) + 8192
                sent = [(_Status.PITCH, bend & 127, bend >> 7)]
            case "gate" | "velocity" if self.number is not None:
                sent = [(_Status.NOTE_ON, number, 127 if position >= 0.5 else 0)]
            case _:
                sent = []
        return tuple(bytes((status | channel, one, two)) for status, one, two in sent)


def _written(kind: str) -> str:
    """How a source of `kind` is written: "'gate' alone, or 'gate' and a number from 0 to 127"."""
    ways = [f"'{kind}' alone"] * (kind in _ALONE)
    ways += [f"'{kind}' and a number from 0 to {_HIGHEST[kind]}"] if kind in _HIGHEST else []
    return ", or ".join(ways) or f"'{kind}' and its name"


@dataclass(slots=True)
class _Fine:
    """One channel's 14 bits: the selected NRPN, the coarse half, and where both halves stand."""

    number_msb: int = -1  # with a -1 in it, no number comes of the two
    number_lsb: int = -1
    msb: int | None = None
    position: float = 0.0
    step: float = 1 / 127  # of an increment: what the sender can say, 1/16383 once it sent an LSB

    @property
    def selected(self) -> int:
        return self.number_msb << 7 | self.number_lsb

    def coarse(self, value: int) -> float:
        """A coarse half alone reads as if the fine one had its bits: 127 is all the way."""
        self.msb, self.position = value, value / 127
        return self.position

    def fine(self, value: int) -> float | None:
        """A fine half belongs to the last coarse one, and says nothing before there is one."""
        if self.msb is None:
            return None
        self.step, self.position = 1 / 16383, (self.msb << 7 | value) / 16383
        return self.position

    def moved(self, steps: int, at: float | None) -> float:
        """An increment or decrement, from `at`, or else from where it stands."""
        start = self.position if at is None else at
        self.position = min(1.0, max(0.0, start + steps * self.step))
        self.msb = round(self.position * 16383) >> 7
        return self.position


_STATUS_OF = {
    "pitch": _Status.PITCH,
    "pressure": _Status.PRESSURE,
    "poly": _Status.POLY,
    "velocity": _Status.NOTE_ON,
    "program": _Status.PROGRAM,
}


def is_message(message: object) -> bool:
    """Whether these are the bytes of one channel message, status byte first."""
    if not isinstance(message, bytes) or not message or not 0x80 <= message[0] < 0xF0:
        return False
    return len(message) == (2 if message[0] & 0xF0 in _SHORT else 3) and max(message[1:]) <= 127


@dataclass(slots=True)
class Reader:
    """Reads one source's positions out of the messages of a port, in order. Not thread-safe.

    What takes several messages to say is remembered for each channel, so that a source on all channels
    is not confused by two that send at once.
    """

    source: Source
    _held: set[tuple[int, int]] = field(default_factory=set)  # (channel, key)
    _fine: dict[int, _Fine] = field(default_factory=dict)

    def reset(self) -> None:
        """As new: nothing selected, no note held."""
        self._held.clear()
        self._fine.clear()

    def read(self, message: bytes, at: float | None = None) -> float | None:
        """The position, 0 to 1, that `message` gives the source; None where it says nothing of it.

        `at` is where the controlled value stands: there an NRPN's increments begin. Without it they
        begin where the NRPN's last message left it, or at 0.
        """
        if not self._concerns(message):
            return None
        status, channel, one, last = message[0] & 0xF0, message[0] & 15, message[1], message[-1]
        number = self.source.number
        match self.source.kind, status:
            case ("cc", _Status.CC) | ("poly", _Status.POLY) if one == number:
                return last / 127
            case "cc14", _Status.CC if number is not None and one in (number, number + 32):
                fine = self._fine.setdefault(channel, _Fine())
                return fine.coarse(last) if one == number else fine.fine(last)
            case "nrpn", _Status.CC:
                return self._nrpn(self._fine.setdefault(channel, _Fine()), one, last, at)
            case "pitch", _Status.PITCH:
                bend = (last << 7 | one) - 8192
                return 0.5 + bend / (16384 if bend < 0 else 16382)  # -8192 to 8191: 0 is the centre
            case "pressure", _Status.PRESSURE:
                return last / 127
            case "velocity", _Status.NOTE_ON if last and number in (None, one):
                return last / 127
            case "gate", _Status.NOTE_OFF | _Status.NOTE_ON | _Status.CC:
                return self._gate(status, channel, one, last)
            case "program", _Status.PROGRAM if one == number:
                return 1.0
        return None

    def read_raw(self, message: bytes) -> int | None:
        """The seven bits of a controller as they are, for relative encoders; None for other sources."""
        if self.source.kind == "cc" and self.read(message) is not None:
            return message[2]
        return None

    def _concerns(self, message: bytes) -> bool:
        """Whether it is a well-formed channel message, on the source's channel."""
        return is_message(message) and self.source.channel in (None, (message[0] & 15) + 1)

    def _nrpn(self, fine: _Fine, controller: int, value: int, at: float | None) -> float | None:
        match controller:
            case _Controller.NRPN_MSB:
                fine.number_msb = value
            case _Controller.NRPN_LSB:
                fine.number_lsb = value
            case _Controller.RPN_MSB | _Controller.RPN_LSB:  # data is a registered parameter's now
                fine.number_msb = fine.number_lsb = -1
            case _ if fine.selected != self.source.number:
                pass
            case _Controller.DATA_MSB:
                return fine.coarse(value)
            case _Controller.DATA_LSB:
                return fine.fine(value)
            case _Controller.INCREMENT:
                return fine.moved(1, at)
            case _Controller.DECREMENT:
                return fine.moved(-1, at)
        return None

    def _gate(self, status: int, channel: int, one: int, last: int) -> float | None:
        if status == _Status.CC:
            if one not in _SILENCING:
                return None
            self._held = {held for held in self._held if held[0] != channel}
        elif self.source.number not in (None, one):
            return None
        elif status == _Status.NOTE_ON and last:
            self._held.add((channel, one))
        else:
            self._held.discard((channel, one))
        return 1.0 if self._held else 0.0
