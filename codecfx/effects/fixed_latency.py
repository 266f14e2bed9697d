"""From stages to effects: the one place that pads."""

from codecfx.audio import Audio, silence
from codecfx.stream.stage import Stage, padding_samples


class FixedLatency:
    """Makes a stage of ratio 1 a processor: its output starts with as much silence as the stage may
    ever withhold, so that N samples in give N out.

    latency_samples = padding + the stage's lookahead, to the nearest sample.
    """

    def __init__(self, stage: Stage, channels: int) -> None:
        self._stage = stage
        self._padding = padding_samples(stage)
        self.latency_samples = self._padding + round(stage.lookahead_samples)
        self._queue = silence(channels, max(4096, 4 * self._padding))
        self._begin, self._end = 0, self._padding

    def process_block(self, block: Audio) -> Audio:
        ready = self._stage.push(block)
        arriving, leaving = ready.shape[1], block.shape[1]
        if arriving == leaving and self._begin == self._end:
            return ready
        if arriving:
            if self._end + arriving > self._queue.shape[1]:
                self._make_room(arriving)
            self._queue[:, self._end : self._end + arriving] = ready
            self._end += arriving
        begin = self._begin
        self._begin = begin + leaving
        return self._queue[:, begin : begin + leaving]

    def _make_room(self, arriving: int) -> None:
        waiting = self._queue[:, self._begin : self._end]
        needed = waiting.shape[1] + arriving
        if needed > self._queue.shape[1]:
            larger = silence(self._queue.shape[0], 2 * needed)
            larger[:, : waiting.shape[1]] = waiting
            self._queue = larger
        else:
            self._queue[:, : waiting.shape[1]] = waiting.copy()
        self._begin, self._end = 0, waiting.shape[1]

    def reset(self) -> None:
        self._stage.reset()
        self._queue[:, : self._padding] = 0
        self._begin, self._end = 0, self._padding
