"""What a network and damage add to a codec: the same sound through both, by turns."""

import statistics
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from codecfx.effects import registry
from codecfx.effects.base import Effect
from codecfx.effects.processor import StreamSpec

RATE, BLOCK, PAIRS = 48_000, 512, 7
CODECS = ("opus", "mp3", "aac", "gsm", "g722")
WRONG = {
    "network": {"loss": 0.1, "jitter_ms": 10, "buffer_ms": 40, "conceal": "codec"},
    "damage": {"flip": 0.01, "packets_hit": 0.5},
}


def _work(effect: Effect, sound: NDArray[np.float32]) -> float:
    effect.reset()
    began = time.process_time()
    for at in range(0, sound.shape[1], BLOCK):
        effect.process_block(sound[:, at : at + BLOCK])
    return time.process_time() - began


def added(sound: NDArray[np.float32]) -> Iterator[tuple[str, float, float, float]]:
    """What is measured, the seconds with and without it, and the one by the other: medians of pairs."""
    spec = StreamSpec(RATE, len(sound), BLOCK)
    for name in CODECS:
        for kind, values in WRONG.items():
            bare, wrong = registry.find(name)(), registry.find(name)(**values)
            for effect in (bare, wrong):
                effect.prepare(spec)
                _work(effect, sound[:, :RATE])
            pairs = [(_work(wrong, sound), _work(bare, sound)) for _ in range(PAIRS)]
            with_it, without = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(one / other for one, other in pairs)
            yield f"{name}, 512 at a time: {kind} added", with_it, without, ratio
