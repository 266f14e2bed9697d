"""A stem to try things on, made from nothing: drums, bass, chords and a lead."""

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]

BEAT_SECONDS = 0.5  # 120 beats a minute
ROOTS = (45, 41, 48, 43)  # A minor, F, C, G: MIDI notes, a bar each


def synthesise(seconds: float = 16.0, rate: int = 48_000, seed: int = 1) -> NDArray[np.float32]:
    """Music-like stereo, float32 (2, samples), peak at -3 dBFS; the same samples for the same seed.

    It has what codecs fight with: transients, tonal bass, wide detuned chords, noise up to 20 kHz.
    """
    random = np.random.default_rng(seed)
    sound = np.zeros((2, round(seconds * rate)))

    def add(at: float, note: Sound, gain: float, pan: float = 0.0) -> None:
        """Mix in a mono note, `at` seconds in; pan -1 is left, 1 is right."""
        room = sound[:, round(at * rate) :]
        note = gain * note[: room.shape[1]]
        room[:, : note.size] += np.sqrt([[1 - pan], [1 + pan]]) * note

    for beat in range(int(np.ceil(seconds / BEAT_SECONDS))):
        at = beat * BEAT_SECONDS
        root = ROOTS[(beat // 4) % 4]
        add(at, _kick(rate) if beat % 2 == 0 else _snare(rate, random), 0.9)
        for eighth in (0.0, 0.25):
            add(at + eighth, _hat(rate, random), 0.25, pan=0.3)
            add(at + eighth, _pluck(root - 12, 0.24, rate), 0.5)
        if beat % 4 == 0:
            third = 3 if root == 45 else 4
            for step, pan in ((0, -0.6), (third, 0.0), (7, 0.6)):
                add(at, _pad(root + 12 + step, 4 * BEAT_SECONDS, rate), 0.16, pan)
        add(at, _pluck(root + 24 + (0, 7, 12, 10)[beat % 4], 0.45, rate), 0.25, pan=-0.2)
    return (sound * (0.708 / np.abs(sound).max())).astype(np.float32)


def _time(seconds: float, rate: int) -> Sound:
    return np.arange(round(seconds * rate)) / rate


def _hz(note: float) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _kick(rate: int) -> Sound:
    t = _time(0.3, rate)
    return np.sin(2 * np.pi * (45 * t + 3 * (1 - np.exp(-t * 40)))) * np.exp(-t * 12)


def _snare(rate: int, random: np.random.Generator) -> Sound:
    t = _time(0.2, rate)
    return 0.6 * random.standard_normal(t.size) * np.exp(-t * 25) + np.sin(
        2 * np.pi * 190 * t
    ) * np.exp(-t * 30)


def _hat(rate: int, random: np.random.Generator) -> Sound:
    t = _time(0.06, rate)
    noise = random.standard_normal(t.size + 1)
    return np.diff(noise) * np.exp(-t * 80)


def _pluck(note: float, seconds: float, rate: int) -> Sound:
    """Harmonics that die the faster the higher they are."""
    t = _time(seconds, rate)
    tone = np.zeros_like(t)
    for harmonic in range(1, 20):
        if harmonic * _hz(note) < rate / 2.2:
            tone += (
                np.sin(2 * np.pi * harmonic * _hz(note) * t)
                * np.exp(-t * (3 + 2 * harmonic))
                / harmonic
            )
    return tone


def _pad(note: float, seconds: float, rate: int) -> Sound:
    """Three detuned saws, softly in and out."""
    t = _time(seconds, rate)
    saws = sum(
        np.sin(2 * np.pi * harmonic * _hz(note + cents / 100) * t + harmonic) / harmonic
        for cents in (-7, 0, 6)
        for harmonic in range(1, 12)
    )
    return np.asarray(saws) * np.sin(np.pi * t / seconds) ** 0.5
