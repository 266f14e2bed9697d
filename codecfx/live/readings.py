"""Readings: what the meters in shared memory say, in the units that people read."""

import math
from collections.abc import Sequence
from typing import Any

from codecfx.live.round_trip import RoundTrip
from codecfx.live.status import Level, Part


def levels(peaks: Any, powers: Any, channels: int) -> tuple[Level, ...]:
    """Highest samples and mean squares, by channel, in dB of full scale."""
    return tuple(
        Level(10 * _log10(float(power)), 20 * _log10(float(peak)))
        for peak, power in zip(peaks[:channels], powers[:channels], strict=True)
    )


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def latency(
    device_s: tuple[float | None, float | None],
    block_samples: int,
    effects: Sequence[tuple[str, int]],
    sample_rate: int,
    measured: RoundTrip | None = None,
) -> tuple[Part, ...]:
    """Everything between microphone and phones that takes time: the device's ways as it says them, in
    seconds (nan where it does not, None for a file), or the round trip where it was measured; the
    effects' in samples.
    """
    into, out = device_s
    board = [Part(name, late, 1000 * late / sample_rate) for name, late in effects]
    if measured is not None:
        return Part("round trip", measured.samples, measured.ms), *board
    return (
        *_device("device in", into, sample_rate),
        Part("block", block_samples, 1000 * block_samples / sample_rate),
        *board,
        *_device("device out", out, sample_rate),
    )


def _device(name: str, seconds: float | None, sample_rate: int) -> list[Part]:
    if seconds is None:  # a file
        return []
    if math.isnan(seconds):
        return [Part(name, 0, 0.0, is_known=False)]
    return [Part(name, round(seconds * sample_rate), 1000 * seconds)]
