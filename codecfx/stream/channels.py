"""Channels: a stream as groups that a codec can carry, each brought to the codec's own count."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from codecfx.audio import Audio
from codecfx.stream.stage import Stage


def groups(channels: int, widest: int) -> list[slice]:
    """A stream's channels as codecs carry them: pairs where the codec takes two, else singles.

    An odd one out stays mono: five channels are two pairs and a single.

    >>> [(g.start, g.stop) for g in groups(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    return [slice(at, min(at + widest, channels)) for at in range(0, channels, widest)]


class MatchChannels:
    """Brings a stream to another channel count: a downmix to mono is the mean, mono spreads as it is.

    Mono to stereo and back is exact.
    """

    ratio = Fraction(1)
    holdback_samples = Fraction(0)
    lookahead_samples = Fraction(0)

    def __init__(self, incoming: int, outgoing: int) -> None:
        if incoming != outgoing and 1 not in (incoming, outgoing):
            raise ValueError(f"{incoming} channels do not become {outgoing}; one side must be mono")
        self._incoming, self._outgoing = incoming, outgoing

    def push(self, chunk: Audio) -> Audio:
        if self._outgoing > self._incoming:
            return np.repeat(chunk, self._outgoing, axis=0)
        if self._outgoing < self._incoming:
            mono: Audio = chunk.mean(axis=0, keepdims=True, dtype=np.float32)
            return mono
        return chunk

    def reset(self) -> None:
        pass


class SideBySide:
    """One stage per group of channels, alike but for the channels they carry."""

    def __init__(self, parts: Sequence[slice], stages: Sequence[Stage]) -> None:
        first = stages[0]
        for stage in stages[1:]:
            if (stage.ratio, stage.holdback_samples, stage.lookahead_samples) != (
                first.ratio,
                first.holdback_samples,
                first.lookahead_samples,
            ):
                raise ValueError("groups of channels must have the same timing")
        self.ratio = first.ratio
        self.holdback_samples = first.holdback_samples
        self.lookahead_samples = first.lookahead_samples
        self._parts = tuple(zip(parts, stages, strict=True))

    def push(self, chunk: Audio) -> Audio:
        return np.concatenate([stage.push(chunk[part]) for part, stage in self._parts], axis=0)

    def reset(self) -> None:
        for _, stage in self._parts:
            stage.reset()
