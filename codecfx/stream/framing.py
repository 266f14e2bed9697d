"""Framing: chunks of any size in, whole frames to a codec, its frames out."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from codecfx.audio import Audio, silence


class Framed:
    """Collects samples into frames and hands every run of whole frames to `run`.

    `run` takes float32 (channels, k * frame_samples), k >= 1, and returns as many samples, whose
    content is `lookahead_samples` late, but for `withheld_samples` that it keeps back at first. As
    soon as a frame is whole it is run, so what else is withheld is at most a frame less one sample.
    `reset` clears whatever memory is behind `run`.
    """

    ratio = Fraction(1)

    def __init__(
        self,
        frame_samples: int,
        channels: int,
        run: Callable[[Audio], Audio],
        reset: Callable[[], None] = lambda: None,
        lookahead_samples: int = 0,
        withheld_samples: int = 0,
    ) -> None:
        self.frame_samples = frame_samples
        self.holdback_samples = Fraction(frame_samples - 1 + withheld_samples)
        self.lookahead_samples = Fraction(lookahead_samples)
        self._run = run
        self._reset = reset
        self._partial = silence(channels, frame_samples)  # the frame being filled
        self._nothing = silence(channels, 0)
        self._filled = 0

    @property
    def waiting_samples(self) -> int:
        """How much of the next frame is there already. [any thread]"""
        return self._filled

    def push(self, chunk: Audio) -> Audio:
        size, filled = self.frame_samples, self._filled
        samples = chunk.shape[1]
        after = filled + samples
        if after < size:
            self._partial[:, filled:after] = chunk
            self._filled = after
            return self._nothing
        whole = after - after % size
        used = whole - filled
        if filled:
            self._filled = 0  # before the copy below overwrites the partial frame
            frames = np.concatenate((self._partial[:, :filled], chunk[:, :used]), axis=1)
        else:
            frames = chunk[:, :used]
        self._filled = after - whole
        if self._filled:
            self._partial[:, : self._filled] = chunk[:, used:]
        return self._run(frames)

    def reset(self) -> None:
        self._filled = 0
        self._reset()
