"""CONTRACT 2: what a stage is, and how stages add up.

A stage takes samples in any amounts and gives samples in any amounts; nothing is padded. What it
owes is arithmetic: how many samples it may withhold, and how late their content is. Both are
declared, never probed from a whole pipeline, because they add up and dry runs under-read them.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import floor
from typing import Protocol

from codecfx.audio import Audio


class Stage(Protocol):
    """Samples in, samples out.

    Laws (tests/test_stage_laws.py): the output never depends on how the input was cut into chunks;
    after N samples in, at least N * ratio - holdback_samples have come out, for every N; what comes
    out is content `lookahead_samples` late; after `reset` a stage behaves as if new.

    Arrays returned may be views into a stage's own memory: use or copy them before the next push.
    """

    ratio: Fraction  # output rate / input rate
    holdback_samples: Fraction  # most output ever withheld; framing: frame - 1
    lookahead_samples: Fraction  # how late the content is beyond that, in output samples

    def push(self, chunk: Audio) -> Audio:
        """float32 (channels, any number) in, (channels, any number) out. [audio thread]"""

    def reset(self) -> None:
        """Forget the past. [audio thread]"""


class Series:
    """Stages one after another; ratios multiply, holdbacks and lookaheads add up.

    A holdback of h samples before a stage of ratio r is h * r after it.
    """

    def __init__(self, stages: Iterable[Stage]) -> None:
        self.stages = tuple(stages)
        self.ratio = Fraction(1)
        self.holdback_samples = Fraction(0)
        self.lookahead_samples = Fraction(0)
        for stage in self.stages:
            self.ratio *= stage.ratio
            self.holdback_samples = self.holdback_samples * stage.ratio + stage.holdback_samples
            self.lookahead_samples = self.lookahead_samples * stage.ratio + stage.lookahead_samples

    def push(self, chunk: Audio) -> Audio:
        for stage in self.stages:
            chunk = stage.push(chunk)
        return chunk

    def reset(self) -> None:
        for stage in self.stages:
            stage.reset()


def padding_samples(stage: Stage) -> int:
    """Silence that must stand before a ratio-1 stage's output so that N samples in give N out.

    >>> from codecfx.stream.framing import Framed
    >>> padding_samples(Framed(960, 2, lambda frames: frames))
    959
    """
    if stage.ratio != 1:
        raise ValueError(f"a stage of ratio {stage.ratio} cannot return the block it was given")
    return floor(stage.holdback_samples)
