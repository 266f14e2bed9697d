"""MidSide: what both channels of a pair have in common, and what tells them apart, each on its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.effects.board import Container, in_series
from codecfx.effects.dry_wet import DelayLine
from codecfx.effects.processor import Processor, StreamSpec
from codecfx.effects.routing import InSeries


class MidSide(Container):
    """Mid and side at rates of their own: `MidSide([Opus(bitrate_kbps=24), Opus(bitrate_kbps=6)])`.

    The first plugin gets the mid, (left + right) / 2, and the second the side, (left - right) / 2, each
    as a mono stream; left is their sum, right their difference. What has no plugin passes, as with an
    empty `Chain`; more than two plugins are refused. With nothing inside the output is the input,
    within a float32 rounding of the louder channel (1.2e-7 of it).

    Of more than two channels, the mids of all pairs are one stream of as many channels, the sides
    another, and an odd last channel is a mid. So mono goes through the first plugin alone.

    Latency is the slower one's, for which the other waits.
    """

    name: ClassVar[str] = "midside"
    description: ClassVar[str] = "The middle through one effect, the sides through another"
    branches: ClassVar[tuple[str, ...]] = ("mid", "side")

    def _connect(self, spec: StreamSpec) -> Processor:
        self._upstream = {}
        pairs = spec.channels // 2
        channels = spec.channels - pairs, max(1, pairs)
        running = [
            in_series([plugin], replace(spec, channels=count))[0]
            for plugin, count in zip(self, channels, strict=False)
        ]
        # in mono the side's is ready for its parameters to be moved, and never hears anything
        return OfPairs(running if pairs else running[:1], spec.channels)


class OfPairs:
    """A processor for the mids and one for the sides; both wait for the later. What has none passes."""

    def __init__(self, branches: Sequence[Processor], channels: int) -> None:
        self._pairs = channels // 2
        counts = channels - self._pairs, self._pairs
        both = [*branches, *(InSeries([]) for _ in range(2 - len(branches)))]
        self.latency_samples = max(branch.latency_samples for branch in both)
        self._mid, self._side = (
            (branch, DelayLine(self.latency_samples - branch.latency_samples, count))
            for branch, count in zip(both, counts, strict=True)
        )

    def process_block(self, block: Audio) -> Audio:
        paired = 2 * self._pairs
        left, right = block[0:paired:2], block[1:paired:2]
        mid = silence(len(block) - self._pairs, block.shape[1])
        np.add(left, right, out=mid[: self._pairs])
        mid[: self._pairs] *= np.float32(0.5)
        mid[self._pairs :] = block[paired:]
        branch, wait = self._mid
        mid = wait.exchange(branch.process_block(mid))
        if not self._pairs:
            return mid
        branch, wait = self._side
        side = wait.exchange(branch.process_block((left - right) * np.float32(0.5)))
        output = np.empty_like(block)
        np.add(mid[: self._pairs], side, out=output[0:paired:2])
        np.subtract(mid[: self._pairs], side, out=output[1:paired:2])
        output[paired:] = mid[self._pairs :]
        return output

    def reset(self) -> None:
        for branch, wait in (self._mid, self._side):
            branch.reset()
            wait.reset()
