"""Readings: what the meters in shared memory say, in the units that people read."""

import math
from collections.abc import Sequence
from typing import Any

from codecfx.live.memory import Meter
from codecfx.live.round_trip import RoundTrip
from codecfx.live.status import Level, Part
from codecfx.live.wiring import Wiring

_LONGEST_S = 60.0
_ROUNDED_S = 1e-4  # devices say their times in microseconds, and clocks differ


def levels(peaks: Any, powers: Any, channels: int) -> tuple[Level, ...]:
    """Highest samples and mean squares, by channel, in dB of full scale."""
    return tuple(
        Level(10 * _log10(float(power)), 20 * _log10(float(peak)))
        for peak, power in zip(peaks[:channels], powers[:channels], strict=True)
    )


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def latency(
    wiring: Wiring,
    meters: Any,
    block_samples: int,
    effects: Sequence[tuple[str, int]],
    measured: RoundTrip | None = None,
) -> tuple[Part, ...]:
    """Everything between microphone and phones that takes time: the device's ways as it tells of each
    block, or the round trip where it was measured; the block; the effects' in samples.
    """
    rate = wiring.sample_rate
    board = [Part(name, late, 1000 * late / rate) for name, late in effects]
    if measured is not None:
        return Part("round trip", measured.samples, measured.ms), *board
    block = block_samples / rate
    parts = [Part("block", block_samples, 1000 * block), *board]
    if wiring.microphone is not None:  # a file has no way
        into = meters[Meter.IN_S] - block
        parts.insert(0, _device("device in", into, into > -_ROUNDED_S, rate))
    if wiring.phones is not None:
        out = meters[Meter.OUT_S]
        parts.append(_device("device out", out, out > 0, rate))
    return tuple(parts)


def _device(name: str, seconds: float, is_known: bool, sample_rate: int) -> Part:
    if not is_known or seconds > _LONGEST_S:  # some devices say nothing, or 25 hours
        return Part(name, 0, 0.0, is_known=False)
    seconds = max(0.0, seconds)
    return Part(name, round(seconds * sample_rate), 1000 * seconds)
