"""Damage: everything that is done to packets before they are sent, one after another.

::

    packets ─► splice ─► moments ─► tokens ─► bits ─► packets, with how loud each may be
               another's  which one  of neural  flips,
               packets    is heard   codecs     cuts
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

from codecfx.audio import Audio
from codecfx.codecs.base import Codec, Packet
from codecfx.codecs.sending import StreamPacket
from codecfx.control.parameters import Parameter, Value
from codecfx.stream import bits, moments, splicing, tokens
from codecfx.stream.bits import BitDamage
from codecfx.stream.chance import Chance
from codecfx.stream.ears import LOUDEST, Parcel, Peaks
from codecfx.stream.moments import Moments
from codecfx.stream.network import TEMPO
from codecfx.stream.plan import Plan
from codecfx.stream.splicing import Donor, Splice
from codecfx.stream.tokens import TokenDamage

GROUPS: tuple[ModuleType, ...] = (splicing, moments, tokens, bits)
"""Each with a GROUP, its name, and its PARAMETERS."""

PARAMETERS: tuple[Parameter, ...] = tuple(one for group in GROUPS for one in group.PARAMETERS)


def parameters_for(codec: type[Codec]) -> tuple[Parameter, ...]:
    """Those that mean something to a codec: what is done to tokens, to one that has some."""
    codewords = getattr(codec, "codewords", 0)
    return tuple(one for one in PARAMETERS if codewords or one.group != tokens.GROUP)


class Damage:
    """What happens to one stream's packets."""

    def __init__(
        self,
        values: Mapping[str, Value],
        chance: Chance,
        codec: Codec,
        packet_ms: float,
        donor: Donor = (),
    ) -> None:
        """`values` hold parameters of damage, and maybe others; a packet is sent every `packet_ms`.

        Raises:
            ParameterError: a list of books that is none.
        """
        # of codecs whose packets begin with how to read them, and of those of tokens
        header, codewords = getattr(codec, "header_bytes", 0), getattr(codec, "codewords", 0)
        self._plan = Plan((*PARAMETERS, TEMPO), values)
        now = self._plan.values
        self._splice = Splice(now, chance, header, donor)
        self._moments = Moments(now, chance, packet_ms)
        self._tokens = TokenDamage(now, chance, codewords)
        self._bits = BitDamage(now, chance, packet_ms, header, codewords)
        self._peaks = Peaks(codec.format)
        self.reset()

    @property
    def ids(self) -> frozenset[str]:
        """The parameters that it knows."""
        return frozenset(self._plan.values)

    def reset(self) -> None:
        """From the first packet again."""
        self._plan.finish()
        self.damaged = 0  # packets that were not what was sent, since the last reset
        self._number = 0
        self._was_wrong = False  # from the first damage on packets are parcels: it may come late
        self._peaks.reset()
        self._moments.reset()
        self._tokens.reset()
        self._look()

    def _look(self) -> None:
        self._splices, self._picks = self._splice.is_on, self._moments.is_on
        self._changes, self._hits = self._tokens.is_on, self._bits.is_on
        self._is_wrong = self._splices or self._picks or self._changes or self._hits
        if not self._picks:
            self._leaving = True
        if not self._changes:
            self._tokens.rest()

    def set(self, parameter_id: str, value: Value, ahead: int = 0) -> None:
        """Change a parameter for the packets from the next, or `ahead` after it, on."""
        self._plan.set(self._number + ahead, parameter_id, value)

    def hit(self, packets: list[Packet], frames: Audio) -> Sequence[Packet | Parcel]:
        """What becomes of packets, and of the frames that they are of."""
        peaks = self._peaks.heard(frames)
        if not self._is_wrong and self._plan.is_empty and not self._was_wrong:
            self._number += len(packets)
            self._moments.sent.extend(zip(packets, peaks, strict=True))
            return packets
        return [self._parcel(packet, peak) for packet, peak in zip(packets, peaks, strict=True)]

    def _parcel(self, packet: Packet, peak: float) -> Packet | Parcel:
        number = self._number
        self._number += 1
        if self._plan.reach(number):
            self._look()
        if not self._is_wrong and not self._was_wrong:
            self._moments.sent.append((packet, peak))
            return packet
        heard, is_seam, self._was_wrong = packet, False, True
        if self._splices:
            heard, peak = self._splice.spliced(packet, peak, number)
        self._moments.sent.append((heard, peak))
        if self._picks or self._leaving:
            heard, peak, is_seam = self._moments.at(number)
            if not self._picks:  # back with the packet of now
                self._moments.rest()
                self._leaving = False
        if heard is not packet:
            heard = _of_now(heard, packet)
        if self._changes:
            heard = self._tokens.changed(heard, number)
        if self._hits:
            heard = self._bits.hit(heard, number)
        self.damaged += heard is not packet
        # what is heard counts as what went in, for the second in which a decoder comes back from it
        return Parcel(heard, LOUDEST * self._peaks.raised(peak), is_seam)


def _of_now(heard: Packet, packet: Packet) -> Packet:
    """A packet of another time, or another sound, as one of the stream that is sent now: else its
    decoder would take it for one that comes too late.
    """
    if not isinstance(heard, StreamPacket) or not isinstance(packet, StreamPacket):
        return heard
    if heard.header is packet.header and heard.takeover is None:
        return heard
    return replace(heard, header=packet.header, takeover=None)
