"""Lyra's quantiser: features as the sum of one codeword from each of up to 46 books of 16.

Each book says what the ones before it left over, so that any number of them, from the first on, is a
coarser or finer frame. A token is a codeword's number, 4 bits.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codecfx.codecs.lyra import tflite

Features = NDArray[np.float32]
Tokens = NDArray[np.int32]

BOOK_SIZE = 16
BITS_PER_BOOK = 4


class Quantizer:
    """The books of a model, shared by all streams: nothing in it changes."""

    def __init__(self, books: Features) -> None:
        """`books`: float32 (books, 16, features)."""
        count, size, self.features = books.shape
        self.books = count
        self._codewords = books
        # The nearest codeword to what is left has the least |codeword|^2 / 2 - codeword * left, and
        # what is left is what came in without the codewords chosen so far. So all products with what
        # came in are one product of a matrix, and choosing a codeword adds its products with all later
        # ones, a row of a table: half the time of subtracting codewords and measuring 46 times. In 64
        # bits, so that the choice is that of exact arithmetic.
        flat = books.reshape(count * size, self.features).astype(np.float64)
        self._flat = flat
        self._halves = np.square(flat).sum(axis=1) / 2
        products = flat @ flat.T
        self._later = [
            [products[size * book + word, size * (book + 1) :].copy() for word in range(size)]
            for book in range(count)
        ]

    def encode(self, features: Features, books: int) -> Tokens:
        """The tokens of float32 (features), from the first `books` books: int32 (books)."""
        distances = self._flat @ features
        np.subtract(self._halves, distances, out=distances)
        tokens = []
        for later in self._later[:books]:
            token = int(distances[:BOOK_SIZE].argmin())
            tokens.append(token)
            distances = distances[BOOK_SIZE:]
            distances += later[token]
        return np.array(tokens, np.int32)

    def decode(self, tokens: Tokens) -> Features:
        """Features, float32 (features), of tokens, (1 to `books`), each from 0 to 15, or NO_TOKEN."""
        books = np.arange(tokens.size)
        if tokens.min() < 0:
            books, tokens = books[tokens >= 0], tokens[tokens >= 0]
        chosen = self._codewords[books, tokens]
        total: Features = np.add.reduce(chosen, axis=0)
        return total


def quantizer_of(path: Path) -> Quantizer:
    """The quantiser in a file, one for all streams.

    Raises:
        ModelFileError: there is none.
    """
    graphs = tflite.read(path)
    return tflite.understood(path, "a quantiser", lambda: _quantizer(graphs))


@lru_cache(maxsize=4)
def _quantizer(graphs: tuple[tflite.Graph, ...]) -> Quantizer:
    encoder = next(graph for graph in graphs if graph.name == "encode")
    return Quantizer(np.concatenate(list(_books(encoder))))


def _books(encoder: tflite.Graph) -> Iterator[Features]:
    """What the encoder measures distances to, one book after the other: (1, 16, features)."""
    for operator in encoder.operators:
        if operator.kind == "SQUARED_DIFFERENCE":
            book = encoder.tensors[operator.inputs[1]].constant
            if book is None or book.shape[:2] != (1, BOOK_SIZE):
                raise ValueError("a book of another size")
            yield book
