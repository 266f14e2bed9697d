"""Processors in series and side by side: how latencies add up in a board."""

from collections.abc import Iterable

import numpy as np

from codecfx.audio import Audio
from codecfx.effects.dry_wet import DelayLine
from codecfx.effects.processor import Processor


class InSeries:
    """Processors one after another; latencies add up."""

    def __init__(self, processors: Iterable[Processor]) -> None:
        self._processors = tuple(processors)
        self.latency_samples = sum(one.latency_samples for one in self._processors)

    def process_block(self, block: Audio) -> Audio:
        for one in self._processors:
            block = one.process_block(block)
        return block

    def reset(self) -> None:
        for one in self._processors:
            one.reset()


class InParallel:
    """Processors on the same input, summed in order; all wait for the latest."""

    def __init__(self, branches: Iterable[Processor], channels: int) -> None:
        branches = tuple(branches)
        self.latency_samples = max((branch.latency_samples for branch in branches), default=0)
        self._branches = [
            (branch, DelayLine(self.latency_samples - branch.latency_samples, channels))
            for branch in branches
        ]

    def process_block(self, block: Audio) -> Audio:
        total = np.zeros_like(block)
        for branch, wait in self._branches:
            total += wait.exchange(branch.process_block(block))
        return total

    def reset(self) -> None:
        for branch, wait in self._branches:
            branch.reset()
            wait.reset()
