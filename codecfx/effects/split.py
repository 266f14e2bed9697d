"""Split: a crossover, with a branch of its own for what is below, between and above."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from codecfx.audio import Audio
from codecfx.control.parameters import Curve, Parameter, Value
from codecfx.effects.base import COMMON
from codecfx.effects.board import Container, in_series
from codecfx.effects.crossover import Crossover
from codecfx.effects.dry_wet import DelayLine
from codecfx.effects.processor import Processor, StreamSpec
from codecfx.effects.routing import InSeries

LOW_HZ = Parameter(
    "low_hz",
    "Low crossover",
    default=200.0,
    minimum=20.0,
    maximum=20_000.0,
    unit="Hz",
    curve=Curve.EXPONENTIAL,
    description="What is below it goes through the first branch",
)
HIGH_HZ = Parameter(
    "high_hz",
    "High crossover",
    default=4000.0,
    minimum=20.0,
    maximum=20_000.0,
    unit="Hz",
    curve=Curve.EXPONENTIAL,
    description="Of three branches, the last gets what is above it; below low_hz it counts as low_hz",
)


class Split(Container):
    """Plugins in bands of their own, summed: `Split([Chain(), Opus(bitrate_kbps=8)], low_hz=150)`.

    Three plugins get what is below `low_hz`, between it and `high_hz`, and above. Two get what is below
    and above `low_hz`; one, what is below it. What has no plugin passes, as with an empty `Chain`. More
    than three are refused. With nothing, or with what is lossless, inside, the sum is the input,
    delayed, to float32's rounding.

    Latency is 10 ms and the slowest branch's, for which the others wait. Slopes are linear in phase, 48
    dB down an octave from 150 Hz, steeper above; below 150 Hz a crossover is 150 Hz wide. Both move
    live, faded over 10 ms. Where `high_hz` is below `low_hz`, nothing is between them.
    """

    name: ClassVar[str] = "split"
    description: ClassVar[str] = "Bands below, between and above two crossovers, an effect in each"
    parameters: ClassVar[tuple[Parameter, ...]] = (LOW_HZ, HIGH_HZ, *COMMON)
    branches: ClassVar[tuple[str, ...]] = ("what is below low_hz", "between", "above high_hz")
    _crossover: Crossover | None = None

    def _connect(self, spec: StreamSpec) -> Processor:
        cutoffs = self._cutoffs_hz(2 if len(self) == len(self.branches) else 1)
        self._crossover = Crossover(spec.sample_rate, spec.channels, cutoffs)
        late = self._crossover.latency_samples
        self._upstream = {id(plugin): late for plugin in self}
        return InBands(
            self._crossover, [in_series([plugin], spec)[0] for plugin in self], spec.channels
        )

    def _cutoffs_hz(self, count: int) -> tuple[float, ...]:
        low, high = float(self._values["low_hz"]), float(self._values["high_hz"])
        return (low, max(low, high))[:count]

    def apply(self, parameter: Parameter, value: Value) -> None:
        if self._crossover is not None:
            self._crossover.move_to(self._cutoffs_hz(self._crossover.cutoffs))

    def samples_before(self, parameter: Parameter) -> int:
        if parameter in (LOW_HZ, HIGH_HZ) and self._crossover is not None:
            return self._crossover.latency_samples
        return super().samples_before(parameter)


class InBands:
    """A processor for each band from the lowest on, summed; all wait for the latest. A band without one
    passes.
    """

    def __init__(self, crossover: Crossover, branches: Sequence[Processor], channels: int) -> None:
        self._crossover = crossover
        bands = [*branches, *(InSeries([]) for _ in range(crossover.cutoffs + 1 - len(branches)))]
        latest = max(branch.latency_samples for branch in bands)
        self.latency_samples = crossover.latency_samples + latest
        self._branches = [
            (branch, DelayLine(latest - branch.latency_samples, channels)) for branch in bands
        ]

    def process_block(self, block: Audio) -> Audio:
        total = np.zeros_like(block)
        for band, (branch, wait) in zip(self._crossover.bands(block), self._branches, strict=True):
            total += wait.exchange(branch.process_block(band))
        return total

    def reset(self) -> None:
        self._crossover.reset()
        for branch, wait in self._branches:
            branch.reset()
            wait.reset()
