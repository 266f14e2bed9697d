"""Residual vector quantisation, the code of neural codecs: a vector is the sum of codewords, one from
each of several books, and each book refines what those before it have left (Zeghidour et al.,
SoundStream, 2021).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Tokens: TypeAlias = NDArray[np.int32]
Vectors: TypeAlias = NDArray[np.floating]

NO_TOKEN = -1  # a book that says nothing: adds nothing
# Vectors in one product: OpenBLAS computes two of 128 with 1024 codewords in one thread (262,144
# products at most), so that the bits depend neither on how many vectors there are nor on the machine
_AT_ONCE = 2


class ResidualQuantizer:
    """Books of codewords; vectors in, tokens out, and back, in the books' precision. Has no memory."""

    def __init__(self, books: Vectors) -> None:
        """`books` is (books, codewords, dimension)."""
        self.books, self.codewords, _ = books.shape
        # Distances seen from the middle of each book: what all its codewords share would cost digits
        self._middles = books.mean(axis=1)
        centred = books - self._middles[:, np.newaxis]
        self._search = np.ascontiguousarray(centred.transpose(0, 2, 1))
        self._half_squares = 0.5 * np.square(centred).sum(axis=2)
        # Behind the last codeword stands nothing, where NO_TOKEN finds it
        self._words = np.concatenate((books, np.zeros_like(books[:, :1])), axis=1)

    def encode(self, vectors: Vectors, books: int) -> Tokens:
        """Tokens (books, n) of the first `books` books for vectors (n, dimension): each book's nearest
        codeword. Fewer books give the first rows of more.
        """
        count = len(vectors)
        left = np.zeros((-(-count // _AT_ONCE) * _AT_ONCE, vectors.shape[1]), vectors.dtype)
        left[:count] = vectors
        tokens = np.empty((books, len(left)), np.int32)
        for book, found in enumerate(tokens):
            # |x - w|^2 is least where x.w - |w|^2 / 2 is greatest
            pairs = (left - self._middles[book]).reshape(-1, _AT_ONCE, vectors.shape[1])
            likeness = pairs @ self._search[book]
            likeness -= self._half_squares[book]
            found[:] = likeness.argmax(axis=2).ravel()
            left -= self._words[book, found]
        return tokens[:, :count]

    def decode(self, tokens: Tokens) -> Vectors:
        """The sum, (n, dimension), of what tokens (books, n) stand for: at most as many books as
        there are; tokens from 0 to codewords - 1, or NO_TOKEN.
        """
        vectors = np.zeros((tokens.shape[1], self._words.shape[2]), self._words.dtype)
        for book, found in enumerate(tokens):
            vectors += self._words[book, found]
        return vectors
