"""LC3, the codec of Bluetooth LE Audio, by Google's liblc3: a coder for each channel, their packets of
equal size one after the other.
"""

import ctypes

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.base import Settings
from codecfx.codecs.engine import LOUDEST_PEAK, Decoder, Encoder, Stream
from codecfx.codecs.native_library import NativeLibrary
from codecfx.codecs.row import Timing

RATES = (8000, 16000, 24000, 32000, 44100, 48000)
_FLOAT = 3  # LC3_PCM_FORMAT_FLOAT
_BYTES_MIN, _BYTES_MAX = 20, 400  # of a frame of one channel (lc3.h)

_Coder, _Int, _Address = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
LIBRARY = NativeLibrary(
    name="lc3",
    debian="liblc3-dev",  # the name of the library's own package has its version
    homebrew="liblc3",
    wheel="lc3py",
    functions={
        "lc3_frame_samples": (_Int, _Int, _Int),
        "lc3_frame_bytes": (_Int, _Int, _Int),
        "lc3_delay_samples": (_Int, _Int, _Int),
        "lc3_encoder_size": (ctypes.c_uint, _Int, _Int),
        "lc3_decoder_size": (ctypes.c_uint, _Int, _Int),
        "lc3_setup_encoder": (_Coder, _Int, _Int, _Int, _Address),
        "lc3_setup_decoder": (_Coder, _Int, _Int, _Int, _Address),
        "lc3_encode": (_Int, _Coder, _Int, _Address, _Int, _Int, _Address),
        "lc3_decode": (_Int, _Coder, ctypes.c_char_p, _Int, _Int, _Address, _Int),
    },
)


def coder_rate(rate: int) -> int:
    """The coder's rate, Hz. 44.1 kHz is coded as 48: frames of as many samples, but longer (lc3.h)."""
    return 48_000 if rate == 44_100 else rate


def timing(rate: int, settings: Settings) -> Timing:
    """Frames of 10 or 7.5 ms; lc3_delay_samples beyond them, 2.5 or 4 ms."""
    frame_us = _frame_us(settings)
    delay_us = 2500 if frame_us == 10_000 else 4000
    samples = coder_rate(rate) // 1000
    return Timing(frame_us * samples // 1000, delay_samples=delay_us * samples // 1000)


def _frame_us(settings: Settings) -> int:
    return round(1000 * float(settings["frame_ms"]))


class LC3:
    """Opens a coder for each of a stream's channels."""

    def encoder(self, stream: Stream) -> Encoder:
        return _Encoder(stream)

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        return _Decoder(stream)


class _Coders:
    """One state for each channel, in memory of ours."""

    def __init__(self, stream: Stream, kind: str) -> None:
        self._library = library = LIBRARY.load()
        self._channels, self._size = stream.channels, stream.frame_samples
        form = (_frame_us(stream.settings), coder_rate(stream.sample_rate))
        words = -(-getattr(library, f"lc3_{kind}_size")(*form) // 8)
        self._memory = [(ctypes.c_uint64 * words)() for _ in range(stream.channels)]
        set_up = getattr(library, f"lc3_setup_{kind}")
        self._coders = [set_up(*form, 0, memory) for memory in self._memory]


class _Encoder(_Coders):
    extradata = b""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream, "encoder")
        self._frame = ctypes.create_string_buffer(_BYTES_MAX)
        self.tune(stream)

    def encode(self, frames: Audio) -> list[bytes]:
        channels = [np.clip(channel, -LOUDEST_PEAK, LOUDEST_PEAK) for channel in frames]
        payloads = []
        for at in range(0, frames.shape[1], self._size):
            parts = []
            for coder, samples in zip(self._coders, channels, strict=True):
                address = samples[at:].ctypes.data
                self._library.lc3_encode(coder, _FLOAT, address, 1, self._bytes, self._frame)
                parts.append(self._frame.raw[: self._bytes])
            payloads.append(b"".join(parts))
        return payloads

    def tune(self, stream: Stream) -> None:
        # by the coder's clock, which is the faster one at 44.1 kHz
        share = coder_rate(stream.sample_rate) / stream.sample_rate / stream.channels
        bits_per_second = round(1000 * share * stream.number("bitrate_kbps"))
        self._bytes = self._library.lc3_frame_bytes(_frame_us(stream.settings), bits_per_second)


class _Decoder(_Coders):
    def __init__(self, stream: Stream) -> None:
        super().__init__(stream, "decoder")

    def decode(self, payload: bytes) -> Audio | None:
        size, rest = divmod(len(payload), self._channels)
        if rest or not _BYTES_MIN <= size <= _BYTES_MAX:
            return None
        # what is damaged inside, the library finds out and conceals
        return self._decoded([payload[at : at + size] for at in range(0, len(payload), size)], size)

    def conceal(self) -> Audio | None:
        return self._decoded([None] * self._channels, 0)

    def _decoded(self, parts: list[bytes] | list[None], size: int) -> Audio | None:
        decoded = np.empty((self._channels, self._size), np.float32)
        for coder, part, samples in zip(self._coders, parts, decoded, strict=True):
            if self._library.lc3_decode(coder, part, size, _FLOAT, samples.ctypes.data, 1) < 0:
                return None
        return decoded
