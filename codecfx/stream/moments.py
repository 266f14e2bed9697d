"""Moments: which packet is heard when. The last ones frozen into a loop at the press of a pad, or heard
slowly, backwards, or behind the others.

What is heard instead of the packet of now was sent before: latency stays as it is. Where the next
packet does not follow the last one, sound goes over from the one to the other (`concealment`).
"""

from collections import deque
from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from codecfx.codecs.base import Packet
from codecfx.control.parameters import Curve, Value
from codecfx.stream.chance import Chance, Purpose
from codecfx.stream.plan import of_packets, shares_of

GROUP = "moments"
ABOUT = "Which packet is heard when: frozen, slow, backwards"
REMEMBERED_PACKETS, _REMEMBERED_MS = 1024, 10_000  # whichever is more
_MOST_BEHIND = 256
_parameter, _share = of_packets(GROUP), shares_of(GROUP)

PARAMETERS = (
    _parameter("freeze", "Freeze", False, description="The last packets again and again: for a pad"),
    _parameter(
        "freeze_packets",
        "Freeze length",
        8,
        minimum=1,
        maximum=REMEMBERED_PACKETS - 1,
        unit="packets",
        curve=Curve.EXPONENTIAL,
        description="Of the loop",
    ),
    _parameter(
        "freeze_beats",
        "Freeze length in beats",
        0.0,
        minimum=0.0,
        maximum=16.0,
        unit="beats",
        description="Instead of packets, at tempo_bpm, 10 s at most; 0: not in beats",
    ),
    _share("scatter", "Scatter", "Share of the loop's packets that come from anywhere in it"),
    _parameter(
        "slow",
        "Slower",
        1.0,
        minimum=1.0,
        maximum=8.0,
        unit="times",
        curve=Curve.EXPONENTIAL,
        description="Each packet so often, as far as a window goes, or a frozen loop",
    ),
    _parameter(
        "reverse", "Reverse", False, description="The packets of every window backwards, or of the loop"
    ),
    _parameter(
        "window_packets",
        "Window",
        16,
        minimum=2,
        maximum=REMEMBERED_PACKETS // 4,
        unit="packets",
        curve=Curve.EXPONENTIAL,
        description="Of slower and reverse; with the next one they have caught up",
    ),
    _share("behind", "Behind", "Share of packets in whose place an earlier one comes, with its seams"),
    _parameter(
        "behind_packets",
        "How far behind",
        4,
        minimum=1,
        maximum=_MOST_BEHIND,
        unit="packets",
        curve=Curve.EXPONENTIAL,
        description="Those packets are so old at most",
    ),
)


class Moment(NamedTuple):
    """A packet that is heard, and how loud sound was about it; a seam does not follow the last one."""

    packet: Packet
    peak: float
    is_seam: bool = False


class Moments:
    """Chooses, packet by packet."""

    def __init__(self, values: Mapping[str, Value], chance: Chance, packet_ms: float) -> None:
        self._values, self._chance, self._packet_ms = values, chance, packet_ms
        self.reset()

    def reset(self) -> None:
        """From the first packet again."""
        # those sent lately, with their peaks, the newest last
        kept = max(REMEMBERED_PACKETS, ceil(_REMEMBERED_MS / self._packet_ms))
        self.sent: deque[tuple[Packet, float]] = deque(maxlen=kept)
        self._held: list[tuple[Packet, float]] | None = None  # those that are frozen
        self._frozen_at = self._since = 0  # packets
        self._last: int | None = None  # the packet that was heard last; None for that before now
        self._is_windowed = False

    @property
    def is_on(self) -> bool:
        values = self._values
        return bool(
            values["freeze"] or values["reverse"] or float(values["slow"]) > 1 or values["behind"]
        )

    def rest(self) -> None:
        """All packets are heard as they are sent."""
        self._held, self._last, self._is_windowed = None, None, False

    def at(self, number: int) -> Moment:
        """What is heard when packet `number` is sent, the newest of `sent`."""
        values = self._values
        if values["freeze"]:
            index, (packet, peak) = self._frozen(number)
        else:
            self._held = None
            age = self._age(number)
            if age >= len(self.sent):  # at the stream's beginning
                age = 0
            index, (packet, peak) = number - age, self.sent[-1 - age]
        last = number - 1 if self._last is None else self._last
        self._last = index
        is_seam = index != last + 1
        behind = float(values["behind"])
        if behind and (luck := self._chance.at(number, Purpose.BEHIND)) < behind and index == number:
            age = 1 + int(luck / behind * int(values["behind_packets"]))
            packet, peak = self.sent[-1 - min(age, len(self.sent) - 1)]
        return Moment(packet, peak, is_seam)

    def _frozen(self, number: int) -> tuple[int, tuple[Packet, float]]:
        if self._held is None:
            self._frozen_at = number
            self._held = list(self.sent)[:-1] or list(self.sent)
        length = min(self._loop_packets(), len(self._held))
        place = int((number - self._frozen_at) / float(self._values["slow"])) % length
        if self._values["reverse"]:
            place = length - 1 - place
        scatter = float(self._values["scatter"])
        if scatter and (luck := self._chance.at(number, Purpose.SCATTER)) < scatter:
            place = int(luck / scatter * length)
        return self._frozen_at - length + place, self._held[place - length]

    def _loop_packets(self) -> int:
        beats = float(self._values["freeze_beats"])
        if not beats:
            return int(self._values["freeze_packets"])
        return max(1, round(beats * 60_000 / float(self._values["tempo_bpm"]) / self._packet_ms))

    def _age(self, number: int) -> int:
        """How many packets ago that was sent which is heard now: 0 for now."""
        slow, is_reverse = float(self._values["slow"]), bool(self._values["reverse"])
        if slow <= 1 and not is_reverse:
            self._is_windowed = False
            return 0
        if not self._is_windowed:
            self._is_windowed, self._since = True, number
        into = (number - self._since) % int(self._values["window_packets"])
        played = int(into / slow)
        return into + 1 + played if is_reverse else into - played
