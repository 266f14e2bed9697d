"""Learning: which control somebody moves, guessed from the messages that come.

>>> turned = [(t / 50, bytes([0xB0, 21, 60 + t])) for t in range(20)]
>>> guess(turned)
Heard(source=Source(kind='cc', number=21, channel=1, name=''), mode='absolute', relative='', hint='')
>>> clicks = [(t / 10, bytes([0xB0, 16, value])) for t, value in enumerate([1, 1, 2, 1, 127, 127])]
>>> heard = guess(clicks)
>>> heard.mode, heard.relative
('relative', 'twos-complement')
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from codecfx.control.messages import Controller, Status, is_message
from codecfx.control.sources import Source

Message: TypeAlias = tuple[float, bytes]
"""When it came, in seconds, and a channel message."""

REST_SECONDS = 0.6  # nothing for so long: the gesture is over
_LONGEST_SECONDS = 4.0  # what never rests (a breath, a worn potentiometer) is judged then
_TOGETHER_SECONDS = 0.03  # the two halves of 14 bits
_TURNED = 3  # messages of a knob that was turned, not touched
_MODES_FROM = 120  # controllers from here on are channel mode messages
# What the selected NRPN or RPN is set by
_DATA = (Controller.DATA_MSB, Controller.DATA_LSB, Controller.INCREMENT, Controller.DECREMENT)
_SELECTING = (Controller.NRPN_LSB, Controller.NRPN_MSB, Controller.RPN_LSB, Controller.RPN_MSB)
_SWITCH = {0, 127}
# By encoding: one detent up, one down, and what else quick turns give. Where 65s alone come, up in one
# and down in another, the first is meant: knobs are tried upwards first
_ENCODINGS = {
    "offset": (65, 63, {*range(65, 81), *range(48, 64)}),
    "twos-complement": (1, 127, {*range(1, 17), *range(112, 128)}),
    "signed-bit": (1, 65, {*range(1, 17), *range(65, 81)}),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A control, as a map names it: its source, its `mode`, and of an encoder its `relative` encoding.
    `hint` says what would make the guess surer, "" for nothing.
    """

    source: Source
    mode: str = "absolute"
    relative: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """In words: "cc 21 on channel 1, an encoder (twos-complement)"."""
        words = f"{self.source} on channel {self.source.channel}"
        if self.mode == "relative":
            return f"{words}, an encoder ({self.relative})"
        return f"{words}, a button" if self.mode == "toggle" else words


def is_over(messages: Sequence[Message], now: float) -> bool:
    """Whether somebody has moved a control and let it rest, so that `guess` may be asked."""
    if not messages:
        return False
    return now - messages[-1][0] >= REST_SECONDS or now - messages[0][0] >= _LONGEST_SECONDS


def guess(messages: Sequence[Message]) -> Heard | None:
    """The control that `messages` come from; None where they are of none. Of several, the one that was
    turned; a pad that is pressed counts more than the pressure on it, a fader more than its touch.
    """
    messages = [(when, message) for when, message in messages if is_message(message)]
    turned = [*_numbered(messages), *_controllers(messages), *_bends(messages)]
    turned.sort(key=lambda one: -one[0])
    if turned and turned[0][0] >= _TURNED:
        return turned[0][1]
    others = [heard for _, heard in turned]
    return next(iter([*_keys(messages), *others, *_programs(messages), *_pressures(messages)]), None)


# Each of these gives what it finds, with how many messages said so


def _numbered(messages: Sequence[Message]) -> Iterator[tuple[int, Heard]]:
    """NRPNs."""
    selected: dict[int, list[int]] = {}
    found: Counter[Source] = Counter()
    for _, message in messages:
        if message[0] & 0xF0 != Status.CC:
            continue
        channel, controller, value = (message[0] & 15) + 1, message[1], message[2]
        number = selected.setdefault(channel, [-1, -1])
        if controller in (Controller.NRPN_MSB, Controller.NRPN_LSB):
            number[controller == Controller.NRPN_LSB] = value
        elif controller in _SELECTING:
            number[:] = -1, -1
        elif controller in _DATA and min(number) >= 0:
            found[Source("nrpn", number[0] << 7 | number[1], channel)] += 1
    for source, count in found.items():
        yield count + _TURNED, Heard(source)  # to send one takes a knob: nobody presses a key for it


def _controllers(messages: Sequence[Message]) -> Iterator[tuple[int, Heard]]:
    """Controllers of 7 bits, or 14, that are no part of an NRPN."""
    by_number: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for when, message in messages:
        if message[0] & 0xF0 == Status.CC and message[1] < _MODES_FROM:
            at = (message[0] & 15) + 1, message[1]
            by_number.setdefault(at, []).append((when, message[2]))
    for channel, number in list(by_number):
        if number in _SELECTING:
            continue
        if number in _DATA and {(channel, one) for one in _SELECTING} & by_number.keys():
            continue
        heard = by_number[channel, number]
        fine = by_number.get((channel, number + 32), []) if number < 32 else []
        if number >= 32 and _are_one(by_number.get((channel, number - 32), []), heard):
            continue
        if _are_one(heard, fine):
            yield len(heard) + len(fine), Heard(Source("cc14", number, channel))
        else:
            yield len(heard), _controller(Source("cc", number, channel), [value for _, value in heard])


def _are_one(coarse: Sequence[tuple[float, int]], fine: Sequence[tuple[float, int]]) -> bool:
    """Whether these are the halves of 14 bits: most coarse ones come with a fine one."""
    times = [when for when, _ in fine]
    paired = sum(any(abs(when - other) <= _TOGETHER_SECONDS for other in times) for when, _ in coarse)
    return paired > 0 and paired >= 0.75 * len(coarse) and len(fine) >= 0.75 * len(coarse)


def _controller(source: Source, values: Sequence[int]) -> Heard:
    """What sends these values: a knob, an encoder, or a button."""
    if set(values) <= _SWITCH and (len(values) < _TURNED or 0 in values):
        if set(values) == _SWITCH:
            return Heard(source, "toggle")
        return Heard(source, "absolute", hint="press it again")
    encoding = _encoding(values)
    if not encoding:
        return Heard(source)
    up, down, _ = _ENCODINGS[encoding]
    hint = "" if {up, down} <= set(values) else "turn it both ways, slowly"
    return Heard(source, "relative", encoding, hint)


def _encoding(values: Sequence[int]) -> str:
    """The encoding of a relative encoder, "" for a knob. An encoder that is turned slowly says one
    detent again and again; a knob's values change.
    """
    if len(values) < _TURNED or not any(one == other for one, other in pairwise(values)):
        return ""
    found, both_ways = "", 0
    for name, (up, down, all_) in _ENCODINGS.items():
        detents = sum(value in (up, down) for value in values)
        ways = len({up, down} & set(values))
        if set(values) <= all_ and detents * 2 >= len(values) and ways > both_ways:
            found, both_ways = name, ways
    return found


def _bends(messages: Sequence[Message]) -> Iterator[tuple[int, Heard]]:
    counts = Counter(
        (message[0] & 15) + 1 for _, message in messages if message[0] & 0xF0 == Status.PITCH
    )
    for channel, count in counts.items():
        yield count, Heard(Source("pitch", channel=channel))


def _keys(messages: Sequence[Message]) -> Iterator[Heard]:
    """Keys and pads, as buttons: the one pressed first."""
    for _, message in messages:
        if message[0] & 0xF0 == Status.NOTE_ON and message[2]:
            yield Heard(Source("gate", message[1], (message[0] & 15) + 1), "toggle")


def _programs(messages: Sequence[Message]) -> Iterator[Heard]:
    for _, message in messages:
        if message[0] & 0xF0 == Status.PROGRAM:
            yield Heard(Source("program", message[1], (message[0] & 15) + 1), "toggle")


def _pressures(messages: Sequence[Message]) -> Iterator[Heard]:
    for _, message in messages:
        if message[0] & 0xF0 == Status.PRESSURE:
            yield Heard(Source("pressure", channel=(message[0] & 15) + 1))
        elif message[0] & 0xF0 == Status.POLY:
            yield Heard(Source("poly", message[1], (message[0] & 15) + 1))
