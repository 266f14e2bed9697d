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
# Vectors and codewords in one product. OpenBLAS computes 8 x 128 x 256 in one thread (262,144 at most),
# so that the bits do not depend on the machine's cores; one or two vectors, a live stream's, are faster
# by themselves
_VECTORS, _FEW, _WORDS = 8, 2, 256


class ResidualQuantizer:
    """Books of codewords; vectors in, tokens out, and back, in the books' precision. Has no memory."""

    def __init__(self, books: Vectors) -> None:
        """`books` is (books, codewords, dimension); codewords come in multiples of 256."""
        self.books, self.codewords, dimension = books.shape
        # Distances seen from the middle of each book: what all its codewords share would cost digits
        self._middles = books.mean(axis=1)
        centred = books - self._middles[:, np.newaxis]
        parts = centred.reshape(self.books, -1, _WORDS, dimension)
        self._search = np.ascontiguousarray(parts.transpose(0, 1, 3, 2))
        self._half_squares = 0.5 * np.square(parts).sum(axis=3)[:, :, np.newaxis]
        # Behind the last codeword stands nothing, where NO_TOKEN finds it
        self._words = np.concatenate((books, np.zeros_like(books[:, :1])), axis=1)

    def encode(self, vectors: Vectors, books: int) -> Tokens:
        """Tokens (books, n) of the first `books` books for vectors (n, dimension): each book's nearest
        codeword. Fewer books give the first rows of more.
        """
        count = len(vectors)
        size = _FEW if count <= _FEW else _VECTORS
        left = np.zeros((-(-count // size) * size, vectors.shape[1]), vectors.dtype)
        left[:count] = vectors
        tokens = np.empty((books, len(left)), np.int32)
        for book, found in enumerate(tokens):
            # |x - w|^2 is least where x.w - |w|^2 / 2 is greatest
            blocks = (left - self._middles[book]).reshape(-1, 1, size, vectors.shape[1])
            likeness = blocks @ self._search[book]  # (blocks, parts, vectors, codewords)
            likeness -= self._half_squares[book]
            found[:] = likeness.transpose(0, 2, 1, 3).reshape(-1, self.codewords).argmax(axis=1)
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
