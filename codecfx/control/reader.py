"""Readers: what messages say of a source, as a position from 0 to 1.

>>> reader = Reader(Source.of("cc14 1"))
>>> [reader.read(bytes(message)) for message in ([0xB0, 1, 127], [0xB0, 33, 0], [0xB0, 7, 5])]
[1.0, 0.9922480620155039, None]
"""

from dataclasses import dataclass, field

from codecfx.control.messages import SILENCING, Controller, Status, is_message
from codecfx.control.sources import Source


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
            case ("cc", Status.CC) | ("poly", Status.POLY) if one == number:
                return last / 127
            case "cc14", Status.CC if number is not None and one in (number, number + 32):
                fine = self._fine.setdefault(channel, _Fine())
                return fine.coarse(last) if one == number else fine.fine(last)
            case "nrpn", Status.CC:
                return self._nrpn(self._fine.setdefault(channel, _Fine()), one, last, at)
            case "pitch", Status.PITCH:
                bend = (last << 7 | one) - 8192
                return 0.5 + bend / (16384 if bend < 0 else 16382)  # -8192 to 8191: 0 is the centre
            case "pressure", Status.PRESSURE:
                return last / 127
            case "velocity", Status.NOTE_ON if last and number in (None, one):
                return last / 127
            case "gate", Status.NOTE_OFF | Status.NOTE_ON | Status.CC:
                return self._gate(status, channel, one, last)
            case "program", Status.PROGRAM if one == number:
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
            case Controller.NRPN_MSB:
                fine.number_msb = value
            case Controller.NRPN_LSB:
                fine.number_lsb = value
            case Controller.RPN_MSB | Controller.RPN_LSB:  # data is a registered parameter's now
                fine.number_msb = fine.number_lsb = -1
            case _ if fine.selected != self.source.number:
                pass
            case Controller.DATA_MSB:
                return fine.coarse(value)
            case Controller.DATA_LSB:
                return fine.fine(value)
            case Controller.INCREMENT:
                return fine.moved(1, at)
            case Controller.DECREMENT:
                return fine.moved(-1, at)
        return None

    def _gate(self, status: int, channel: int, one: int, last: int) -> float | None:
        if status == Status.CC:
            if one not in SILENCING:
                return None
            self._held = {held for held in self._held if held[0] != channel}
        elif self.source.number not in (None, one):
            return None
        elif status == Status.NOTE_ON and last:
            self._held.add((channel, one))
        else:
            self._held.discard((channel, one))
        return 1.0 if self._held else 0.0
