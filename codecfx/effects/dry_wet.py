"""Dry and wet, aligned: an effect, and its own input, delayed by the effect's latency."""

from typing import TYPE_CHECKING

import numpy as np

from codecfx.audio import Audio, silence, smooth_step

if TYPE_CHECKING:
    from codecfx.effects.delta import Delta
    from codecfx.effects.processor import Processor

_RAMP_MS = 20  # short enough to feel at once, long enough not to be heard as a sound of its own


class DelayLine:
    """Audio, `delay_samples` later, in blocks of any size."""

    def __init__(self, delay_samples: int, channels: int) -> None:
        self.delay_samples = delay_samples
        self._ring = silence(channels, max(1, delay_samples))
        self._nothing = silence(channels, 0)
        self._at = 0

    def exchange(self, block: Audio) -> Audio:
        """Put a block in and take the delayed one of the same length out."""
        at, past = self._at, self._at + block.shape[1]
        if past < self.delay_samples:  # as nearly always
            late = self._ring[:, at:past].copy()
            self._ring[:, at:past] = block
            self._at = past
            return late
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


class SmoothGain:
    """A gain that moves sample by sample along a smooth step of 20 ms; a move that begins while another
    is under way adds to it, so that no gesture has a corner.
    """

    def __init__(self, sample_rate: int, gain: float) -> None:
        # what is left of a move after each of its samples
        self._left = 1.0 - smooth_step(max(1, sample_rate * _RAMP_MS // 1000))
        self._wanted = self.target = gain
        # what is left of all moves at the next samples, and where in it the next sample is
        self._ahead = np.zeros(4 * len(self._left))
        self._at = self._until = 0

    def move_to(self, gain: float) -> None:
        """Move there from the next block on, from wherever it is then. [any thread]"""
        self._wanted = gain

    def rests_at(self, gain: float) -> bool:
        """Whether it was there and still at the last sample. [audio thread]"""
        return self._at == self._until and self.target == gain

    def is_still(self) -> bool:
        """Whether it is `target` all through the next block, which begins now. [audio thread]"""
        wanted = self._wanted
        if wanted != self.target:
            self._begin_move(wanted)
        return self._at == self._until

    def _begin_move(self, wanted: float) -> None:
        length = len(self._left)
        if self._at + length > len(self._ahead):
            waiting = self._ahead[self._at : self._until].copy()
            self._ahead.fill(0)
            self._ahead[: len(waiting)] = waiting
            self._at, self._until = 0, len(waiting)
        self._ahead[self._at : self._at + length] += (wanted - self.target) * self._left
        self._until = self._at + length
        self.target = wanted

    def next_gains(self, samples: int) -> Audio:
        """The gain at each of the next samples, float32 (samples,)."""
        at, until = self._at, self._until
        count = min(samples, until - at)
        left = self._ahead[at : at + count]
        gains = np.empty(samples, np.float32)
        # what is not over yet is taken from the target, which is exact once everything is over
        np.subtract(self.target, left, out=gains[:count], casting="same_kind")
        if count < samples:
            gains[count:] = self.target
        left[:] = 0
        self._at = at + count
        return gains

    def reset(self) -> None:
        """Be there at once."""
        self.target = self._wanted
        self._ahead.fill(0)
        self._at = self._until = 0


class DryWet:
    """Mixes a processor with its input at the processor's own latency, which never changes.

    The wet gain (0 dry, 1 wet) is a `SmoothGain`. At 0 the output is the delayed input to the last bit,
    at 1 the processor's. Where a codec's delay is not a whole number of samples (speech codecs shift
    phases by up to 3 samples at 48 kHz), mixes in between comb by that fraction.

    A `Delta` makes what is heard the difference from dry.
    """

    def __init__(
        self,
        wet: "Processor",
        sample_rate: int,
        channels: int,
        gain: float,
        delta: "Delta | None" = None,
    ) -> None:
        self.latency_samples = wet.latency_samples
        self._wet = wet
        self._dry = DelayLine(self.latency_samples, channels)
        self._gain = SmoothGain(sample_rate, gain)
        self.delta = delta

    def set_wet(self, gain: float) -> None:
        """Move towards `gain` from the next block on, from wherever it is then. [any thread]"""
        self._gain.move_to(gain)

    def process_block(self, block: Audio) -> Audio:
        wet = self._wet.process_block(block)
        is_still, is_wet = self._gain.is_still(), self.delta is None or self.delta.is_off()
        if is_still and is_wet and self._gain.target == 1:  # as nearly always
            self._dry.remember(block)
            return wet
        dry = self._dry.exchange(block)
        if not is_still:
            wet = mixed(dry, wet, self._gain.next_gains(block.shape[1]))
        elif self._gain.target == 0:
            wet = dry
        elif self._gain.target != 1:
            wet = mixed(dry, wet, np.full(1, self._gain.target, np.float32))
        return wet if is_wet or self.delta is None else self.delta.process_block(dry, wet)

    def reset(self) -> None:
        self._wet.reset()
        self._dry.reset()
        self._gain.reset()
        if self.delta is not None:
            self.delta.reset()


def mixed(dry: Audio, wet: Audio, gain: Audio) -> Audio:
    """As much of `wet` as `gain` says, (samples,) or (1,), 0 to 1, and of `dry` what is left. Takes
    `gain` apart.
    """
    mix = wet * gain
    np.subtract(np.float32(1), gain, out=gain)
    gain = gain * dry
    mix += gain
    return mix


def faded(old: Audio, new: Audio, rising: Audio, into: int) -> Audio:
    """`old`, which `new` takes over from along `rising`, (samples,); the blocks begin `into` samples
    after its start, below 0 before it.
    """
    gain = np.zeros(old.shape[1], np.float32)
    if into + len(gain) > 0:
        part = rising[max(0, into) : into + len(gain)]
        gain[len(gain) - len(part) :] = part
    mix: Audio = old * (np.float32(1) - gain) + new * gain
    return mix
