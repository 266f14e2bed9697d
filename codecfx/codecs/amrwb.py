"""AMR-WB's encoder, by VisualOn's library; FFmpeg has only decoders."""

import ctypes
from dataclasses import dataclass

from codecfx.audio import Audio
from codecfx.codecs.engine import Decoder, Encoder, Engine, Stream
from codecfx.codecs.native_library import NativeLibrary, owned, words_of

MODES = (6.6, 8.85, 12.65, 14.25, 15.85, 18.25, 19.85, 23.05, 23.85)  # kbps (3GPP TS 26.171)
_LARGEST_PACKET = 64  # bytes; the highest mode makes 61

_State, _Int, _Address = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
LIBRARY = NativeLibrary(
    name="vo-amrwbenc",
    debian="libvo-amrwbenc0",
    homebrew="vo-amrwbenc",
    functions={
        "E_IF_init": (_State,),
        "E_IF_encode": (_Int, _State, _Int, _Address, _Address, _Int),
        "E_IF_exit": (None, _State),
    },
)


@dataclass(frozen=True, slots=True)
class AMRWB:
    """VisualOn's encoder before another engine's decoder."""

    decoding: Engine

    def encoder(self, stream: Stream) -> Encoder:
        return _Encoder(stream)

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        return self.decoding.decoder(stream, extradata)


class _Encoder:
    extradata = b""

    def __init__(self, stream: Stream) -> None:
        self._library = library = LIBRARY.load()
        self._state = owned(self, library.E_IF_init(), library.E_IF_exit)
        self._size = stream.frame_samples
        self._packet = ctypes.create_string_buffer(_LARGEST_PACKET)
        self.tune(stream)

    def encode(self, frames: Audio) -> list[bytes]:
        words, payloads = words_of(frames), []
        for at in range(0, words.size, self._size):
            size = self._library.E_IF_encode(
                self._state, self._mode, words[at:].ctypes.data, self._packet, self._dtx
            )
            payloads.append(self._packet.raw[:size])
        return payloads

    def tune(self, stream: Stream) -> None:
        self._mode = MODES.index(stream.number("bitrate_kbps"))
        self._dtx = int(stream.number("dtx"))
