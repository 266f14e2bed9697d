"""Movement that follows from a sound: an envelope, and a gate that opens on hits.

A sound is heard as steps of 16 samples, counted from its beginning: the highest absolute value in each,
over all channels. Envelopes run on those, one multiplication a step, in the same order however the
sound arrives.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio
from codecfx.control.cycles import Clock

STEP_SAMPLES = 16  # 0.33 ms at 48 kHz: shorter than any attack that is heard as one
_LOUDEST = 1e6  # +120 dB: what is louder, or no number, is no sound and counts as silence


def share(time_ms: float, sample_rate: int) -> float:
    """The part of a distance that an envelope covers in a step: all but 1/e in `time_ms`."""
    return -math.expm1(-1000 * STEP_SAMPLES / (sample_rate * time_ms)) if time_ms else 1.0


class Follower(ABC):
    """Hears a sound, and has a position at every tick that it was heard up to.

    The position at tick k is that of the samples before k * `tick_samples`, whole steps of them.
    """

    def __init__(self, listens_to: str, clock: Clock) -> None:
        self.listens_to: str | None = listens_to
        self._tick_samples = clock.tick_samples
        self._history = np.zeros(clock.history)  # of tick k at k % history
        self.reset()

    def reset(self) -> None:
        """Nothing was heard."""
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)  # of a step that is not whole
        self._heard = self._steps = self._ticks = 0
        self._forget()
        self._note_ticks([])

    def hear(self, audio: Audio) -> None:
        """Take the next samples: float32 (channels, samples), any number of both."""
        self._heard += audio.shape[1]
        heights = np.maximum.reduce(np.abs(audio))
        if self._rest.size:
            heights = np.concatenate((self._rest, heights))
        whole = heights.size - heights.size % STEP_SAMPLES
        self._rest = heights[whole:].copy()
        steps = heights[:whole].reshape(-1, STEP_SAMPLES)
        self._note_ticks(np.maximum.reduce(steps, axis=1).tolist())

    def positions(self, first_tick: int, count: int) -> NDArray[np.float64]:
        """The positions at `count` ticks from `first_tick` on: (count,), 0 to 1.

        Raises:
            IndexError: a tick beyond what was heard, or further back than the history.
        """
        oldest = max(0, self._ticks - self._history.size)
        if first_tick < oldest or first_tick + count > self._ticks:
            raise IndexError(
                f"ticks {first_tick} to {first_tick + count - 1} were asked for, {oldest} to "
                f"{self._ticks - 1} are there; hear more first, or keep a longer history"
            )
        start = first_tick % self._history.size
        run = self._history[start : start + count]
        return np.concatenate((run, self._history[: count - run.size]))  # around the end

    def _note_ticks(self, peaks: list[float]) -> None:
        """Follow the next steps; the position at a tick is where the steps before it lead."""
        done = 0
        while self._ticks * self._tick_samples <= self._heard:
            sample = self._ticks * self._tick_samples
            before = sample // STEP_SAMPLES - self._steps
            self._follow(peaks[done : done + before])
            done, self._steps = done + before, self._steps + before
            self._history[self._ticks % self._history.size] = self._position(sample)
            self._ticks += 1
        self._follow(peaks[done:])
        self._steps += len(peaks) - done

    @abstractmethod
    def _forget(self) -> None:
        """Be as new."""

    @abstractmethod
    def _follow(self, peaks: list[float]) -> None:
        """Go on by a step for each of `peaks`."""

    @abstractmethod
    def _position(self, sample: int) -> float:
        """Where the steps so far lead, at a tick that stands at `sample`."""


class RunningEnvelope(Follower):
    """The level of a sound, smoothed, between a floor and a ceiling in dB.

    `times_ms` are attack and release; `scale_db` is what the positions 0 and 1 stand for.
    """

    def __init__(
        self,
        listens_to: str,
        clock: Clock,
        times_ms: tuple[float, float],
        scale_db: tuple[float, float],
    ) -> None:
        self._attack, self._release = (share(one, clock.timeline.sample_rate) for one in times_ms)
        self._floor_db, self._span_db = scale_db[0], scale_db[1] - scale_db[0]
        super().__init__(listens_to, clock)

    def _forget(self) -> None:
        self._level = 0.0

    def _follow(self, peaks: list[float]) -> None:
        level, attack, release = self._level, self._attack, self._release
        for peak in peaks:
            if not peak <= _LOUDEST:
                peak = 0.0
            level += (peak - level) * (attack if peak > level else release)
        self._level = level

    def _position(self, sample: int) -> float:
        if self._level < 1e-10:  # far below any floor, and what has no logarithm
            return 0.0
        above_db = 20 * math.log10(self._level) - self._floor_db
        return min(1.0, max(0.0, above_db / self._span_db))


class RunningGate(Follower):
    """Open when a hit is heard: `levels_db` are threshold and floor, `times_ms` hold and release.

    A hit is a rise of the threshold above a slow envelope, half of it (in dB) above a quick one, too.
    The slow one alone takes fades for hits; the quick one alone has forgotten what was before a hit
    that takes some milliseconds. The quick one falls no further than makes the floor a hit, since from
    nothing every fade-in is a leap. The times are a compromise, found by measuring. At a threshold of
    6 dB:

    - a linear fade-in to full scale is no hit from 2 s on (at 8 kHz from 3), a smooth one from 0.5 s;
    - steady noise, and tones from 20 Hz up, hit once, where they begin;
    - equal hits are told apart from 50 ms on where they fade in 10 ms, from 100 ms where in 60.
    """

    _FAST_RELEASE_MS = 20.0  # over the gaps between the peaks of a low tone
    _SLOW_ATTACK_MS, _QUICK_ATTACK_MS, _RELEASE_MS = 20.0, 2.0, 40.0

    def __init__(
        self,
        listens_to: str,
        clock: Clock,
        levels_db: tuple[float, float],
        times_ms: tuple[float, float],
    ) -> None:
        rate = clock.timeline.sample_rate
        self._threshold, self._floor = (10 ** (one / 20) for one in levels_db)
        self._half = math.sqrt(self._threshold)
        self._fast_release = share(self._FAST_RELEASE_MS, rate)
        self._slow_attack = share(self._SLOW_ATTACK_MS, rate)
        self._quick_attack = share(self._QUICK_ATTACK_MS, rate)
        self._release = share(self._RELEASE_MS, rate)
        # shorter than a tick, a gate could open and close unseen
        self._hold_samples = max(times_ms[0] * rate / 1000, clock.tick_samples)
        self._fall_samples = times_ms[1] * rate / 1000
        super().__init__(listens_to, clock)

    def _forget(self) -> None:
        self._fast = self._slow = 0.0
        self._quick = self._floor / self._half
        self._is_armed = True
        self._hit = -math.inf  # the sample from which on the last one is known

    def _follow(self, peaks: list[float]) -> None:
        fast, slow, quick, release = self._fast, self._slow, self._quick, self._release
        threshold, half, floor = self._threshold, self._half, self._floor
        for place, peak in enumerate(peaks):
            if not peak <= _LOUDEST:
                peak = 0.0
            fast = peak if peak > fast else fast + (peak - fast) * self._fast_release
            # against what was before: the slower ones with the peak in them are never far below it
            if not self._is_armed:
                self._is_armed = fast < half * slow
            elif fast >= floor and fast > threshold * slow and fast > half * quick:
                self._is_armed = False
                self._hit = (self._steps + place + 1) * STEP_SAMPLES
            slow += (fast - slow) * (self._slow_attack if fast > slow else release)
            quick += (fast - quick) * (self._quick_attack if fast > quick else release)
            quick = max(quick, floor / half)
        self._fast, self._slow, self._quick = fast, slow, quick

    def _position(self, sample: int) -> float:
        late = sample - self._hit - self._hold_samples
        if late < 0:
            return 1.0
        return max(0.0, 1 - late / self._fall_samples) if self._fall_samples else 0.0
