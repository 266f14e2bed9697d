"""The network: packets go in as they are sent, and come out when they are due, those that are there.

::

    sent ─► queue of the narrow link ─► loss ─► jitter ─► jitter buffer ─► played, or None
                                                            so many frames later, always

A packet is due a fixed time after it was sent: the buffer's, in whole frames. What delays it less does
nothing, what delays it more makes it late. So latency is known, and constant; and with nothing wrong
on the way the packets are those that were sent.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, cos, inf, log, pi, sqrt
from pathlib import Path

from codecfx.codecs.base import Packet
from codecfx.control.parameters import Change, Curve, Value
from codecfx.errors import ParameterError
from codecfx.stream.chance import Chance, Purpose
from codecfx.stream.concealment import Gap
from codecfx.stream.ears import Parcel
from codecfx.stream.loss import PATTERNS, Loss
from codecfx.stream.plan import Plan, of_packets, shares_of

GROUP = "network"
ABOUT = "The network that its packets cross"
CONCEALMENTS = ("codec", "repeat", "stretch", "fade", "noise", "silence")
_SHAPES = ("uniform", "normal", "exponential", "pareto")
_LONGEST_DETOUR = 3  # packets that overtake one
_SETTLING = 0.995  # what is left of an adaptive buffer's depth with every packet
_MOST_LATE = 64  # packets that are waited for after their time
_LATE_FOR = 4  # packets that come and go until one that came late finds a gap, or is forgotten


_parameter = of_packets(GROUP)
_share = shares_of(GROUP)

TEMPO = _parameter(
    "tempo_bpm", "Tempo", 120.0, minimum=20.0, maximum=400.0, unit="bpm", description="Of all beats"
)
PARAMETERS = (
    _share("loss", "Packet loss", "Share of packets that are lost"),
    _parameter(
        "loss_pattern",
        "Loss pattern",
        "random",
        choices=PATTERNS,
        description="How loss spreads: each packet for itself, drifting, in bursts, in every period, "
        "as drawn, as a file says",
    ),
    _parameter(
        "burst_packets",
        "Burst length",
        4.0,
        minimum=1.0,
        maximum=200.0,
        unit="packets",
        curve=Curve.EXPONENTIAL,
        description="Mean length of a burst",
    ),
    _parameter(
        "loss_period_ms",
        "Loss period",
        500.0,
        minimum=10.0,
        maximum=20_000.0,
        unit="ms",
        curve=Curve.EXPONENTIAL,
        description="Of what is periodic, drawn or drifting",
    ),
    _parameter(
        "loss_beats",
        "Loss period in beats",
        0.0,
        minimum=0.0,
        maximum=64.0,
        unit="beats",
        description="Instead of milliseconds; 0: not in beats",
    ),
    TEMPO,
    _parameter(
        "loss_steps",
        "Drawn loss",
        "",
        change=Change.PREPARE,
        description="A period in steps, x for one that is lost: x...x.x.",
    ),
    _parameter(
        "loss_trace",
        "Loss trace",
        "",
        change=Change.PREPARE,
        is_file=True,
        description="Path of a file: a line, or a character, a packet; 1 or x for lost, 0 or . for not",
    ),
    _parameter(
        "jitter_ms",
        "Jitter",
        0.0,
        minimum=0.0,
        maximum=1000.0,
        unit="ms",
        description="Mean delay that differs from packet to packet; what exceeds the buffer is late",
    ),
    _parameter(
        "jitter_shape",
        "Jitter shape",
        "exponential",
        choices=_SHAPES,
        description="How delays are distributed",
    ),
    _share("reorder", "Reordering", "Share of packets that one to three later ones overtake"),
    _share(
        "duplicate",
        "Duplication",
        "Share of packets that are sent again a packet later, which a buffer can use",
    ),
    _parameter(
        "bandwidth_kbps",
        "Narrow link",
        0.0,
        minimum=0.0,
        maximum=10_000.0,
        unit="kbps",
        description="What gets through; 0: everything. Packets queue before it",
    ),
    _parameter(
        "queue_ms",
        "Queue",
        200.0,
        minimum=0.0,
        maximum=5000.0,
        unit="ms",
        description="The longest queue; a packet that meets a longer one is lost",
    ),
    _parameter(
        "distance_km",
        "Distance",
        0.0,
        minimum=0.0,
        maximum=400_000.0,
        unit="km",
        change=Change.PREPARE,
        description="Latency of so much fibre: Oslo to Sydney is 16,000 km, 78 ms",
    ),
    _parameter(
        "buffer_ms",
        "Jitter buffer",
        0.0,
        minimum=0.0,
        maximum=2000.0,
        unit="ms",
        change=Change.PREPARE,
        description="Latency that waits for late packets, in whole frames",
    ),
    _parameter(
        "adaptive",
        "Adaptive buffer",
        False,
        description="Waits no longer than packets have lately needed, and misses those that need more",
    ),
    _parameter(
        "late",
        "Late packets",
        "lost",
        choices=("lost", "played"),
        description="Lost, or played when they come, in the place of one that is missing",
    ),
    _parameter(
        "conceal",
        "Concealment",
        "codec",
        choices=CONCEALMENTS,
        description="Instead of a lost packet: the codec's own, the last packet, the last waves, a "
        "fade, noise, or silence, which clicks",
    ),
    _share(
        "stick",
        "Stick",
        "With repeat: the chance that a gap is filled with the last packet",
        default=1.0,
    ),
    _parameter(
        "stick_packets",
        "Stick length",
        8,
        minimum=1,
        maximum=500,
        unit="packets",
        description="With repeat: the longest repetition",
    ),
    _parameter(
        "seed",
        "Seed",
        0,
        minimum=0,
        maximum=2**31 - 1,
        change=Change.PREPARE,
        description="Of all chance",
    ),
)
NEUTRAL: Mapping[str, Value] = {one.id: one.default for one in PARAMETERS}
_WRONG = ("loss", "jitter_ms", "reorder", "bandwidth_kbps")  # what keeps packets from being in time


@dataclass(slots=True, eq=False)
class _Sent:
    packet: Packet | Parcel
    number: int
    arrival: float  # in packets since the first; inf for never
    is_healed: bool = False  # the packet itself will not be in time, and a copy will


class Network:
    """Packets on their way, in order. Their numbers, chances and delays depend on nothing else."""

    def __init__(self, values: Mapping[str, Value], packet_ms: float, run_frames: int = 1) -> None:
        """`values` hold parameters of the network, and maybe others. What is due is always whole
        runs of frames.

        Raises:
            ParameterError: a trace that is none.
        """
        self._plan = Plan(PARAMETERS, values)
        self._packet_ms = packet_ms
        frames = ceil(float(self.values["buffer_ms"]) / packet_ms - 1e-9)
        self.delay_packets = -(-frames // run_frames) * run_frames
        self.chance = Chance(int(self.values["seed"]))
        self._loss = Loss(self.chance, packet_ms, _trace(str(self.values["loss_trace"])))
        self.lost = self.healed = 0  # since the last reset: gaps, and packets whose copy was in time
        self.reset()

    def reset(self) -> None:
        """From the first packet again."""
        self._plan.finish()
        self._loss.reset()
        self._sent: deque[_Sent] = deque()
        self._late: list[_Sent] = []
        self._number = 0
        self._backlog_ms = self._depth = 0.0
        self.lost = self.healed = 0
        self._look()

    @property
    def ids(self) -> frozenset[str]:
        """The parameters that it knows."""
        return frozenset(self._plan.values)

    @property
    def values(self) -> Mapping[str, Value]:
        """The parameters, as they are for the next packet."""
        return self._plan.values

    def _look(self) -> None:
        self._is_clear = not any(self.values[one] for one in _WRONG)

    def set(self, parameter_id: str, value: Value, ahead: int = 0) -> None:
        """Change a parameter for the packets from the next, or `ahead` after it, on."""
        self._plan.set(self._number + ahead, parameter_id, value)

    def carry(self, packets: Sequence[Packet | Parcel]) -> list[Packet | Parcel | Gap]:
        """Send packets; returns as many that are due, with gaps for those that are not there. At first
        `delay_packets` fewer.
        """
        is_plain = self._is_clear and self._plan.is_empty and not self._late
        if is_plain and not self.delay_packets:
            self._number += len(packets)
            return list(packets)
        due: list[Packet | Parcel | Gap] = []
        for packet in packets:
            if self._plan.reach(self._number):
                self._look()
            self._send(packet)
            self._number += 1
            if len(self._sent) > self.delay_packets:
                due.append(self._received(self._sent.popleft()))
        return due

    def _send(self, packet: Packet | Parcel) -> None:
        number, values = self._number, self.values
        if self._is_clear:
            self._backlog_ms = 0.0
            self._loss.reset()
            self._sent.append(_Sent(packet, number, number))
            return
        waits = self._queued(packet.bits)
        is_lost = self._loss.is_lost(number, values) or waits == inf
        again = float(values["duplicate"])
        if again and self._sent and self.chance.at(number, Purpose.DUPLICATE) < again and not is_lost:
            before = self._sent[-1]
            copy = number + waits + self._jitter(Purpose.COPY, Purpose.COPY_ANGLE)
            due = before.number + self.delay_packets
            before.is_healed = before.arrival > due >= copy
            before.arrival = min(before.arrival, copy)
        arrival = inf if is_lost else number + waits + self._jitter(Purpose.JITTER, Purpose.ANGLE)
        reorder = float(values["reorder"])
        if reorder and (luck := self.chance.at(number, Purpose.REORDER)) < reorder:
            arrival += 1 + int(luck / reorder * _LONGEST_DETOUR)
        self._sent.append(_Sent(packet, number, arrival))

    def _queued(self, bits: int) -> float:
        """How long a packet waits before the narrow link, and takes to get through, in packets' times;
        inf where the queue is full.
        """
        kbps = float(self.values["bandwidth_kbps"])
        if not kbps:
            self._backlog_ms = 0.0
            return 0.0
        backlog = max(0.0, self._backlog_ms - self._packet_ms)
        through = bits / kbps
        is_full = backlog > float(self.values["queue_ms"])
        self._backlog_ms = backlog if is_full else backlog + through
        # a packet takes as long as it has to sound, at most: that much is no delay but the link's rate
        return inf if is_full else max(0.0, backlog + through - self._packet_ms) / self._packet_ms

    def _jitter(self, purpose: Purpose, angle: Purpose) -> float:
        """A packet's own delay, in packets' times, of the mean that is set."""
        mean = float(self.values["jitter_ms"]) / self._packet_ms
        if not mean:
            return 0.0
        luck = self.chance.at(self._number, purpose)
        match self.values["jitter_shape"]:
            case "uniform":
                return 2 * mean * luck
            case "normal":  # half of one, folded at 0: Box and Muller's
                wide = sqrt(-2 * log(1 - luck)) * cos(2 * pi * self.chance.at(self._number, angle))
                return abs(wide) * mean * sqrt(pi / 2)
            case "pareto":  # of shape 2.5, from 0 on: rare, and long
                return float(mean * 1.5 * ((1 - luck) ** (-1 / 2.5) - 1))
        return -mean * log(1 - luck)

    def _received(self, sent: _Sent) -> Packet | Parcel | Gap:
        """What is played now, for a packet whose time has come."""
        took, depth = sent.arrival - sent.number, float(self.delay_packets)
        if self.values["adaptive"]:
            needed = min(took, depth) if took < inf else 0.0
            depth, self._depth = self._depth, max(needed, self._depth * _SETTLING)
        if took <= depth:
            self.healed += sent.is_healed
            return sent.packet
        if took < inf and self.values["late"] == "played":
            self._late.append(sent)
            del self._late[:-_MOST_LATE]
        now = sent.number + self.delay_packets
        # who came, and found no gap for so long, is not waited for
        self._late = [one for one in self._late if one.arrival > now - _LATE_FOR]
        for late in self._late:
            if late.arrival <= now:
                self._late.remove(late)
                return late.packet
        self.lost += 1
        values = self.values
        return Gap(
            sent.number,
            str(values["conceal"]),
            float(values["stick"]),
            int(values["stick_packets"]),
            self.chance.at(sent.number, Purpose.STICK),
        )


def _trace(path: str) -> list[bool]:
    """What a file says: for each packet whether it is lost."""
    if not path:
        return []
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"loss_trace: {path} cannot be read ({error})") from None
    lines = (line.partition("#")[0] for line in text.splitlines())
    marks = "".join("".join(line.split()) for line in lines).replace(",", "")
    wrong = set(marks) - set("01xX.-")
    if wrong or not marks:
        what = f"has '{min(wrong)}' in it" if wrong else "is empty"
        raise ParameterError(
            f"loss_trace: {path} {what}; write 1 or x for a lost packet, 0 or . for others"
        )
    return [mark in "1xX" for mark in marks]
