"""Twins: two of the same, so that what one of them cannot do smoothly is a fade to the other.

A pedalboard plugin takes a new value from one sample to the next, which clicks. So a plugin that may be
moved runs twice on the same input. One is heard. A change is given to the other, which nobody hears;
then the sound goes over to it along a smooth step, and the first follows, unheard.
"""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from codecfx.audio import Audio, smooth_step

if TYPE_CHECKING:
    from codecfx.effects.processor import Processor

_FADE_MS = 10
# JUCE's own ramps are straight, with a corner at their end: Reverb's of 10 ms end unheard
_SETTLE_MS = 10
_PIECE_SAMPLES = 1024  # 0.1 ms of a reverb's time
_APART_SAMPLES = 384
_instances = count()


class Twins:
    """Two plugins with the same settings as one processor. Blocks are multiples of `grid_samples`, and
    a change holds from the grid point before the sample where it is set. One that is set while another
    still fades waits for it; of several that wait, each parameter's last counts.

    The other one has 10 ms to settle before it is heard. A plugin that withholds sound may drop some of
    it with a change (MP3Compressor does): it has twice its latency to fill up again. Until a change it
    is given its input in long pieces, since a call costs as much as a short block's sound.
    """

    def __init__(
        self,
        plugins: Sequence[Any],
        running: Sequence["Processor"],
        grid_samples: int,
        sample_rate: int,
    ) -> None:
        """Two `plugins`, whose settings are attributes, and what runs for each of them."""
        self._plugins, self._running = list(plugins), list(running)
        self.latency_samples = running[0].latency_samples
        settling = max(2 * self.latency_samples, 1 + sample_rate * _SETTLE_MS // 1000)
        self._settling = _on(grid_samples, settling)
        fading = _on(grid_samples, max(1, sample_rate * _FADE_MS // 1000))
        self._rising = smooth_step(fading).astype(np.float32)
        self._falling = np.float32(1) - self._rising
        self._wanted: dict[str, Any] = {}  # what the other one is still to be given
        self._given: dict[str, Any] = {}  # what it has, and the one that is heard has not
        self._heard, self._done = 0, -1  # samples of the change that are over; none is under way: -1
        self._behind: list[Audio] = []  # what the other one has not been given yet
        # not all at once, where there are several
        self._behind_samples = next(_instances) * _APART_SAMPLES % _PIECE_SAMPLES

    def set(self, parameter_id: str, value: Any) -> None:
        """Move to this value, as soon as no other change is under way. [audio thread]"""
        self._wanted[parameter_id] = value

    def process_block(self, block: Audio) -> Audio:
        samples = block.shape[1]
        if self._done < 0 and not self._wanted:
            self._keep_up(block)
            return self._running[self._heard].process_block(block)
        if self._done < 0:
            self._begin()
        if samples <= self._left:
            return self._next(block)
        output = np.empty_like(block)
        at = 0
        while at < samples:
            if self._done < 0 and self._wanted:
                self._begin()
            piece = block[:, at : at + self._left]
            output[:, at : at + piece.shape[1]] = self._next(piece)
            at += piece.shape[1]
        return output

    @property
    def _left(self) -> int:
        """Samples until something else happens."""
        if self._done < 0:
            return 2**62
        if self._done < self._settling:
            return self._settling - self._done
        return self._settling + len(self._rising) - self._done

    def _keep_up(self, block: Audio) -> None:
        """The other one's next input, for now or later."""
        self._behind.append(block.copy())
        self._behind_samples += block.shape[1]
        if self._behind_samples >= _PIECE_SAMPLES:
            self._catch_up()

    def _catch_up(self) -> None:
        if self._behind:
            self._running[1 - self._heard].process_block(np.concatenate(self._behind, axis=1))
            self._forget()

    def _forget(self) -> None:
        self._behind.clear()
        self._behind_samples = 0

    def _begin(self) -> None:
        self._catch_up()
        self._given, self._wanted = self._wanted, {}
        self._give(self._plugins[1 - self._heard])
        self._done = 0

    def _give(self, plugin: Any) -> None:
        for parameter_id, value in self._given.items():
            setattr(plugin, parameter_id, value)

    def _next(self, piece: Audio) -> Audio:
        """A piece in which nothing else happens."""
        if self._done < 0:
            self._keep_up(piece)
            return self._running[self._heard].process_block(piece)
        sound = self._running[self._heard].process_block(piece)
        other = self._running[1 - self._heard].process_block(piece)
        at = self._done - self._settling
        self._done += piece.shape[1]
        if at >= 0:
            part = slice(at, at + piece.shape[1])
            sound = sound * self._falling[part]
            sound += other * self._rising[part]
            if self._done == self._settling + len(self._rising):
                self._heard, self._done = 1 - self._heard, -1
                self._give(self._plugins[1 - self._heard])
        return sound

    def reset(self) -> None:
        self._given |= self._wanted
        self._wanted = {}
        for plugin in self._plugins:
            self._give(plugin)
        self._done = -1
        self._forget()
        for running in self._running:
            running.reset()


def _on(grid_samples: int, samples: int) -> int:
    """`samples`, up to the next grid point."""
    return -(-samples // grid_samples) * grid_samples
