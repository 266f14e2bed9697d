"""Which container and sample format an output file gets, and how float samples become its numbers.

The output keeps the sample format of its source where its container has it; else it gets the
nearest one that loses nothing audible:

======================================= =========================================================
source                                  output, first one the container has
======================================= =========================================================
8 bit                                   8 bit (signed or not, as the container wants it), 16 bit
16, 24, 32 bit                          the same; 32 bit falls to 24 (FLAC)
32 and 64 bit float                     the same; 24 bit where there is no float (FLAC)
µ-law, A-law                            the same; 16 bit
lossless codes (ALAC, DWVW)             PCM of their depth
lossy codes (MP3, Vorbis, Opus, ADPCM)  16 bit
======================================= =========================================================

An Ogg file is Vorbis, whatever the source. ALAC is read but never written: libsndfile 1.2.2 breaks
the heap when it does. Nor is ADPCM, which would round the length up to whole blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, interleaved

Storable = NDArray[np.float32] | NDArray[np.int16] | NDArray[np.int32]

# Four gigabytes less what libsndfile's own headers may take: the most audio a file with 32-bit
# sizes (WAV, AIFF) is given.
FORM_LIMIT_BYTES = 2**32 - 2**20

# libsndfile: compression level 0.2 is Vorbis quality 8, about 256 kbit/s for stereo music.
VORBIS_COMPRESSION = 0.2

FULL_SCALE_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "ULAW": 16,  # libsndfile encodes both laws from 16 bit
    "ALAW": 16,
    "PCM_24": 24,
    "PCM_32": 32,
}
BYTES_PER_SAMPLE = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "ULAW": 1,
    "ALAW": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "VORBIS": 0,  # no fixed size
}

_NEAREST = {
    "PCM_S8": ("PCM_S8", "PCM_U8"),
    "PCM_U8": ("PCM_U8", "PCM_S8"),
    "PCM_24": ("PCM_24",),
    "PCM_32": ("PCM_32", "PCM_24"),
    "FLOAT": ("FLOAT", "PCM_24"),
    "DOUBLE": ("DOUBLE", "PCM_24"),
    "ULAW": ("ULAW",),
    "ALAW": ("ALAW",),
    "ALAC_20": ("PCM_24",),
    "ALAC_24": ("PCM_24",),
    "ALAC_32": ("PCM_32", "PCM_24"),
    "DWVW_24": ("PCM_24",),
}
_FALLBACK = ("PCM_16", "VORBIS")

_PCM = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")


@dataclass(frozen=True, slots=True)
class Container:
    """What one kind of output file can hold. The limits are libsndfile's, by experiment."""

    format: str  # soundfile's name
    subtypes: tuple[str, ...]
    max_channels: int
    max_rate_hz: int

    def subtype_like(self, source_subtype: str) -> str:
        """The sample format for audio that comes from `source_subtype` (soundfile's names)."""
        wanted = (*_NEAREST.get(source_subtype, ()), *_FALLBACK)
        return next(subtype for subtype in wanted if subtype in self.subtypes)

    def refusal(self, sample_rate: int, channels: int) -> str:
        """Why this container cannot hold that many Hz or channels, and what can; '' if it can.

        Asked before libsndfile is: past these numbers its Vorbis encoder crashes the process.
        """
        if channels > self.max_channels:
            return (
                f"{self.format} holds up to {self.max_channels} channels, this is {channels}; "
                "write .wav or .caf"
            )
        if sample_rate > self.max_rate_hz:
            return (
                f"{self.format} goes up to {self.max_rate_hz} Hz, this is {sample_rate}; "
                "write .wav or .caf"
            )
        # FLAC's streamable subset: 16 bits of Hz, or 16 bits of tens of Hz.
        if self.format == "FLAC" and sample_rate > 0xFFFF and sample_rate % 10:
            return (
                f"FLAC above 65535 Hz takes multiples of 10 Hz, this is {sample_rate}; "
                "write .wav or .caf"
            )
        return ""


_WAV = Container("WAV", ("PCM_U8", *_PCM), 1024, 2**31 - 1)
_W64 = Container("W64", ("PCM_U8", *_PCM), 1024, 2**31 - 1)
_CAF = Container("CAF", ("PCM_S8", *_PCM), 1024, 2**31 - 1)
_AIFF = Container("AIFF", ("PCM_S8", "PCM_U8", *_PCM), 1024, 800_000_000)
_FLAC = Container("FLAC", ("PCM_S8", "PCM_16", "PCM_24"), 8, 655_350)
_OGG = Container("OGG", ("VORBIS",), 255, 200_000)

CONTAINERS = {
    ".wav": _WAV,
    ".wave": _WAV,
    ".bwf": _WAV,
    ".w64": _W64,
    ".caf": _CAF,
    ".aif": _AIFF,
    ".aiff": _AIFF,
    ".flac": _FLAC,
    ".ogg": _OGG,
    ".oga": _OGG,
}


def storable(audio: Audio, subtype: str) -> Storable:
    """What to hand libsndfile so that it stores exactly the nearest numbers `subtype` has.

    libsndfile's own conversion truncates where it also clips: half a step of DC. So the rounding
    (to nearest, halves to even) and the clipping happen here, and libsndfile gets integers whose
    top bits it copies. +1.0 is stored as the highest number, one step below.

    audio: float32 (channels, samples), all finite.
    Returns interleaved C-contiguous (samples, channels): int16 for up to 16 bits, int32 for 24 and
    32, float32 for formats that take floats.
    """
    frames = interleaved(audio)
    bits = FULL_SCALE_BITS.get(subtype)
    if bits is None:
        return frames
    full_scale = 2 ** (bits - 1)
    # Up to 24 bits, float32 arithmetic is exact: a power of two, and integers below 2^24.
    exact = np.dtype(np.float32 if bits <= 24 else np.float64)
    with np.errstate(over="ignore"):  # infinity is clipped too
        steps = np.multiply(frames, full_scale, dtype=exact)
    np.clip(np.rint(steps, out=steps), -full_scale, full_scale - 1, out=steps)
    if bits <= 16:
        short: NDArray[np.int16] = steps.astype(np.int16)
        return short if bits == 16 else np.left_shift(short, np.int16(16 - bits))
    long: NDArray[np.int32] = steps.astype(np.int32)
    return np.left_shift(long, np.int32(32 - bits))
