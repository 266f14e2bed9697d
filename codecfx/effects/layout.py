"""Array layouts: what users hand in, turned to (channels, samples) at the edge and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from codecfx.audio import Audio, interleaved, planar
from codecfx.errors import UnsupportedFormat


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array holds audio: a vector, channels first or samples first.

    >>> Layout.of(np.zeros((48000, 2))).channels_first
    False
    """

    dimensions: int
    channels_first: bool
    channels: int

    @classmethod
    def of(cls, array: ArrayLike, before: "Layout | None" = None) -> "Layout":
        """The layout of `array`. The smaller side is taken for the channels, as pedalboard does; where
        the array fits the stream `before`, it is read in the same way.

        Raises:
            UnsupportedFormat: more than two dimensions, or not numbers.
        """
        shape = np.shape(array)
        kind = np.asarray(array).dtype.kind
        if kind not in "fiu":
            raise UnsupportedFormat("audio must be an array of numbers, (channels, samples)")
        if kind != "f":
            raise UnsupportedFormat(
                f"audio is {np.asarray(array).dtype}; codecfx takes floats with full scale at 1.0: "
                "divide integers by theirs"
            )
        if len(shape) == 1:
            return cls(1, True, 1)
        if len(shape) != 2:
            raise UnsupportedFormat(
                f"audio has {len(shape)} dimensions; codecfx takes (channels, samples), "
                "(samples, channels) or (samples,)"
            )
        side = 0 if before is None or before.channels_first else 1
        if before is not None and before.dimensions == 2 and shape[side] == before.channels:
            return before
        channels_first = shape[1] == 0 or 0 < shape[0] <= shape[1]  # no samples are samples
        return cls(2, channels_first, shape[0 if channels_first else 1])

    def inward(self, array: ArrayLike) -> Audio:
        """`array` as float32 (channels, samples)."""
        audio = np.asarray(array, np.float32)
        if self.dimensions == 1:
            return audio[np.newaxis]
        return np.ascontiguousarray(audio) if self.channels_first else planar(audio)

    def outward(self, audio: Audio) -> Audio:
        """`audio`, float32 (channels, samples), in this layout."""
        if self.dimensions == 1:
            vector: Audio = audio[0]
            return vector
        return audio if self.channels_first else interleaved(audio)
