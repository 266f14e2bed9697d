"""Bits: what is done to the symbols of a packet, its bytes or a neural codec's tokens, each of which
counts as a byte: its bits are those that a token has, and it stays a token.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.codecs.base import Packet
from codecfx.codecs.residual_quantizer import NO_TOKEN, Tokens
from codecfx.control.parameters import Value
from codecfx.stream.chance import Chance, Purpose, fractions_of
from codecfx.stream.plan import of_packets, shares_of

GROUP = "damage"
ABOUT = "What is done to the bits of its packets; never louder than 1.5 times the input"
REGIONS = ("payload", "header", "early", "late", "all")
_parameter, _share = of_packets(GROUP), shares_of(GROUP)

PARAMETERS = (
    _share(
        "packets_hit",
        "Packets hit",
        "Share of packets that flips, swaps, XOR, cuts and starving reach",
        default=1.0,
    ),
    _share("flip", "Bit flips", "Share of bytes in which a bit is flipped"),
    _parameter(
        "region",
        "Region",
        "payload",
        choices=REGIONS,
        description="Bytes that flips, swaps and XOR reach: what follows the header, the header that "
        "a decoder needs, the first or last third of what follows, all",
    ),
    _share("swap", "Byte swaps", "Share of pairs of bytes that change places"),
    _parameter(
        "xor",
        "XOR",
        0,
        minimum=0,
        maximum=255,
        description="A pattern that every byte is XORed with",
    ),
    _share("cut", "Cut", "Share of each packet, from its end, that is zeros; of a token's books, gone"),
    _parameter(
        "starve_kbps",
        "Starving",
        0.0,
        minimum=0.0,
        maximum=1000.0,
        unit="kbps",
        description="What is left of each packet, whatever the encoder spends; 0: all of it",
    ),
)
_NEVER = 1e-12  # share of bytes: none in a lifetime
_FEW = 8  # flips in a packet, up to which they are sooner made one by one
_WRONG = ("flip", "swap", "xor", "cut", "starve_kbps")


class BitDamage:
    """What becomes of each packet."""

    def __init__(
        self,
        values: Mapping[str, Value],
        chance: Chance,
        packet_ms: float,
        header_bytes: int,
        codewords: int,
    ) -> None:
        """The first `header_bytes` of a packet are what it cannot be decoded without; a token is one of
        so many codewords.
        """
        self._values, self._chance, self._packet_ms = values, chance, packet_ms
        self._header_bytes, self._token_bits = header_bytes, max(1, codewords.bit_length() - 1)

    @property
    def is_on(self) -> bool:
        return any(self._values[one] for one in _WRONG)

    def hit(self, packet: Packet, number: int) -> Packet:
        """Packet `number`, damaged or as it is."""
        hit = float(self._values["packets_hit"])
        if hit < 1 and self._chance.at(number, Purpose.HIT) >= hit:
            return packet
        if isinstance(packet.payload, bytes):
            return self._hit_bytes(packet, packet.payload, number)
        return self._hit_tokens(packet, packet.payload, number)

    def _kept(self, symbols: int, bits: int) -> int:
        """How many of so many symbols of so many bits are left by cut and starving."""
        kept = symbols - round(float(self._values["cut"]) * symbols)
        if starve := float(self._values["starve_kbps"]):
            kept = min(kept, int(starve * self._packet_ms * symbols / bits))
        return kept

    def _hit_bytes(self, packet: Packet, payload: bytes, number: int) -> Packet:
        hurt, header = bytearray(payload), self._header_bytes
        if hurt and (kept := max(header, self._kept(len(hurt), 8 * len(hurt)))) < len(hurt):
            hurt[kept:] = bytes(len(hurt) - kept)
        reached = _region(str(self._values["region"]), len(hurt), header)
        flip = float(self._values["flip"])
        if (
            flip < 0.5
            and flip * len(reached) < _FEW
            and not self._values["swap"]
            and not self._values["xor"]
        ):
            self._flip_few(hurt, reached, flip, number)
        else:
            symbols = np.frombuffer(hurt, np.uint8)  # in place
            self._stir(symbols[reached.start : reached.stop], 8, number)
        return packet if hurt == payload else replace(packet, payload=bytes(hurt))

    def _flip_few(self, hurt: bytearray, reached: range, flip: float, number: int) -> None:
        """Flip a bit in that share of bytes, in place, from each to the next: how far that is away is
        distributed geometrically.
        """
        if flip < _NEVER:
            return
        per_gap = 1 / log1p(-flip)
        at = reached.start - 1
        for luck, bits in self._chance.lucks(number, Purpose.FLIP):
            at += 1 + int(log1p(-luck) * per_gap)
            if at >= reached.stop:
                return
            hurt[at] ^= 1 << (bits & 7)

    def _hit_tokens(self, packet: Packet, tokens: Tokens, number: int) -> Packet:
        """Tokens are (channels, books, hops); the first books are early, the last are late."""
        books = tokens.shape[1]
        kept = max(1, self._kept(books, packet.bits)) if packet.bits else books
        hurt = np.moveaxis(tokens[:, :kept], 1, 0).copy()
        reached = _region(str(self._values["region"]), len(hurt), 0)
        stirred = hurt[reached.start : reached.stop]
        says = stirred != NO_TOKEN  # books that say nothing go on saying it
        spoken = stirred[says]
        self._stir(spoken, self._token_bits, number)
        stirred[says] = spoken
        made = np.ascontiguousarray(np.moveaxis(hurt, 0, 1))
        return packet if np.array_equal(made, tokens) else replace(packet, payload=made)

    def _stir(self, symbols: NDArray[Any], width: int, number: int) -> None:
        """Flip, swap and XOR symbols of so many bits, in place."""
        values, count = self._values, symbols.size
        if not count:
            return
        if flip := float(values["flip"]):
            words = self._chance.words(number, Purpose.FLIP, count)
            bits = np.left_shift(1, (words % np.uint64(width)).astype(np.int64))
            is_hit = fractions_of(words) < flip
            symbols ^= np.where(is_hit, bits, 0).astype(symbols.dtype)
        if (swap := float(values["swap"])) and count > 1:
            pairs = symbols[: count // 2 * 2].reshape(-1, 2)
            chosen = self._chance.fractions(number, Purpose.SWAP, count // 2) < swap
            pairs[chosen] = pairs[chosen][:, ::-1]
        if xor := int(values["xor"]):
            symbols ^= symbols.dtype.type(xor & ((1 << width) - 1))


def _region(region: str, count: int, header: int) -> range:
    """Which of so many symbols are reached."""
    header = min(header, count)
    third = ceil((count - header) / 3)
    match region:
        case "header":
            return range(0, header)
        case "payload":
            return range(header, count)
        case "early":
            return range(header, header + third)
        case "late":
            return range(count - third, count)
    return range(0, count)
