"""Costing: what a board takes, in time and in work, before it runs."""

import time
from dataclasses import dataclass, replace

import numpy as np

from codecfx.effects.base import Effect
from codecfx.effects.board import Chain
from codecfx.effects.codec_effect import CodecEffect
from codecfx.effects.processor import StreamSpec

_BLOCK_SAMPLES = 512
_WARM_SECONDS, _SECONDS = 0.25, 1.0
_LEVEL = 0.1


@dataclass(frozen=True, slots=True)
class Cost:
    """What an effect takes."""

    name: str  # its label, or its name
    latency_samples: int
    latency_ms: float
    core_share: float  # seconds of one core for a second of sound
    passes: int  # of which it was measured on one: a codec's generations


def costs(board: Effect, spec: StreamSpec) -> list[Cost]:
    """Of each effect of a board that nobody plays, in order, measured on a second of noise in blocks of
    512; of effects side by side all together. Of a codec's generations one is measured, and counted as
    often as there are.

    Raises:
        UnsupportedFormat, CodecUnavailable: as Effect.prepare.
    """
    effects = list(board) if isinstance(board, Chain) else [board]
    return [_cost(one if isinstance(one, Effect) else Chain([one]), spec) for one in effects]


def _cost(effect: Effect, spec: StreamSpec) -> Cost:
    effect.prepare(spec)
    latency = effect.latency_samples
    passes = int(effect.values["generations"]) if isinstance(effect, CodecEffect) else 1
    try:
        if passes > 1:
            effect.set("generations", 1)
        # what computes beside the audio is measured where it computes
        effect.prepare(replace(spec, max_block_samples=_BLOCK_SAMPLES, live=False))
        _work(effect, spec, _WARM_SECONDS)
        share = passes * _work(effect, spec, _SECONDS) / _SECONDS
    finally:
        if passes > 1:
            effect.set("generations", passes)
    latency_ms = 1000 * latency / spec.sample_rate
    return Cost(effect.label or effect.name, latency, latency_ms, share, passes)


def _work(effect: Effect, spec: StreamSpec, seconds: float) -> float:
    """The processor's seconds, of all threads, for so many of sound."""
    random = np.random.default_rng(0)
    samples = round(seconds * spec.sample_rate)
    sound = random.standard_normal((spec.channels, samples), np.float32) * np.float32(_LEVEL)
    began = time.process_time()
    for at in range(0, sound.shape[1], _BLOCK_SAMPLES):
        effect.process_block(sound[:, at : at + _BLOCK_SAMPLES])
    return time.process_time() - began
