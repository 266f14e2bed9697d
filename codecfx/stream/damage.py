"""Damage: packets that arrive, and are not what was sent.

What is done to bytes is done to a neural codec's tokens too, each of which counts as a byte: its bits
are those that a token has, and it stays a token. And whatever a decoder makes of that, nothing gets
louder than 1.5 times the highest sample that went in within the last second: ears come first.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio
from codecfx.codecs.base import CodecFormat, Packet
from codecfx.control.parameters import Change, Curve, Parameter, Value
from codecfx.stream.chance import Chance
from codecfx.stream.plan import Plan

GROUP = "damage"
LOUDEST = 1.5  # times the peak of what went in
REGIONS = ("payload", "header", "early", "late", "all")
_FLIP, _SWAP, _HIT, _BEHIND = range(9, 13)  # purposes of chance
_MEMORY_SECONDS = 1.0  # of peaks; a decoder that was led astray takes as long to come back
_MOST_BEHIND = 256  # packets


def _share(parameter_id: str, name: str, description: str, default: float = 0.0) -> Parameter:
    return Parameter(
        parameter_id,
        name,
        default,
        minimum=0.0,
        maximum=1.0,
        change=Change.NEXT_FRAME,
        description=description,
        group=GROUP,
    )


PARAMETERS = (
    _share(
        "packets_hit",
        "Packets hit",
        "Share of packets that flips, swaps, XOR and cuts reach",
        default=1.0,
    ),
    _share("flip", "Bit flips", "Share of bytes in which a bit is flipped"),
    Parameter(
        "region",
        "Region",
        "payload",
        choices=REGIONS,
        change=Change.NEXT_FRAME,
        description="Bytes that flips, swaps and XOR reach: what follows the header, the header that "
        "a decoder needs, the first or last third of what follows, all",
        group=GROUP,
    ),
    _share("swap", "Byte swaps", "Share of pairs of bytes that change places"),
    Parameter(
        "xor",
        "XOR",
        0,
        minimum=0,
        maximum=255,
        change=Change.NEXT_FRAME,
        description="A pattern that every byte is XORed with",
        group=GROUP,
    ),
    _share("cut", "Cut", "Share of each packet, from its end, that is zeros; of a token's books, gone"),
    _share("behind", "Behind", "Share of packets in whose place an earlier one comes"),
    Parameter(
        "behind_packets",
        "How far behind",
        4,
        minimum=1,
        maximum=_MOST_BEHIND,
        unit="packets",
        curve=Curve.EXPONENTIAL,
        change=Change.NEXT_FRAME,
        description="Those packets are so old at most",
        group=GROUP,
    ),
)
IDS = frozenset(one.id for one in PARAMETERS)
_WRONG = ("flip", "swap", "xor", "cut", "behind")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packet that may be damaged, and how loud its frame may be."""

    packet: Packet
    limit: float

    @property
    def bits(self) -> int:
        return self.packet.bits


class Damage:
    """What happens to one stream's packets, one after another."""

    def __init__(
        self,
        values: Mapping[str, Value],
        chance: Chance,
        codec_format: CodecFormat,
        header_bytes: int = 0,
    ) -> None:
        """`values` hold parameters of damage, and maybe others; the first `header_bytes` of a packet
        are what it cannot be decoded without.
        """
        self._plan = Plan(PARAMETERS, values)
        self._chance, self._header_bytes = chance, header_bytes
        self._frame = codec_format.frame_samples
        self._memory = ceil(_MEMORY_SECONDS * codec_format.sample_rate / self._frame)
        self.reset()

    def reset(self) -> None:
        """From the first packet again."""
        self._plan.finish()
        self.damaged = 0  # packets, since the last reset
        self._number = 0
        self._peaks: deque[tuple[int, float]] = deque()  # of frames, each the highest since
        self._sent: deque[Packet] = deque(maxlen=_MOST_BEHIND)
        self._look()
        self._known_from = 0 if self._is_wrong else -1  # the first frame whose peak is known
        self._on_until = 0  # packets up to there are parcels

    def _look(self) -> None:
        self._is_wrong = any(self._plan.values[one] for one in _WRONG)

    def set(self, parameter_id: str, value: Value, ahead: int = 0) -> None:
        """Change a parameter for the packets from the next, or `ahead` after it, on."""
        self._plan.set(self._number + ahead, parameter_id, value)

    def hit(self, packets: list[Packet], frames: Audio) -> Sequence[Packet | Parcel]:
        """What becomes of packets, and of the frames that they are of."""
        if not self._is_wrong and self._plan.is_empty and self._number >= self._on_until:
            self._number += len(packets)
            self._known_from = -1
            self._peaks.clear()
            self._sent.clear()
            return packets
        heights = np.abs(frames).reshape(len(frames), -1, self._frame).max(axis=(0, 2)).tolist()
        parcels: list[Packet | Parcel] = []
        for packet, height in zip(packets, heights, strict=True):
            if self._plan.reach(self._number):
                self._look()
            limit = LOUDEST * self._peak(height)
            if self._is_wrong:
                self._on_until = self._number + self._memory
                hurt = self._hurt(packet)
                self.damaged += hurt is not packet
                parcels.append(Parcel(hurt, limit))
            else:
                parcels.append(Parcel(packet, limit) if self._number < self._on_until else packet)
            self._sent.append(packet)
            self._number += 1
        return parcels

    def _peak(self, height: float) -> float:
        """The highest sample of the last second. What nobody looked at may have been at full scale."""
        number, peaks = self._number, self._peaks
        if self._known_from < 0:
            self._known_from = number
            peaks.append((number - 1, 1.0))
        while peaks and peaks[-1][1] <= height:
            peaks.pop()
        peaks.append((number, height))
        while peaks[0][0] <= number - self._memory:
            peaks.popleft()
        return peaks[0][1]

    def _hurt(self, packet: Packet) -> Packet:
        values, number = self._plan.values, self._number
        behind = float(values["behind"])
        if behind and self._sent and (luck := self._chance.at(number, _BEHIND)) < behind:
            most = min(int(values["behind_packets"]), len(self._sent))
            packet = self._sent[-1 - int(luck / behind * most)]
        hit = float(values["packets_hit"])
        if hit < 1 and self._chance.at(number, _HIT) >= hit:
            return packet
        if isinstance(packet.payload, bytes):
            return self._hurt_bytes(packet, packet.payload)
        return self._hurt_tokens(packet, packet.payload)

    def _hurt_bytes(self, packet: Packet, payload: bytes) -> Packet:
        hurt = np.frombuffer(payload, np.uint8).copy()
        if cut := round(float(self._plan.values["cut"]) * hurt.size):
            hurt[max(self._header_bytes, hurt.size - cut) :] = 0
        self._stir(hurt[_region(str(self._plan.values["region"]), hurt.size, self._header_bytes)], 8)
        made = hurt.tobytes()
        return packet if made == packet.payload else replace(packet, payload=made)

    def _hurt_tokens(self, packet: Packet, tokens: NDArray[np.int32]) -> Packet:
        """Tokens are (channels, books, hops); the first books are early, the last are late."""
        cut = float(self._plan.values["cut"])
        books = tokens.shape[1]
        width = max(1, round(packet.bits / tokens.size)) if tokens.size else 1
        hurt = np.moveaxis(tokens[:, : max(1, books - round(cut * books))], 1, 0).copy()
        stirred = hurt[_region(str(self._plan.values["region"]), len(hurt), 0)]
        flat = stirred.reshape(-1)
        self._stir(flat, width)
        stirred[:] = flat.reshape(stirred.shape)
        made = np.ascontiguousarray(np.moveaxis(hurt, 0, 1))
        return packet if np.array_equal(made, tokens) else replace(packet, payload=made)

    def _stir(self, symbols: NDArray[Any], width: int) -> None:
        """Flip, swap and XOR symbols of so many bits, in place."""
        values, number, count = self._plan.values, self._number, symbols.size
        if not count:
            return
        if flip := float(values["flip"]):
            words = self._chance.words(number, _FLIP, count)
            bits = np.left_shift(1, (words % np.uint64(width)).astype(np.int64))
            is_hit = (words >> np.uint64(11)) * 2.0**-53 < flip
            symbols ^= np.where(is_hit, bits, 0).astype(symbols.dtype)
        if (swap := float(values["swap"])) and count > 1:
            words = self._chance.words(number, _SWAP, count // 2)
            pairs = symbols[: count // 2 * 2].reshape(-1, 2)
            chosen = (words >> np.uint64(11)) * 2.0**-53 < swap
            pairs[chosen] = pairs[chosen][:, ::-1]
        if xor := int(values["xor"]):
            symbols ^= symbols.dtype.type(xor & ((1 << width) - 1))


class Ears:
    """Keeps what is decoded of parcels, and in gaps between them, no louder than it may be."""

    def __init__(self, frame_samples: int) -> None:
        self._frame = frame_samples
        self.reset()

    def reset(self) -> None:
        """As if new."""
        self._limit = np.inf
        self._number = 0  # of the next frame
        # of the frames that are not to be louder, for who hears them next: their numbers, and how loud
        self.limits: deque[tuple[int, float]] = deque()

    def limited(self, frames: Audio, due: Sequence[object]) -> Audio:
        """Frames, float32 (channels, k * frame), and what they were decoded from."""
        begin = self._number
        self._number += len(due)
        if self._limit == np.inf and not any(isinstance(one, Parcel) for one in due):
            return frames
        limits = []
        for one in due:
            if isinstance(one, Parcel):
                self._limit = one.limit
            elif isinstance(one, Packet):
                self._limit = np.inf
            limits.append(self._limit)
            if self._limit < np.inf:
                self.limits.append((begin + len(limits) - 1, self._limit))
        ceilings = np.repeat(np.array(limits, np.float32), self._frame)
        clamped: Audio = np.clip(frames, -ceilings, ceilings)
        return clamped


class Ceiling:
    """The same as a stage behind the way back to the host's rate: what was clipped there overshoots."""

    ratio = Fraction(1)
    holdback_samples = lookahead_samples = Fraction(0)

    def __init__(self, ears: Ears, frame_samples: Fraction, reach_samples: int) -> None:
        """A frame has so many samples at the host's rate, and what is in it reaches so much further."""
        self._ears, self._frame, self._reach = ears, frame_samples, reach_samples
        self._at = 0

    def push(self, chunk: Audio) -> Audio:
        begin, samples = self._at, chunk.shape[1]
        self._at += samples
        limits = self._ears.limits
        if not limits or not samples:
            return chunk
        ceilings = np.full(samples, np.inf, np.float32)
        for number, limit in limits:
            first, last = floor(number * self._frame), ceil((number + 1) * self._frame)
            reached = slice(max(0, first - self._reach - begin), max(0, last + self._reach - begin))
            known = ceilings[reached]
            ceilings[reached] = np.where(np.isinf(known), limit, np.maximum(known, limit))
        while limits and ceil((limits[0][0] + 1) * self._frame) + self._reach <= self._at:
            limits.popleft()
        clamped: Audio = np.clip(chunk, -ceilings, ceilings)
        return clamped

    def reset(self) -> None:
        self._at = 0


def _region(region: str, count: int, header: int) -> slice:
    """Which of so many symbols are reached."""
    header = min(header, count)
    third = ceil((count - header) / 3)
    return {
        "all": slice(0, count),
        "header": slice(0, header),
        "payload": slice(header, count),
        "early": slice(header, header + third),
        "late": slice(count - third, count),
    }[region]
