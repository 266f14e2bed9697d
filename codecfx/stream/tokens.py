"""Tokens: what is done to the numbers that a neural codec sends. Each stands for a codeword of its
book, so that whatever comes of it is a sound that the codec could have meant.

A packet's tokens are (channels, books, hops); the first books are coarse, the last are fine.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codecfx.codecs.base import Packet
from codecfx.codecs.residual_quantizer import NO_TOKEN, Tokens
from codecfx.control.parameters import Change, Curve, Value
from codecfx.errors import ParameterError
from codecfx.stream.chance import Chance, Purpose
from codecfx.stream.plan import of_packets, shares_of

GROUP = "tokens"
ABOUT = "What is done to the tokens of a neural codec"
MOST_BOOKS = 64
_MOST_WORDS = 1024
_parameter, _share = of_packets(GROUP), shares_of(GROUP)

PARAMETERS = (
    _parameter(
        "first_book",
        "First book",
        1,
        minimum=1,
        maximum=MOST_BOOKS,
        description="What is before it is gone",
    ),
    _parameter(
        "last_book",
        "Last book",
        MOST_BOOKS,
        minimum=1,
        maximum=MOST_BOOKS,
        description="Those behind it are gone",
    ),
    _parameter(
        "drop_books", "Dropped books", "", change=Change.PREPARE, description="Also gone: 2, 5-8"
    ),
    _parameter(
        "drone_books",
        "Drone",
        0,
        minimum=0,
        maximum=MOST_BOOKS,
        description="So many books, from the first, hold the tokens that they have when this begins",
    ),
    _parameter(
        "walk",
        "Random walk",
        0,
        minimum=0,
        maximum=_MOST_WORDS // 2,
        unit="codewords",
        description="Each book strays so far at most with every packet",
    ),
    _parameter(
        "rotate",
        "Rotation",
        0,
        minimum=0,
        maximum=_MOST_WORDS - 1,
        unit="codewords",
        description="So many codewords further, around the end of the book",
    ),
    _parameter(
        "coarse",
        "Coarser",
        1,
        minimum=1,
        maximum=_MOST_WORDS,
        unit="codewords",
        curve=Curve.EXPONENTIAL,
        description="Only every so many-eth codeword is there; 1: all",
    ),
    _share("shuffle", "Shuffle", "Share of codewords that stand for others, the same all the time"),
    _share("swap_books", "Swapped books", "Share of pairs of neighbouring books that change places"),
)
_NEUTRAL = {one.id: one.default for one in PARAMETERS}


class TokenDamage:
    """What becomes of the tokens of each packet."""

    def __init__(self, values: Mapping[str, Value], chance: Chance, codewords: int) -> None:
        """Books have so many codewords, a power of two; 0 where packets are bytes.

        Raises:
            ParameterError: `drop_books` is no list of books.
        """
        self._values, self._chance, self._codewords = values, chance, codewords
        self._dropped = books_in(str(values["drop_books"]))
        self._others: NDArray[np.int32] | None = None  # the codewords that stand for each
        self.reset()

    def reset(self) -> None:
        """From the first packet again."""
        self.rest()

    def rest(self) -> None:
        """Nothing is done to any."""
        self._held: Tokens | None = None
        self._strayed = np.zeros(MOST_BOOKS, np.int64)

    @property
    def is_on(self) -> bool:
        return bool(self._codewords) and any(
            self._values[one] != neutral for one, neutral in _NEUTRAL.items()
        )

    def changed(self, packet: Packet, number: int) -> Packet:
        """Packet `number`, its tokens others, or as it is."""
        if isinstance(packet.payload, bytes):
            return packet
        tokens = self._others_for(packet.payload, number)
        return packet if np.array_equal(tokens, packet.payload) else replace(packet, payload=tokens)

    def _others_for(self, tokens: Tokens, number: int) -> Tokens:
        """Of (channels, books, hops); NO_TOKEN stays what it is."""
        values, books = self._values, tokens.shape[1]
        was, tokens = tokens, self._droned(tokens)
        moved = self._walked(number)[:books] + int(values["rotate"])
        if moved.any():
            tokens = (tokens + moved[np.newaxis, :, np.newaxis]) % self._codewords
        if (coarse := int(values["coarse"])) > 1:
            tokens = tokens // coarse * coarse
        if values["shuffle"]:
            tokens = self._shuffled(tokens, float(values["shuffle"]))
        tokens = np.where(was == NO_TOKEN, NO_TOKEN, tokens).astype(np.int32)
        if values["swap_books"] and books > 1:
            luck = self._chance.fractions(number, Purpose.SWAP_BOOKS, books // 2)
            for pair in np.flatnonzero(luck < float(values["swap_books"])):
                tokens[:, [2 * pair, 2 * pair + 1]] = tokens[:, [2 * pair + 1, 2 * pair]]
        tokens[:, : int(values["first_book"]) - 1] = NO_TOKEN
        tokens[:, int(values["last_book"]) :] = NO_TOKEN
        tokens[:, [book for book in self._dropped if book < books]] = NO_TOKEN
        return tokens

    def _droned(self, tokens: Tokens) -> Tokens:
        count = min(int(self._values["drone_books"]), tokens.shape[1])
        held = self._held[:, :count] if self._held is not None and count else tokens[:, :0]
        # books that join in later hold what they have then
        held = np.concatenate((held, tokens[:, held.shape[1] : count]), axis=1)
        if held.shape[1] or not int(self._values["drone_books"]):
            self._held = held if held.shape[1] else None
        return np.concatenate((held, tokens[:, count:]), axis=1)

    def _walked(self, number: int) -> NDArray[np.int64]:
        most = int(self._values["walk"])
        if not most:
            self._strayed = np.zeros(MOST_BOOKS, np.int64)
        else:
            luck = self._chance.fractions(number, Purpose.WALK, MOST_BOOKS)
            self._strayed += np.floor(luck * (2 * most + 1)).astype(np.int64) - most
        return self._strayed

    def _shuffled(self, tokens: Tokens, share: float) -> Tokens:
        if self._others is None:
            order = np.argsort(self._chance.words(0, Purpose.SHUFFLE, self._codewords), kind="stable")
            self._others = order.astype(np.int32)
            self._when = self._chance.fractions(1, Purpose.SHUFFLE, self._codewords)
        words = np.arange(self._codewords, dtype=np.int32)
        table = np.where(self._when < share, self._others, words)
        return table[tokens]  # NO_TOKEN finds the last, and is put back


def books_in(text: str) -> list[int]:
    """The books of a list, from 0 on.

    Raises:
        ParameterError: it is none.

    >>> books_in("2, 5-7")
    [1, 4, 5, 6]
    """
    books: set[int] = set()
    for part in filter(None, text.replace(",", " ").split()):
        first, dash, last = part.partition("-")
        ends = [first, last if dash else first]
        known = all(one.isascii() and one.isdecimal() and 1 <= int(one) <= MOST_BOOKS for one in ends)
        if not known or int(ends[0]) > int(ends[1]):
            raise ParameterError(
                f"drop_books: '{part}' is no book; write numbers from 1 to {MOST_BOOKS}: 2, 5-8"
            )
        books.update(range(int(ends[0]) - 1, int(ends[1])))
    return sorted(books)
