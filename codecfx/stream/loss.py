"""Loss: which packets never arrive. One rate, and six ways of spreading it over time.

- random: each packet for itself.
- drift: the rate itself wanders, from nothing to twice as much, and is what was asked for in the mean.
- bursts: a channel that is good or bad (Gilbert, Capacity of a burst-noise channel, Bell System
  Technical Journal 39, 1960): in the bad state everything is lost, and it lasts for `burst_packets` in
  the mean.
- periodic: the first part of every period, in milliseconds or in beats.
- drawn: a period drawn as steps, x for a step that is lost: "x...x.x.".
- trace: packet by packet as a file says.

In the last two, `loss` is the chance that a marked packet is lost indeed.
"""

from collections.abc import Mapping, Sequence
from math import floor

from codecfx.control.parameters import Value
from codecfx.stream.chance import Chance, Purpose

PATTERNS = ("random", "drift", "bursts", "periodic", "drawn", "trace")
_MARKS = frozenset("xX#1")
_ROUNDING = 1e-9


class Loss:
    """Whether each packet of a stream is lost, asked for one after another."""

    def __init__(self, chance: Chance, packet_ms: float, trace: Sequence[bool] = ()) -> None:
        self._chance, self._packet_ms, self._trace = chance, packet_ms, trace
        self._is_bad: bool | None = None  # the channel; None before it was looked at

    def is_lost(self, number: int, values: Mapping[str, Value]) -> bool:
        """Whether packet `number` is, by the parameters as they are for it."""
        rate = float(values["loss"])
        if rate <= 0:
            self._is_bad = None
            return False
        luck = self._chance.at(number, Purpose.LOST)
        pattern = values["loss_pattern"]
        if pattern == "bursts":
            return self._is_in_a_burst(luck, rate, float(values["burst_packets"]))
        self._is_bad = None
        if pattern == "random":
            return luck < rate
        if pattern == "trace":
            return bool(self._trace) and self._trace[number % len(self._trace)] and luck < rate
        # a little further, so that what begins with a packet does, however its time was rounded
        periods = number * self._packet_ms / period_ms(values) + _ROUNDING
        if pattern == "drift":
            return luck < self._drifting(periods, rate)
        if pattern == "periodic":
            return periods - floor(periods) < rate - _ROUNDING
        steps = str(values["loss_steps"])
        if not steps:
            return False
        return steps[int((periods - floor(periods)) * len(steps))] in _MARKS and luck < rate

    def _is_in_a_burst(self, luck: float, rate: float, mean: float) -> bool:
        """A step of the channel: with these two chances the rate is exact, and so is the mean length,
        unless there is more loss than bursts of that length leave room for.
        """
        if rate >= 1:
            return True
        mean = max(mean, rate / (1 - rate))
        if self._is_bad is None:
            self._is_bad = luck < rate
        elif self._is_bad:
            self._is_bad = luck >= 1 / mean
        else:
            self._is_bad = luck < rate / (1 - rate) / mean
        return self._is_bad

    def _drifting(self, periods: float, rate: float) -> float:
        """The rate there: on a smooth way between random knots, one a period."""
        knot = floor(periods)
        part = periods - knot
        one, other = (self._chance.at(at, Purpose.KNOT) for at in (knot, knot + 1))
        way = one + (other - one) * part * part * (3 - 2 * part)
        return 2 * rate * way if rate <= 0.5 else 1 - 2 * (1 - rate) * (1 - way)

    def reset(self) -> None:
        """From the first packet again."""
        self._is_bad = None


def period_ms(values: Mapping[str, Value]) -> float:
    """The period of what repeats: so many beats, or else so many milliseconds."""
    beats = float(values["loss_beats"])
    return beats * 60_000 / float(values["tempo_bpm"]) if beats else float(values["loss_period_ms"])
