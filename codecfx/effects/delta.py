"""Delta: what a processor takes away from a sound, or puts into it: dry less wet, aligned."""

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, smooth_step
from codecfx.effects.dry_wet import SmoothGain

KINDS = ("off", "on", "matched")
_TILE_MS = 50  # what levels are taken of
_KEEPS = 0.9  # of the levels so far, with every tile: half a second
_LEAST, _MOST = 10 ** (-24 / 20), 10 ** (24 / 20)  # a gain beyond would be of noise
_SILENT = 1e-10  # mean square


class Delta:
    """Turns wet into dry less wet, along smooth steps of 20 ms: "on", or "matched", with wet at the
    level that dry has had over the last half second, so that what a codec made quieter is not heard.

    Levels are taken at fixed places of the stream: nothing depends on blocks.
    """

    def __init__(self, sample_rate: int, kind: str) -> None:
        self._much = SmoothGain(sample_rate, float(kind != "off"))
        self._match = SmoothGain(sample_rate, float(kind == "matched"))
        self._step = smooth_step(max(1, sample_rate * _TILE_MS // 1000)).astype(np.float32)
        self._forget()

    def _forget(self) -> None:
        self._tile: list[tuple[Audio, Audio]] = []  # of dry and wet, as far as it has come
        self._at = 0  # of its samples
        self._levels = np.zeros(2)  # mean squares of dry and wet
        self._from = self._to = 1.0  # gains of wet, along the tile

    def move_to(self, kind: str) -> None:
        """Be of this kind from the next block on, faded. [any thread]"""
        self._much.move_to(float(kind != "off"))
        self._match.move_to(float(kind == "matched"))

    def is_off(self) -> bool:
        """Whether the next block is wet, and nothing else. [audio thread]"""
        rested = self._match.rests_at(0)
        is_still = self._match.is_still()
        if rested and not is_still:  # matching begins here
            self._forget()
        return self._much.is_still() and is_still and self._much.target == 0

    def process_block(self, dry: Audio, wet: Audio) -> Audio:
        """The next samples of both, float32 (channels, samples), to those that are heard."""
        samples = wet.shape[1]
        less = wet
        if not self._match.is_still() or self._match.target:
            gains, match = self._gains(dry, wet), self._match.next_gains(samples)
            less = wet * (np.float32(1) + (gains - np.float32(1)) * match)
        if self._much.is_still() and self._much.target == 1:
            return dry - less
        much = self._much.next_gains(samples)
        # in this form exactly the one at 0 and the other at 1, where a block goes on after the step
        heard: Audio = wet * (np.float32(1) - much)
        heard += (dry - less) * much
        return heard

    def _gains(self, dry: Audio, wet: Audio) -> Audio:
        gains, done = np.empty(wet.shape[1], np.float32), 0
        while done < len(gains):
            at = self._at
            past = min(len(self._step), at + len(gains) - done)
            end = done + past - at
            gains[done:end] = self._from + (self._to - self._from) * self._step[at:past]
            self._tile.append((dry[:, done:end].copy(), wet[:, done:end].copy()))
            self._at, done = past, end
            if past == len(self._step):
                self._turn()
        return gains

    def _turn(self) -> None:
        """A tile is whole: the gain that the next one ends with."""
        sides = (np.concatenate(side, axis=1) for side in zip(*self._tile, strict=True))
        now = np.array([np.square(side, dtype=np.float64).mean() for side in sides])
        self._tile.clear()
        self._at = 0
        self._levels = now if not self._levels.any() else _mixed(self._levels, now)
        dry, wet = self._levels
        self._from = self._to
        if dry > _SILENT and wet > _SILENT:
            self._to = float(np.clip(np.sqrt(dry / wet), _LEAST, _MOST))

    def reset(self) -> None:
        """Be there at once, and know nothing."""
        self._much.reset()
        self._match.reset()
        self._forget()


def _mixed(levels: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    return _KEEPS * levels + (1 - _KEEPS) * now
