"""What was too slow, or failed: told when it happens, and again when it has got worse."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from codecfx.effects.base import Effect
from codecfx.effects.codec_effect import CodecEffect
from codecfx.effects.generations import Generations
from codecfx.performance import effects_of

_PACE_SECONDS = 10.0  # between two lines about one thing


class Rising:
    """A count that is told when it has risen, and not too often."""

    def __init__(self) -> None:
        self._told, self._when = 0.0, -_PACE_SECONDS

    def is_news(self, count: float, now: float) -> bool:
        """Whether to tell it, at `now` in seconds; a count that has fallen begins again."""
        if count < self._told:
            self._told = 0.0
        if count == self._told or now - self._when < _PACE_SECONDS:
            return False
        self._told, self._when = count, now
        return True


class Complaints:
    """Of the codecs of a board that compute beside the audio."""

    def __init__(self) -> None:
        self._told: defaultdict[int, tuple[Rising, Rising]] = defaultdict(lambda: (Rising(), Rising()))

    def fresh(self, board: Any, now: float) -> Iterator[str]:
        """What is to be told at `now`, in seconds, a line each."""
        codecs = (one for one in at_work(board) if isinstance(one, CodecEffect))
        for place, codec in enumerate(codecs):
            late, failed = self._told[place]
            name = codec.label or codec.name
            if late.is_news(codec.late_runs, now):
                times = "once" if codec.late_runs == 1 else f"{codec.late_runs} times"
                yield (
                    f"the sound has waited for {name} {times}; where that goes on, end other programs, "
                    "or play fewer codecs at once"
                )
            if failed.is_news(bool(codec.problem), now):
                why = codec.problem.strip().rpartition("\n")[2]
                yield f"{name} has failed, and was silent instead: {why}"


def at_work(board: Any) -> Iterator[Effect]:
    """Every effect of a board, in order, and every copy, which no path leads to."""
    for effect in effects_of(board):
        yield effect
        if isinstance(effect, Generations):
            for one in effect.copies:
                yield from at_work(one)
