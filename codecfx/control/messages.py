"""MIDI's channel messages, as bytes (MIDI 1.0 Detailed Specification)."""

from enum import IntEnum


class Status(IntEnum):
    NOTE_OFF = 0x80
    NOTE_ON = 0x90
    POLY = 0xA0
    CC = 0xB0
    PROGRAM = 0xC0
    PRESSURE = 0xD0
    PITCH = 0xE0


class Controller(IntEnum):
    """Those with a meaning of their own (MIDI 1.0 Detailed Specification, table III)."""

    DATA_MSB = 6
    DATA_LSB = 38
    INCREMENT = 96
    DECREMENT = 97
    NRPN_LSB = 98
    NRPN_MSB = 99
    RPN_LSB = 100
    RPN_MSB = 101


SILENCING = {120, 123, 124, 125, 126, 127}  # all sound off, all notes off, and what implies it
SHORT = {Status.PROGRAM, Status.PRESSURE}  # two bytes; all others have three


# by status byte; 0 for what begins no channel message
_LENGTHS = tuple(
    0 if not 0x80 <= status < 0xF0 else 2 if status & 0xF0 in SHORT else 3 for status in range(256)
)


def is_message(message: object) -> bool:
    """Whether these are the bytes of one channel message, status byte first."""
    if not isinstance(message, bytes) or not message or len(message) != _LENGTHS[message[0]]:
        return False
    return message[1] | message[-1] < 0x80
