"""Signals that the tests share, the ways to run them through stages and effects, and measures.

All audio is float32 (channels, samples), and seeded: a test hears the same today and next year.
"""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from codecfx.audio import Audio, silence

# What hosts hand in: nothing, one sample, primes, powers of two and one more than them
BLOCK_SIZES = (0, 1, 7, 64, 65, 127, 480, 512, 513, 1024, 4096)
HOST_RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)

_REAL_FOLDER = Path(__file__).parents[2] / "shared" / "audio"  # beside the repository, on some machines


def noise(channels: int, samples: int, seed: int = 0, level: float = 0.2) -> Audio:
    """White noise, different in every channel; `level` is its RMS."""
    random = np.random.default_rng(seed)
    return (level * random.standard_normal((channels, samples))).astype(np.float32)


def sine(hz: float, rate: int, samples: int, channels: int = 1, level: float = 0.5) -> Audio:
    """A sine of peak `level`, the same in every channel."""
    wave = level * np.sin(2 * np.pi * hz * np.arange(samples) / rate)
    return np.repeat(wave[np.newaxis], channels, axis=0).astype(np.float32)


def tones(rate: int, samples: int, channels: int = 1, seed: int = 0, level: float = 0.4) -> Audio:
    """Music of sorts: thirteen sines up to 0.4 of the rate with slow swells, other ones per channel."""
    return (level * _tones(rate, samples, channels, seed)).astype(np.float32)


@lru_cache(16)  # many tests hear the same sound, which takes longer to make than to encode
def _tones(rate: int, samples: int, channels: int, seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    hz = np.geomspace(110, 0.4 * rate, 13)
    phases = random.uniform(0, 2 * np.pi, (channels, 13, 1))
    swells = 1 + 0.5 * np.sin(2 * np.pi * random.uniform(1, 5, (channels, 13, 1)) * time)
    partials = swells * np.sin(2 * np.pi * hz[:, np.newaxis] * time + phases)
    sound = partials.sum(axis=1)
    return sound / np.abs(sound).max()


def voice(rate: int, samples: int, channels: int = 1, seed: int = 0, level: float = 0.5) -> Audio:
    """Speech of sorts, the same in every channel: a gliding glottal pulse through three formants, in
    syllables of 0.2 s with breath between them, up to 4 kHz.
    """
    sound = _voice(rate, samples, seed)
    return np.repeat(level * sound[np.newaxis], channels, axis=0).astype(np.float32)


@lru_cache(16)
def _voice(rate: int, samples: int, seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 1.3 * time) + 10 * np.sin(2 * np.pi * 0.4 * time + seed)
    turns = np.cumsum(pitch) / rate
    sound = np.zeros(samples)
    for harmonic in range(1, 33):
        hz = harmonic * pitch
        formants = sum(
            gain / (1 + ((hz - centre) / width) ** 2)
            for centre, width, gain in ((600, 120, 1.0), (1300, 150, 0.5), (2600, 250, 0.25))
        )
        audible = np.clip((min(4000, 0.48 * rate) - hz) / 200, 0, 1)
        sound += formants * audible * np.sin(2 * np.pi * harmonic * turns)
    syllables = np.clip(1.4 * np.sin(np.pi * ((time / 0.2) % 1)), 0, 1)
    return sound / np.abs(sound).max() * syllables + 0.003 * random.standard_normal(samples)


def recordings(*wanted: str) -> list[str]:
    """A sound made here, and those of `wanted` recordings that this machine has, as extra cases."""
    return ["made here", *(name for name in wanted if (_REAL_FOLDER / name).is_file())]


@cache
def recording(name: str) -> tuple[Audio, int]:
    """One of `recordings`: at least three seconds of audio, and its rate."""
    if name == "made here":
        rate = 48_000
        return voice(rate, 3 * rate, 2) + tones(rate, 3 * rate, 2, level=0.2), rate
    audio, rate = soundfile.read(_REAL_FOLDER / name, dtype="float32", always_2d=True)
    return np.ascontiguousarray(audio.T), rate


def cut(audio: Audio, sizes: Iterable[int]) -> Iterator[Audio]:
    """`audio` in pieces of `sizes`, over and over; pieces of no samples among them stay."""
    sizes = list(sizes)
    assert any(sizes), "sizes of nothing never end"
    at = 0
    while True:
        for size in sizes:
            yield audio[:, at : at + size]
            at += size
            if at >= audio.shape[1]:
                return


def push_through(stage, audio: Audio, sizes: Iterable[int]) -> Audio:
    """All that a stage gives for `audio` in chunks of `sizes`."""
    # the first copy is before the next push: what a stage returns may be memory of its own
    return np.concatenate([stage.push(chunk).copy() for chunk in cut(audio, sizes)], axis=1)


def stream_through(effect, audio: Audio, sizes: Iterable[int]) -> Audio:
    """What an effect or processor gives for `audio` in blocks of `sizes`; all must keep their shape."""
    processed = []
    for block in cut(audio, sizes):
        out = effect.process_block(block)
        assert out.shape == block.shape
        assert out.dtype == np.float32
        processed.append(out.copy())
    return np.concatenate(processed, axis=1)


def late(audio: Audio, samples: int) -> Audio:
    """`audio` later by that many samples, as long as before: silence first, its end cut."""
    zeros = silence(audio.shape[0], min(samples, audio.shape[1]))
    return np.concatenate((zeros, audio[:, : audio.shape[1] - zeros.shape[1]]), axis=1)


def same(one: Audio, other: Audio) -> bool:
    """Whether two pieces of audio agree to the last bit, in shape and in type (-0.0 is 0.0)."""
    return one.dtype == other.dtype and np.array_equal(one, other)


def rms_db(audio: Audio) -> float:
    """RMS in dB of full scale; silence is -400."""
    return 10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-40)


def snr_db(clean: Audio, other: Audio) -> float:
    """How far below `clean` the difference is, in dB."""
    return rms_db(clean) - rms_db(np.subtract(other, clean, dtype=np.float64))


def measure_latency(dry: Audio, wet: Audio) -> float:
    """How many samples later `dry` is in `wet`, upside down or not: the peak of their cross-correlation
    over all channels, between samples by a parabola.
    """
    size = 1 << (dry.shape[1] + wet.shape[1]).bit_length()
    spectrum = np.fft.rfft(wet, size) * np.fft.rfft(dry, size).conj()
    likeness = np.abs(np.fft.irfft(spectrum.sum(axis=0), size))
    peak = int(np.argmax(likeness))
    before, at, after = likeness[[peak - 1, peak, (peak + 1) % size]]
    between = 0.5 * (before - after) / (before - 2 * at + after)
    return (peak if peak < size // 2 else peak - size) + between


def fit_sine(audio: Audio, hz: float, rate: int) -> tuple[complex, Audio]:
    """The sine of `hz` in one channel by least squares: its complex amplitude (that of sin(wt + phase)
    has the angle phase), and what is left without it.
    """
    turns = 2 * np.pi * hz * np.arange(audio.size) / rate
    basis = np.stack((np.sin(turns), np.cos(turns)), axis=1)
    (along, across), *_ = np.linalg.lstsq(basis, audio.astype(np.float64).ravel(), rcond=None)
    return complex(along, across), audio.ravel() - basis @ (along, across)


def energy_above_db(audio: Audio, hz: float, rate: int) -> float:
    """RMS in dB of full scale of what lies above `hz`: a Hann window, so that a sine does not leak."""
    window = np.hanning(audio.shape[1])
    power = np.square(np.abs(np.fft.rfft(audio * window))).mean(axis=0)
    first = int(np.ceil(hz * audio.shape[1] / rate))
    return 10 * np.log10(2 * power[first:].sum() / np.square(window).sum() / audio.shape[1] + 1e-40)
