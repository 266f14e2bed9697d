"""Dry and wet, aligned: the mix of an effect with its own input, delayed by the effect's latency."""

from typing import TYPE_CHECKING

import numpy as np

from codecfx.audio import Audio, silence

if TYPE_CHECKING:
    from codecfx.effects.base import Processor

_RAMP_MS = 20  # short enough to feel at once, long enough not to click on a low sine


class DelayLine:
    """Audio, `delay_samples` later, in blocks of any size."""

    def __init__(self, delay_samples: int, channels: int) -> None:
        self.delay_samples = delay_samples
        self._ring = silence(channels, max(1, delay_samples))
        self._nothing = silence(channels, 0)
        self._at = 0

    def exchange(self, block: Audio) -> Audio:
        """Put a block in and take the delayed one of the same length out."""
        late = self.recall(block)
        self.remember(block)
        return late

    def recall(self, block: Audio) -> Audio:
        """What `exchange` would return for `block`, which is not put in."""
        size, samples, at = self.delay_samples, block.shape[1], self._at
        if not size:
            return block
        held = min(samples, size)
        first = min(held, size - at)
        return np.concatenate(
            (
                self._ring[:, at : at + first],
                self._ring[:, : held - first],
                block[:, : samples - held],
            ),
            axis=1,
        )

    def remember(self, block: Audio) -> None:
        """Put a block in; take nothing out."""
        size, samples, at = self.delay_samples, block.shape[1], self._at
        if samples >= size:
            if size:
                self._ring[:] = block[:, samples - size :]
            self._at = 0
            return
        first = min(samples, size - at)
        self._ring[:, at : at + first] = block[:, :first]
        if first < samples:
            self._ring[:, : samples - first] = block[:, first:]
        self._at = (at + samples) % size

    def reset(self) -> None:
        self._ring.fill(0)
        self._at = 0


class DryWet:
    """Mixes a processor with its input at the processor's own latency, which never changes.

    The wet gain (0 dry, 1 wet) moves in a straight line over 20 ms, sample by sample. At 0 the output
    is the delayed input to the last bit, at 1 the processor's. Where a codec's delay is not a whole
    number of samples (speech codecs shift phases by up to 3 samples at 48 kHz), mixes in between comb
    by that fraction.
    """

    def __init__(self, wet: "Processor", sample_rate: int, channels: int, gain: float) -> None:
        self.latency_samples = wet.latency_samples
        self._wet = wet
        self._dry = DelayLine(self.latency_samples, channels)
        self._ramp_samples = max(1, sample_rate * _RAMP_MS // 1000)
        self._wanted = self._start = self._target = gain
        self._ramped = self._ramp_samples  # samples of the ramp that are over

    def set_wet(self, gain: float) -> None:
        """Move towards `gain` from the next block on, from wherever it is then. [any thread]"""
        self._wanted = gain

    def process_block(self, block: Audio) -> Audio:
        wet = self._wet.process_block(block)
        wanted = self._wanted
        if wanted != self._target:
            done = self._ramped / self._ramp_samples
            self._start += (self._target - self._start) * done
            self._target, self._ramped = wanted, 0
        if self._ramped == self._ramp_samples:
            if self._target == 1:
                self._dry.remember(block)
                return wet
            if self._target == 0:
                return self._dry.exchange(block)
        dry = self._dry.exchange(block)
        gain = self._next_gains(block.shape[1])
        mixed: Audio = dry * (np.float32(1) - gain) + wet * gain
        return mixed

    def _next_gains(self, samples: int) -> Audio:
        """The gain at each of the next samples, float32 (samples,)."""
        steps = np.arange(self._ramped + 1, self._ramped + 1 + samples)
        np.minimum(steps, self._ramp_samples, out=steps)
        self._ramped = min(self._ramped + samples, self._ramp_samples)
        gains = self._start + (self._target - self._start) * (steps / self._ramp_samples)
        return gains.astype(np.float32)

    def reset(self) -> None:
        self._wet.reset()
        self._dry.reset()
        self._start = self._target = self._wanted
        self._ramped = self._ramp_samples
