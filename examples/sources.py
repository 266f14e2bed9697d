"""What miniatures are made of: recordings where there are some, else sounds made from nothing.

Recordings are the files of a folder by name: a voice (speech_female.ogg, speech_male.ogg), strings
(brahms_strings.ogg), a band (vibe_ace.ogg), a trumpet (trumpet.ogg).
"""

from pathlib import Path

import numpy as np
import pedalboard.io
import soundfile
from numpy.typing import NDArray
from stem import synthesise

RATE = 48_000
CREDITS = {
    "vibe_ace.ogg": 'Kevin MacLeod, "Vibe Ace" (CC BY 3.0)',
    "brahms_strings.ogg": "Brahms, Hungarian Dance 5, US Army Strings (public domain)",
    "trumpet.ogg": "Mihai Sorohan, trumpet loop, freesound 77711 (CC BY 3.0)",
    "speech_female.ogg": "LibriSpeech 198-209-0000 (CC BY 4.0)",
    "speech_male.ogg": "LibriSpeech 5703-47212-0000 (CC BY 4.0)",
}

Sound = NDArray[np.float32]


def recording(folder: str | None, name: str, begin: float, seconds: float) -> Sound:
    """A part of a recording in stereo at 48 kHz, peak at -3 dBFS: float32 (2, samples)."""
    if folder is None:
        made = synthesise(begin % 8 + seconds, RATE, seed=len(name))
        return made[:, -round(seconds * RATE) :]
    with pedalboard.io.AudioFile(str(Path(folder) / name)).resampled_to(RATE) as file:
        file.seek(round(begin * RATE))
        sound = file.read(round(seconds * RATE))
    print(f"  with {CREDITS.get(name, name)}")
    sound = np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound[:2]
    return (sound * (0.708 / np.abs(sound).max())).astype(np.float32)


def silence(seconds: float) -> Sound:
    return np.zeros((2, round(seconds * RATE)), np.float32)


def together(*parts: tuple[float, Sound, float]) -> Sound:
    """Sounds on top of each other: when each begins, in seconds, and its gain."""
    end = max(round(at * RATE) + sound.shape[1] for at, sound, _ in parts)
    mix = np.zeros((2, end), np.float32)
    for at, sound, gain in parts:
        begin = round(at * RATE)
        mix[:, begin : begin + sound.shape[1]] += np.float32(gain) * sound
    return mix


def faded(sound: Sound, rise: float, fall: float) -> Sound:
    """In and out, along half a wave of a cosine, in seconds."""
    gain = np.ones(sound.shape[1], np.float32)
    for seconds, way in ((rise, gain), (fall, gain[::-1])):
        samples = round(seconds * RATE)
        way[:samples] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, samples))
    return sound * gain


def write(path: str, sound: Sound) -> None:
    """A finished piece: peak at -1 dBFS, 24 bits."""
    peak = np.abs(sound).max()
    soundfile.write(path, (sound * (0.891 / peak)).T, RATE, subtype="PCM_24")
    print(f"{path}: {sound.shape[1] / RATE:.0f} s")
